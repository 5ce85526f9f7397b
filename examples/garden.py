"""The garden behind the balloons of balloons.mp4: sky, hills, lawn, trees, cottages and a fence.

All is painted with a fixed seed on a canvas of twice the size, then shrunk, which smooths edges.
Lengths and (x, y) places are in pixels of that canvas; colours are RGB.
"""

from collections.abc import Iterable
from functools import cache

import cv2
import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import ArrayLike, NDArray

Image = NDArray[np.uint8]
Floats = NDArray[np.floating]
Color = tuple[int, int, int]
Point = tuple[float, float]


def smoothstep(x: ArrayLike, low: float, high: float) -> Floats:
    """0 below `low`, 1 above `high`, and a soft slope between."""
    t = np.clip((np.asarray(x) - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def mix(a: ArrayLike, b: ArrayLike, amount: ArrayLike) -> Floats:
    """Colour `a` where the amount, one a pixel, is 0, and `b` where it is 1."""
    a, b = np.asarray(a, np.float32), np.asarray(b, np.float32)
    return a + (b - a) * np.asarray(amount, np.float32)[..., None]


def noise(rng: Generator, shape: tuple[int, int], cell: tuple[int, int]) -> Floats:
    """Fractal noise of deviation 1 around 0; its largest features are `cell` (height, width)."""
    total = np.zeros(shape, np.float32)
    for octave in range(6):
        grid = [
            max(2, (side << octave) // extent + 1) for side, extent in zip(shape, cell, strict=True)
        ]
        layer = rng.standard_normal(grid, np.float32) * 0.55**octave
        total += cv2.resize(layer, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return (total - total.mean()) / total.std()


def tint(color: Iterable[float], factor: float) -> Color:
    """The colour, lighter or darker."""
    red, green, blue = (max(0, min(255, int(value * factor))) for value in color)
    return red, green, blue


def polygon(canvas: Image, color: Color, *corners: ArrayLike) -> None:
    cv2.fillPoly(canvas, [np.asarray(corners).round().astype(np.int32)], color)


def shadow(canvas: Image, center: Point, radius: Point, depth: float = 0.5) -> None:
    """Darken a soft ellipse."""
    top, bottom = int(center[1] - 1.2 * radius[1]), int(center[1] + 1.2 * radius[1])
    y, x = np.ogrid[top:bottom, : canvas.shape[1]]
    far = np.hypot((x - center[0]) / radius[0], (y - center[1]) / radius[1])
    light = 1 - depth * smoothstep(-far, -1.15, -0.6)
    canvas[top:bottom] = canvas[top:bottom] * light[..., None]


def paint_sky(canvas: Image, rng: Generator, horizon: int) -> None:
    shape = (horizon, canvas.shape[1])
    height = np.linspace(0, 1, horizon)[:, None] ** 0.8
    sky = mix((72, 132, 205), (208, 226, 238), np.broadcast_to(height, shape))
    puffs = noise(rng, shape, (260, 700)) + 0.5 * noise(rng, shape, (90, 200))
    sunlit = smoothstep(puffs - np.roll(puffs, -28, 0), -0.7, 0.5)
    cloud = mix((196, 204, 216), (253, 252, 248), sunlit)
    canvas[:horizon] = mix(sky, cloud, 0.95 * smoothstep(puffs, 0.25, 1.5))


def paint_hills(canvas: Image, rng: Generator, horizon: int) -> None:
    rows = np.arange(canvas.shape[0])[:, None]
    layers = ((150, 45, (128, 152, 168)), (95, 35, (104, 134, 128)), (40, 20, (84, 116, 78)))
    for rise, relief, color in layers:
        ridge = horizon - rise - relief * noise(rng, (2, canvas.shape[1]), (2, 900))[0]
        rough = noise(rng, canvas.shape[:2], (30, 60))[..., None] * 9
        canvas[rows > ridge] = np.clip(color + rough, 0, 255)[rows > ridge]


def paint_lawn(canvas: Image, rng: Generator, horizon: int) -> None:
    height, width = shape = (canvas.shape[0] - horizon, canvas.shape[1])
    near = np.broadcast_to(np.linspace(0, 1, height)[:, None], shape)
    mottle = noise(rng, shape, (60, 400)) * 9 + noise(rng, shape, (12, 30)) * 7
    lawn = mix((142, 164, 84), (84, 124, 44), near**0.7) + mottle[..., None] * (1, 1, 0.6)
    canvas[horizon:] = np.clip(lawn, 0, 255)
    for depth in np.sort(rng.random(60000) ** 0.7):
        x, y, blade = int(rng.integers(width)), horizon + int(depth * height), 4 + 26 * depth**1.5
        tip = (int(x + rng.normal(0, blade / 2)), int(y - blade))
        color = tint(canvas[y - 1, x], rng.uniform(0.72, 1.32))
        cv2.line(canvas, (x, y), tip, color, 1 + int(depth > 0.5))


def paint_leaves(
    canvas: Image, rng: Generator, places: Floats, light: Floats, color: Color, size: float
) -> None:
    """Leaves, the later ones on top; `light` is one brightness for each of the (N, 2) places."""
    count = len(places)
    axes = rng.uniform((0.6, 0.3), (1.3, 0.7), (count, 2)) * size
    turns = rng.uniform(0, 180, count).tolist()
    warmth = np.stack([0.75 + 0.3 * light, np.ones(count), np.ones(count)], 1)
    colors = np.clip(color * warmth * light[:, None], 0, 255)
    lists = (values.astype(int).tolist() for values in (places, axes, colors))
    for place, axis, shade, turn in zip(*lists, turns, strict=True):
        cv2.ellipse(canvas, place, axis, turn, 0, 360, shade, -1)


def paint_crown(
    canvas: Image, rng: Generator, center: Point, radius: Point, color: Color, leaf: float
) -> None:
    """Foliage: clumps of leaves, lower clumps first, each lit from the upper left."""
    angle, reach = rng.uniform(0, 2 * np.pi, 46), np.sqrt(rng.random(46)) * 0.8
    clumps = np.stack([np.cos(angle) * reach, np.sin(angle) * reach], 1)
    for clump in clumps[np.argsort(-clumps[:, 1])]:
        size = rng.uniform(0.2, 0.36)
        offsets = np.clip(rng.normal(0, 0.5, (int(800 * size), 2)), -1.1, 1.1)
        light = 0.9 - 0.28 * offsets @ (0.6, 0.8) - 0.22 * clump @ (0.5, 0.85)
        light += rng.normal(0, 0.1, len(light))
        paint_leaves(canvas, rng, center + (clump + offsets * size) * radius, light, color, leaf)


def paint_tree(
    canvas: Image, rng: Generator, foot: tuple[int, int], height: int, color: Color
) -> None:
    (x, y), half = foot, height // 28
    shadow(canvas, (x + height * 0.12, y), (height * 0.4, height * 0.06))
    for strip in range(-half, half + 1, 3):
        bark = tint((104, 84, 64), 0.75 - 0.3 * strip / half + rng.normal(0, 0.1))
        cv2.line(canvas, (x + strip, y), (x + strip // 2, y - height // 2), bark, 4)
    crown = (x, y - height * 0.63)
    paint_crown(canvas, rng, crown, (height * 0.33, height * 0.33), color, height / 95)


def paint_window(canvas: Image, x: int, y: int, width: int, height: int) -> None:
    frame, right, bottom = (240, 238, 230), x + width, y + height
    cv2.rectangle(canvas, (x - 7, y - 7), (right + 7, bottom + 12), frame, -1)
    cv2.rectangle(canvas, (x, y), (right, bottom), (62, 78, 92), -1)
    sky = [(x, y), (x + width * 0.8, y), (x + width * 0.3, bottom), (x, bottom)]
    polygon(canvas, (122, 146, 166), *sky)
    cv2.rectangle(canvas, (x, y), (right, y + 6), (40, 48, 56), -1)
    cv2.line(canvas, (x + width // 2, y), (x + width // 2, bottom), frame, 5)
    cv2.line(canvas, (x, y + height // 2), (right, y + height // 2), frame, 5)


def paint_walls(
    canvas: Image, foot: tuple[int, int], size: tuple[int, int], depth: int, wall: Color
) -> None:
    """Clapboard: a front with windows and a door, and the gable to its right, in the shade."""
    (x, y), (tall, width) = foot, size
    right, top = x + width, y - tall
    back = right + depth
    roof = (right + depth / 2, top - width * 0.36)
    shade = tint(wall, 0.66)
    polygon(canvas, shade, (right, y), (back, y - 14), (back, top - 4), roof, (right, top))
    cv2.rectangle(canvas, (x, top), (right, y), wall, -1)
    for row in range(top, y, 13):
        cv2.line(canvas, (x, row), (right, row), tint(wall, 0.88), 2)
        cv2.line(canvas, (right, row), (back, row - 5), tint(wall, 0.6), 2)
    cv2.rectangle(canvas, (x, top), (right, top + 18), tint(wall, 0.68), -1)
    for part in (0.1, 0.38, 0.78):
        paint_window(canvas, int(x + width * part), top + tall // 4, width // 9, int(tall * 0.4))
    door = int(x + width * 0.59)
    cv2.rectangle(canvas, (door, y - int(tall * 0.66)), (door + width // 9, y), (120, 46, 40), -1)


def paint_roof(
    canvas: Image, rng: Generator, left: Floats, right: Floats, rise: Floats, color: Color
) -> None:
    """Rows of tiles between the eaves, `left` to `right`, and the ridge, which is `rise` away."""
    run, climb = rise
    gable = [(0, 0), (run, climb), (2 * run + 16, -4), (2 * run + 4, 4), (run, climb + 22), (8, 12)]
    polygon(canvas, tint(color, 0.6), *(right + corner for corner in gable))
    tile = (right - left) / 40
    for row in range(23):
        for column in range(40):
            corner = left + rise * row / 23 + tile * column
            shade = tint(color, rng.normal(0.98, 0.08))
            above = corner + rise / 23
            polygon(canvas, shade, corner, corner + tile, above + tile, above)


def paint_house(
    canvas: Image, rng: Generator, foot: tuple[int, int], width: int, wall: Color, roof: Color
) -> None:
    """A cottage whose front stands to the right of `foot`."""
    (x, y), tall, depth, peak = foot, int(width * 0.42), int(width * 0.3), int(width * 0.36)
    shadow(canvas, (x + width * 0.7, y), (width * 0.75, 22))
    paint_walls(canvas, foot, (tall, width), depth, wall)
    chimney, eaves = x + width // 5, y - tall + 10
    cv2.rectangle(
        canvas, (chimney, eaves - peak - 70), (chimney + 46, eaves - 50), (138, 84, 70), -1
    )
    left, right = np.array([x - 22.0, eaves]), np.array([x + width + 12.0, eaves])
    paint_roof(canvas, rng, left, right, np.array([depth / 2, -peak - 10.0]), roof)
    for part in (0.02, 0.28, 0.52, 0.97):
        bush = (x + width * part, y - 12.0)
        paint_crown(canvas, rng, bush, (38, rng.uniform(24, 44)), (92, 124, 66), 4)


def paint_fence(canvas: Image, rng: Generator, foot: int, height: int) -> None:
    shadow(canvas, (canvas.shape[1] / 2, foot + 8), (canvas.shape[1], 16), 0.4)
    for rail in (0.3, 0.75):
        top, bottom = int(foot - height * rail), int(foot - height * (rail - 0.09))
        cv2.rectangle(canvas, (0, top), (canvas.shape[1], bottom), (206, 204, 196), -1)
        cv2.line(canvas, (0, bottom), (canvas.shape[1], bottom), (120, 126, 104), 4)
    wide = int(height * 0.2)
    for x in range(-20, canvas.shape[1], int(height * 0.36)):
        right, top = x + wide, foot - height + int(rng.normal(0, 2))
        post = [(x, foot), (x, top + wide), (x + wide / 2, top), (right, top + wide), (right, foot)]
        polygon(canvas, tint((236, 233, 224), rng.uniform(0.92, 1)), *post)
        cv2.line(canvas, (right, foot), (right, top + wide), (150, 150, 142), 4)


@cache
def garden(size: tuple[int, int]) -> Image:
    """The whole garden, (height, width, 3); the same on every call."""
    rng, (height, width) = default_rng(20), (2 * size[0], 2 * size[1])
    canvas, horizon = np.zeros((height, width, 3), np.uint8), int(height * 0.6)
    paint_sky(canvas, rng, horizon)
    paint_hills(canvas, rng, horizon)
    paint_lawn(canvas, rng, horizon + 20)
    for x in range(-40, width + 40, 110):
        bush = (x + rng.normal(0, 30), horizon + rng.normal(-20, 10))
        paint_crown(canvas, rng, bush, (90, rng.uniform(40, 100)), (86, 118, 62), 5)
    paint_tree(canvas, rng, (1480, horizon + 70), 620, (96, 134, 52))
    paint_house(canvas, rng, (1620, horizon + 120), 560, (226, 212, 184), (150, 82, 62))
    paint_house(canvas, rng, (560, horizon + 80), 420, (188, 200, 206), (98, 100, 112))
    paint_tree(canvas, rng, (2440, horizon + 160), 860, (88, 126, 48))
    paint_tree(canvas, rng, (1130, horizon + 110), 560, (112, 142, 56))
    paint_tree(canvas, rng, (260, horizon + 200), 1080, (82, 122, 50))
    paint_fence(canvas, rng, horizon + 330, 170)
    small = cv2.resize(canvas, size[::-1], interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(small, (0, 0), 1.1).astype(np.uint8)
