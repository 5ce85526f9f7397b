"""Paint balloons.mp4: party balloons drifting over a garden, together with the exact mask of each one.

    python examples/make_balloons.py [OUT] [--masks DIR]

Nothing is photographed and nothing is random: `scene(index)` is the same picture on every machine, up to
rounding. Balloons are numbered from 1, farthest first, in the order of `BALLOONS`. A balloon's mask is what
can be seen of its skin and knot; strings, its own and others', are not part of it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import numpy as np
from av.video.reformatter import Colorspace
from numpy.random import Generator, default_rng
from numpy.typing import ArrayLike, NDArray

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Floats = NDArray[np.float32]
Color = tuple[int, int, int]

SIZE = (720, 1280)
"""(height, width) in pixels."""
RATE = Fraction(24)
FRAMES = 120
SOUND_RATE = 44100
MARGIN = 24
"""How far the garden reaches beyond the picture, so that the camera can sway."""


# The garden: painted once at twice the size, then shrunk, which smooths its edges.


def noise(rng: Generator, shape: tuple[int, int], cell: tuple[float, float]) -> Floats:
    """Fractal noise around 0 with a deviation of 1, whose largest features measure `cell` pixels."""
    total = np.zeros(shape, np.float32)
    for octave in range(6):
        grid = [max(2, int(side / extent * 2**octave) + 1) for side, extent in zip(shape, cell)]
        layer = rng.standard_normal(grid, np.float32)
        total += cv2.resize(layer, shape[::-1], interpolation=cv2.INTER_CUBIC) * 0.55**octave
    return (total - total.mean()) / total.std()


def smoothstep(x: ArrayLike, low: float, high: float) -> Floats:
    """0 below `low`, 1 above `high`, and a soft slope between."""
    t = np.clip((np.asarray(x, np.float32) - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def mix(a: ArrayLike, b: ArrayLike, amount: ArrayLike) -> Floats:
    """`a` where `amount` is 0, `b` where it is 1; amounts are per pixel, colours per channel."""
    a, b = np.asarray(a, np.float32), np.asarray(b, np.float32)
    return a + (b - a) * np.asarray(amount, np.float32)[..., None]


def tint(color: ArrayLike, factor: float) -> Color:
    red, green, blue = (int(v) for v in np.clip(np.asarray(color) * factor, 0, 255))
    return red, green, blue


def polygon(canvas: Image, points: ArrayLike, color: Color) -> None:
    cv2.fillPoly(canvas, [np.asarray(points).round().astype(np.int32)], color)


def paint_sky(canvas: Image, rng: Generator, horizon: int) -> None:
    height, width = horizon, canvas.shape[1]
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None].repeat(width, 1)
    sky = mix((72, 132, 205), (205, 224, 238), down**0.8)
    puffs = noise(rng, (height, width), (260, 700)) + 0.5 * noise(rng, (height, width), (90, 200))
    cover = smoothstep(puffs, 0.25, 1.5) * 0.95
    shade = smoothstep(puffs - np.roll(puffs, -28, 0), -0.7, 0.5)
    canvas[:horizon] = mix(sky, mix((196, 204, 216), (253, 252, 248), shade), cover)


def paint_hills(canvas: Image, rng: Generator, horizon: int) -> None:
    width = canvas.shape[1]
    x = np.arange(width)
    layers = [(150, 90, (128, 152, 168)), (95, 70, (104, 134, 128)), (40, 40, (84, 116, 78))]
    for rise, relief, color in layers:
        ridge = horizon - rise - relief * noise(rng, (2, width), (2, 900))[0] * 0.5
        shore = np.vstack([np.stack([x, ridge], 1), [(width, horizon + 90), (0, horizon + 90)]])
        cover = np.zeros(canvas.shape[:2], np.uint8)
        cv2.fillPoly(cover, [shore.astype(np.int32)], 255)
        rough = noise(rng, cover.shape, (30, 60))[..., None] * 9
        canvas[cover > 0] = np.clip(np.asarray(color) + rough, 0, 255)[cover > 0]


def paint_grass(canvas: Image, rng: Generator, horizon: int) -> None:
    height, width = canvas.shape[0] - horizon, canvas.shape[1]
    near = np.linspace(0, 1, height, dtype=np.float32)[:, None].repeat(width, 1)
    mottle = noise(rng, (height, width), (60, 400)) * 9 + noise(rng, (height, width), (12, 30)) * 7
    lawn = mix((142, 164, 84), (84, 124, 44), near**0.7) + mottle[..., None] * (1.0, 1.0, 0.6)
    canvas[horizon:] = np.clip(lawn, 0, 255)
    for depth in np.sort(rng.random(60000) ** 0.7):
        x, y = int(rng.integers(width)), horizon + int(depth * height)
        blade = 4 + 26 * depth**1.5
        tip = (int(x + rng.normal(0, blade / 2)), int(y - blade))
        color = tint(canvas[y - 1, x], rng.uniform(0.72, 1.32))
        cv2.line(canvas, (x, y), tip, color, 1 + int(depth > 0.5))


def paint_crown(
    canvas: Image, rng: Generator, center: tuple[float, float], radius: tuple[float, float],
    color: Color, leaf: float,
) -> None:
    """Foliage: clumps of leaves, each clump lit from the upper left, lower ones first."""
    angle, reach = rng.uniform(0, 2 * np.pi, 46), np.sqrt(rng.random(46)) * 0.8
    clumps = np.stack([np.cos(angle), np.sin(angle)], 1) * reach[:, None]
    for clump in clumps[np.argsort(-clumps[:, 1])]:
        size = rng.uniform(0.2, 0.36)
        offsets = rng.normal(0, 0.5, (int(900 * size), 2))
        light = 0.9 - 0.28 * offsets @ (0.6, 0.8) - 0.22 * clump @ (0.5, 0.85)
        places = np.asarray(center) + (clump + offsets * size) * radius
        for place, shine in zip(places, light + rng.normal(0, 0.1, len(places))):
            axes = (int(leaf * rng.uniform(0.6, 1.3)), int(leaf * rng.uniform(0.3, 0.7)))
            warm = np.asarray(color) * (0.75 + 0.3 * shine, 1, 1)
            spot = (int(place[0]), int(place[1]))
            cv2.ellipse(canvas, spot, axes, rng.uniform(0, 180), 0, 360, tint(warm, shine), -1)


def paint_tree(canvas: Image, rng: Generator, x: int, y: int, height: int, color: Color) -> None:
    width = height // 26
    cv2.ellipse(canvas, (x + width * 3, y), (height // 3, height // 22), 0, 0, 360, (58, 84, 38), -1)
    for strip in range(-width, width + 1, 3):
        bark = tint((104, 84, 64), 0.75 - 0.3 * strip / width + rng.normal(0, 0.1))
        cv2.line(canvas, (x + strip, y), (x + strip // 2, y - height // 2), bark, 4)
    radius = (height * 0.33, height * 0.33)
    paint_crown(canvas, rng, (x, y - height * 0.63), radius, color, height / 95)


def paint_window(canvas: Image, x: int, y: int, width: int, height: int) -> None:
    frame, glass = (240, 238, 230), (62, 78, 92)
    polygon(canvas, [(x - 7, y - 7), (x + width + 7, y - 7), (x + width + 7, y + height + 12),
                     (x - 7, y + height + 12)], frame)
    cv2.rectangle(canvas, (x, y), (x + width, y + height), glass, -1)
    polygon(canvas, [(x, y), (x + width * 0.8, y), (x + width * 0.3, y + height), (x, y + height)],
            (122, 146, 166))
    cv2.rectangle(canvas, (x, y), (x + width, y + 6), (40, 48, 56), -1)
    cv2.line(canvas, (x + width // 2, y), (x + width // 2, y + height), frame, 5)
    cv2.line(canvas, (x, y + height // 2), (x + width, y + height // 2), frame, 5)


def paint_house(
    canvas: Image, rng: Generator, x: int, y: int, width: int, wall: Color, roof: Color
) -> None:
    """A cottage whose front stands on (x, y) and whose shaded gable shows on the right."""
    tall, deep, peak = int(width * 0.42), int(width * 0.3), int(width * 0.36)
    top = y - tall
    polygon(canvas, [(x + width, y), (x + width + deep, y - 14), (x + width + deep, top - 4),
                     (x + width + deep // 2, top - peak), (x + width, top)], tint(wall, 0.66))
    cv2.rectangle(canvas, (x, top), (x + width, y), wall, -1)
    for row in range(top, y, 13):
        cv2.line(canvas, (x, row), (x + width, row), tint(wall, 0.88), 2)
        cv2.line(canvas, (x + width, row), (x + width + deep, row - 5), tint(wall, 0.6), 2)
    cv2.rectangle(canvas, (x, top), (x + width, top + 18), tint(wall, 0.68), -1)
    chimney = x + width // 5
    cv2.rectangle(canvas, (chimney, top - peak - 60), (chimney + 46, top - 40), (138, 84, 70), -1)
    left, right = np.array([x - 22, top + 10]), np.array([x + width + 12, top + 10])
    shift = np.array([deep / 2, -peak - 10])
    for step in np.linspace(0, 1, 24):
        a, b = left + shift * step, right + shift * step
        for t in np.arange(0, 1, 0.025):
            tile = [a + (b - a) * t, a + (b - a) * (t + 0.025)]
            polygon(canvas, [*tile, tile[1] + shift / 23, tile[0] + shift / 23],
                    tint(roof, rng.normal(0.98, 0.08)))
    polygon(canvas, [right, right + shift, right + shift + (deep / 2 + 16, peak + 6),
                     right + shift + (deep / 2 + 4, peak + 14), right + shift + (0, 22),
                     right + (8, 12)], tint(roof, 0.6))
    for place in (0.1, 0.38, 0.78):
        paint_window(canvas, int(x + width * place), top + tall // 4, width // 9, int(tall * 0.4))
    door = int(x + width * 0.59)
    cv2.rectangle(canvas, (door, y - int(tall * 0.66)), (door + width // 9, y), (120, 46, 40), -1)


def paint_fence(canvas: Image, rng: Generator, y: int, height: int) -> None:
    width = canvas.shape[1]
    for rail in (0.3, 0.75):
        top = int(y - height * rail)
        cv2.rectangle(canvas, (0, top), (width, top + height // 11), (206, 204, 196), -1)
        cv2.line(canvas, (0, top + height // 11), (width, top + height // 11), (120, 126, 104), 4)
    for x in range(-20, width, int(height * 0.36)):
        wide, top = int(height * 0.2), y - height + int(rng.normal(0, 2))
        white = tint((236, 233, 224), rng.uniform(0.92, 1.0))
        polygon(canvas, [(x, y), (x, top + wide), (x + wide / 2, top), (x + wide, top + wide),
                         (x + wide, y)], white)
        cv2.line(canvas, (x + wide, y), (x + wide, top + wide), (150, 150, 142), 4)


@cache
def garden() -> Image:
    """What is behind the balloons: the picture with `MARGIN` more pixels on every side."""
    rng = default_rng(20)
    height, width = (2 * (side + 2 * MARGIN) for side in SIZE)
    canvas, horizon = np.zeros((height, width, 3), np.uint8), int(height * 0.6)
    paint_sky(canvas, rng, horizon)
    paint_hills(canvas, rng, horizon)
    paint_grass(canvas, rng, horizon + 20)
    for x in range(-40, width + 40, 110):
        bush = (x + rng.normal(0, 30), horizon + rng.normal(0, 12))
        paint_crown(canvas, rng, bush, (90, rng.uniform(50, 110)), (86, 118, 62), 5)
    paint_tree(canvas, rng, 1480, horizon + 70, 620, (96, 134, 52))
    paint_house(canvas, rng, 1620, horizon + 120, 560, (226, 212, 184), (150, 82, 62))
    paint_house(canvas, rng, 560, horizon + 80, 420, (188, 200, 206), (98, 100, 112))
    paint_tree(canvas, rng, 2440, horizon + 160, 860, (88, 126, 48))
    paint_tree(canvas, rng, 1130, horizon + 110, 560, (112, 142, 56))
    paint_tree(canvas, rng, 260, horizon + 200, 1080, (82, 122, 50))
    paint_fence(canvas, rng, horizon + 330, 170)
    small = cv2.resize(canvas, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(small, (0, 0), 0.9)


# The balloons.


@dataclass(frozen=True)
class Balloon:
    """Its path is a sum of sines with the film's length as period: the film ends where it began."""

    color: Color
    height: float
    """Pixels from crown to neck."""
    home: tuple[float, float]
    """(x, y) around which the balloon drifts, in pixels."""
    drift: tuple[float, float]
    """How far it drifts to either side."""
    phase: tuple[float, float]
    """Where in its drift it starts, in turns."""

    def center(self, time: float) -> Floats:
        """(x, y) at `time`, in turns of the film."""
        turns = np.add(time, self.phase)
        bob = np.sin(2 * np.pi * (3 * turns + self.home)) * 0.02 * self.height
        return np.asarray(self.home + self.drift * np.sin(2 * np.pi * turns) + bob, np.float32)

    def speed(self, time: float) -> Floats:
        """Pixels a second."""
        step = 1 / FRAMES
        return (self.center(time + step) - self.center(time - step)) * float(RATE / 2)

    def tilt(self, time: float) -> float:
        """Radians clockwise: a balloon leans into its way, and its knot trails behind."""
        wobble = 0.05 * np.sin(2 * np.pi * (2 * time + sum(self.phase)))
        return float(0.28 * np.tanh(self.speed(time)[0] / 300) + wobble)


BALLOONS = (
    Balloon((112, 44, 150), 92, (905, 190), (60, 40), (0.1, 0.3)),
    Balloon((236, 112, 20), 112, (420, 215), (120, 50), (0.55, 0.0)),
    Balloon((24, 140, 62), 140, (1170, 250), (250, 60), (0.4, 0.2)),
    Balloon((222, 64, 128), 150, (640, 40), (70, 190), (0.0, 0.05)),
    Balloon((20, 78, 190), 190, (700, 330), (190, 50), (0.8, 0.6)),
    Balloon((245, 196, 24), 215, (960, 400), (170, 70), (0.2, 0.9)),
    Balloon((206, 22, 34), 250, (150, 370), (330, 40), (0.15, 0.45)),
)

SUN = np.array((-0.52, -0.66, 0.54), np.float32)
"""Direction to the sun: x right, y down, z towards the viewer."""


class Profile(NamedTuple):
    """A balloon's outline: the square of its half width, and its slope, along the axis; unit half a height."""

    axis: Floats
    square: Floats
    slope: Floats


@cache
def profile() -> Profile:
    """A teardrop, sin(t) sin(t/2)^m over cos(t), ending in a neck, a knot and its lip."""
    v = np.linspace(-1.2, 1.3, 2001, dtype=np.float32)
    body = 0.88 * (1 - v**2) * np.clip((1 - v) / 2, 0, None) ** 0.42
    knot_at = (0.9, 0.99, 1.035, 1.06, 1.11, 1.12, 1.3)
    knot = np.interp(v, knot_at, (-0.1, 0.0011, 0.0038, 0.002, 0.0066, -0.001, -0.5))
    square = np.maximum(body, knot).astype(np.float32)
    return Profile(v, square, np.gradient(square, v).astype(np.float32))


def surface(u: Floats, v: Floats, half: float) -> tuple[Floats, Floats]:
    """Coverage 0..1 and unit normals of a balloon at (u, v), u across and v down its axis.

    The balloon is the solid of revolution u^2 + z^2 = square(v); its outline's distance is the value of that
    function over the length of its gradient, to first order.
    """
    outline = profile()
    square = np.interp(v, outline.axis, outline.square)
    slope = np.interp(v, outline.axis, outline.slope) / 2
    distance = (square - u**2) / (2 * np.hypot(u, slope) + 1e-6)
    normal = np.stack([u, -slope, np.sqrt(np.clip(square - u**2, 0, None))], -1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-6
    return np.clip(distance * half + 0.5, 0, 1), normal


def mirrored(normal: Floats) -> Floats:
    """Light that the skin reflects like a mirror, (H, W): sun, a bright window behind us, sky, lawn."""
    ray = 2 * normal[..., 2:] * normal - (0, 0, 1)
    toward = ray @ SUN
    sun = 5 * np.exp(60 * (toward - 1)) + 0.6 * np.exp(9 * (toward - 1))
    across, down = ray[..., 0] - 0.62, ray[..., 1] + 0.28
    pane = smoothstep(-np.abs(across), -0.2, -0.14) * smoothstep(-np.abs(down), -0.26, -0.2)
    bars = smoothstep(np.abs(across), 0.0, 0.03) * smoothstep(np.abs(down), 0.0, 0.03)
    sky = 0.12 + 0.5 * smoothstep(-ray[..., 1], -0.1, 0.5)
    fresnel = 0.05 + 0.55 * (1 - normal[..., 2]) ** 4
    return fresnel * sky + 0.3 * sun * 0.3 + 0.25 * pane * bars


def shade(normal: Floats, color: Color) -> Floats:
    """What colour the skin shows, in linear light: thin latex, lit from outside and glowing from within."""
    toward, edge = normal @ SUN, 1 - normal[..., 2]
    skin = (np.asarray(color, np.float32) / 255) ** 2.2
    lit = 0.85 * np.clip((toward + 0.35) / 1.35, 0, 1) ** 1.3
    sky = 0.26 - 0.12 * normal[..., 1]
    glow = 0.3 * smoothstep(-toward, -0.35, 0.9) + 0.12 * edge**3
    latex = skin ** (1 + 0.25 * edge[..., None] ** 2) * (lit + sky + glow)[..., None]
    return latex + mirrored(normal)[..., None] * (1.0, 0.98, 0.94)


def paint_balloon(image: Floats, balloon: Balloon, time: float, camera: Floats) -> Mask:
    """Draw the balloon into the picture; returns the pixels it covers, (H, W)."""
    half, tilt = balloon.height / 2, balloon.tilt(time)
    x, y = balloon.center(time) + camera
    rows, columns = (
        slice(*np.clip((at - 1.3 * half, at + 1.3 * half), 0, end).astype(int))
        for at, end in zip((y, x), SIZE)
    )
    down, across = np.mgrid[rows, columns].astype(np.float32)
    down, across = (down - y) / half, (across - x) / half
    squash = 1 + 0.012 * np.sin(2 * np.pi * (7 * time + balloon.phase[0]))
    u = (across * np.cos(tilt) + down * np.sin(tilt)) * squash
    v = (down * np.cos(tilt) - across * np.sin(tilt)) / squash
    covered, normal = surface(u, v, half)
    normal[..., :2] = normal[..., :2] @ np.array([[np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), np.cos(tilt)]])
    patch = image[rows, columns]
    rgb = 255 * np.clip(shade(normal, balloon.color), 0, 1) ** (1 / 2.2)
    opacity = covered * (0.97 - 0.08 * normal[..., 2] ** 2)
    patch[:] = mix(patch, rgb, opacity)
    mask = np.zeros(SIZE, bool)
    mask[rows, columns] = covered >= 0.5
    return mask


def paint_string(image: Floats, balloon: Balloon, time: float, camera: Floats) -> Mask:
    """Draw the ribbon that hangs from the knot; returns the pixels it covers, (H, W)."""
    tilt, half = balloon.tilt(time), balloon.height / 2
    s = np.linspace(0, 1, 160)
    knot = balloon.center(time) + camera + half * 1.05 * np.array([-np.sin(tilt), np.cos(tilt)])
    wave = np.sin(2 * np.pi * (1.1 * s - 2 * time + balloon.phase[1])) * 0.09 * s
    curl = 0.03 * smoothstep(s, 0.35, 0.8) * np.exp(1j * 55 * s)
    lag = -0.9 * tilt * s**1.5
    x = knot[0] + balloon.height * (wave + lag + curl.real)
    y = knot[1] + balloon.height * (1.25 * s + curl.imag)
    line = (np.stack([x, y], 1) * 16).round().astype(np.int32)
    ink = np.zeros(SIZE, np.uint8)
    cv2.polylines(ink, [line], False, 255, 1 + int(balloon.height > 170), cv2.LINE_AA, 4)
    image[:] = mix(image, mix((235, 235, 230), balloon.color, np.float32(0.35)), ink / 255 * 0.8)
    return ink > 127


# The film.


def scene(index: int, *, balloons: Sequence[Balloon] = BALLOONS) -> tuple[Image, Mask]:
    """Frame `index`, (H, W, 3) RGB, and the visible part of each balloon, (N, H, W)."""
    time = index / FRAMES
    swing = np.sin(2 * np.pi * (time * np.array([1, 2]) + (0.0, 0.2)))
    camera = (swing * (9, 3)).astype(np.float32)
    place = np.array([[1, 0, MARGIN - camera[0] * 0.7], [0, 1, MARGIN - camera[1] * 0.7]], np.float32)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    image = cv2.warpAffine(garden(), place, SIZE[::-1], flags=flags).astype(np.float32)
    masks = np.zeros((len(balloons), *SIZE), bool)
    for number, balloon in enumerate(balloons):
        masks[:number] &= ~paint_string(image, balloon, time, camera)
        masks[number] = paint_balloon(image, balloon, time, camera)
        masks[:number] &= ~masks[number]
    return np.clip(image + 0.5, 0, 255).astype(np.uint8), masks


def truth(index: int) -> Mask:
    """The visible part of each balloon of frame `index`, (N, H, W); row i is balloon i + 1."""
    return scene(index)[1]


def label_map(masks: Mask) -> Image:
    """0 where no balloon is seen, else its number, (H, W)."""
    numbers = np.arange(1, len(masks) + 1, dtype=np.uint8)
    return (masks * numbers[:, None, None]).max(0)


def tune() -> Floats:
    """Stereo sound for the whole film, (2, samples): a music box over a soft chord."""
    length = int(FRAMES / RATE * SOUND_RATE)
    seconds = np.arange(length) / SOUND_RATE
    sound = np.zeros((2, length))
    melody = (72, 76, 79, 84, 83, 79, 76, 79, 77, 81, 84, 86, 84, 79, 76, 72)
    for beat, note in enumerate(melody):
        after = np.clip(seconds - beat * 0.29, 0, None)
        pitch = 2 * np.pi * 440 * 2 ** ((note - 69) / 12) * after
        pluck = np.exp(-4 * after) * (np.sin(pitch) + 0.35 * np.exp(-6 * after) * np.sin(3 * pitch))
        pan = 0.5 + 0.3 * np.sin(beat)
        sound += np.array([[pan], [1 - pan]]) * pluck * 0.35
    for note in (48, 55, 60, 64):
        sound += 0.03 * np.sin(2 * np.pi * 440 * 2 ** ((note - 69) / 12) * seconds)
    fade = smoothstep(seconds, 0, 0.05) * smoothstep(-seconds, -seconds[-1], -seconds[-1] + 0.4)
    return (sound * fade).astype(np.float32)


def write(path: Path, masks: Path | None) -> None:
    """Encode the film as H.264 and AAC; with `masks`, also one label map a frame as PNG."""
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as film:
        picture = film.add_stream("libx264", RATE, options={"preset": "veryslow", "crf": "23"})
        picture.height, picture.width = SIZE
        picture.pix_fmt = "yuv420p"
        context = picture.codec_context
        context.colorspace = context.color_primaries = context.color_trc = Colorspace.ITU709
        context.color_range = 1
        audio = film.add_stream("aac", SOUND_RATE, layout="stereo", bit_rate=96_000)
        for index in range(FRAMES):
            image, seen = scene(index)
            frame = av.VideoFrame.from_ndarray(image, "rgb24")
            film.mux(picture.encode(frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)))
            if masks:
                cv2.imwrite(str(masks / f"{index:05d}.png"), label_map(seen))
        sound = av.AudioFrame.from_ndarray(tune(), "fltp", "stereo")
        sound.sample_rate = SOUND_RATE
        film.mux(audio.encode(sound))
        film.mux([*picture.encode(), *audio.encode()])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", nargs="?", type=Path, default=Path(__file__).with_name("balloons.mp4"))
    parser.add_argument("--masks", type=Path, help="folder for one PNG a frame: 0, or the balloon's number")
    options = parser.parse_args()
    if options.masks:
        options.masks.mkdir(parents=True, exist_ok=True)
    write(options.out, options.masks)


if __name__ == "__main__":
    main()
