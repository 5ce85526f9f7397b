"""Paint balloons.mp4: balloons drifting over a garden, together with the exact mask of each.

    python examples/make_balloons.py [OUT] [--masks DIR]

Nothing is photographed and nothing is left to chance: `scene(index)` is the same picture on every
machine, up to rounding. Balloons are numbered from 1, the farthest first, as in `BALLOONS`. A
balloon's mask is what can be seen of its skin and knot; strings, its own and others', are no part.
"""

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
from av.container import OutputContainer
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from garden import Color, Floats, Image, garden, mix, smoothstep
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

SIZE = (720, 1280)
"""(height, width) in pixels."""
RATE = Fraction(24)
FRAMES = 120
SOUND_RATE = 44100
MARGIN = 24
"""Pixels by which the garden is larger than the picture on every side, for the camera to sway."""
SUN = np.array((-0.52, -0.66, 0.54))
"""Direction to the sun: right, down, towards the viewer."""


@dataclass(frozen=True)
class Balloon:
    """A balloon and its way, a sum of sines that ends where it began: the film is a loop.

    Times are in turns of the film, places (x, y) in pixels.
    """

    color: Color
    height: float
    """Pixels from crown to neck."""
    home: tuple[float, float]
    """The middle of its way."""
    drift: tuple[float, float]
    """How far it goes to either side of its home."""
    phase: tuple[float, float]
    """Where on its way it starts, in turns."""

    def center(self, time: float) -> Floats:
        turns = 2 * np.pi * np.add(time, self.phase)
        return self.home + self.drift * np.sin(turns) + 0.02 * self.height * np.sin(3 * turns)

    def tilt(self, time: float) -> float:
        """Radians clockwise: it leans into its way, and the knot trails behind."""
        step = self.center(time + 1 / FRAMES) - self.center(time - 1 / FRAMES)
        wobble = 0.05 * np.sin(2 * np.pi * (2 * time + sum(self.phase)))
        return float(0.28 * np.tanh(step[0] / 25) + wobble)

    def turn(self, time: float) -> Floats:
        """Matrix that turns the balloon's own (across, down) into the picture's."""
        sine, cosine = np.sin(self.tilt(time)), np.cos(self.tilt(time))
        return np.array([[cosine, -sine], [sine, cosine]])


BALLOONS = (
    Balloon((112, 44, 150), 92, (905, 190), (60, 40), (0.1, 0.3)),
    Balloon((236, 112, 20), 112, (420, 215), (120, 50), (0.55, 0.0)),
    Balloon((24, 140, 62), 140, (1170, 250), (250, 60), (0.4, 0.2)),
    Balloon((222, 64, 128), 150, (640, 40), (70, 190), (0.0, 0.05)),
    Balloon((20, 78, 190), 190, (700, 330), (190, 50), (0.8, 0.6)),
    Balloon((245, 196, 24), 215, (960, 400), (170, 70), (0.2, 0.9)),
    Balloon((206, 22, 34), 250, (150, 370), (330, 40), (0.15, 0.45)),
)
"""Purple, orange, green, pink, blue, yellow, red."""


# Shape and skin. Lengths are in half heights: the crown is at -1 on the axis, the neck at 1.


class Profile(NamedTuple):
    """A solid of revolution: its squared radius along the axis, and half the slope of that."""

    axis: Floats
    square: Floats
    half_slope: Floats


@cache
def profile() -> Profile:
    """A teardrop, radius sin(t) sin(t/2)^m at cos(t) on the axis, then neck, knot and lip."""
    axis = np.linspace(-1.2, 1.3, 2001)
    body = 0.88 * (1 - axis**2) * np.clip((1 - axis) / 2, 0, None) ** 0.42
    knot = (0.9, 0.99, 1.035, 1.06, 1.11, 1.12, 1.3)
    radius = (-0.1, 0.0011, 0.0038, 0.002, 0.0066, -0.001, -0.5)
    square = np.maximum(body, np.interp(axis, knot, radius))
    return Profile(axis, square, np.gradient(square, axis) / 2)


def solid(across: Floats, along: Floats, half: float) -> tuple[Floats, Floats]:
    """Coverage 0..1 of each pixel, and the skin's unit normals, from places in half heights.

    The skin is where across^2 + depth^2 = square(along); a pixel's distance from the outline is
    what is left of that equation over the length of its gradient, to first order.
    """
    axis, square, half_slope = profile()
    inside = np.interp(along, axis, square) - across**2
    slope = np.interp(along, axis, half_slope)
    distance = half * inside / (2 * np.hypot(across, slope) + 1e-6)
    normal = np.stack([across, -slope, np.sqrt(np.clip(inside, 1e-9, None))], -1)
    return np.clip(distance + 0.5, 0, 1), normal / np.linalg.norm(normal, axis=-1, keepdims=True)


def gloss(normal: Floats) -> Floats:
    """What the skin mirrors: the sun, a bright window behind the viewer, sky above and lawn."""
    ray = 2 * normal[..., 2:] * normal - (0, 0, 1)
    sun = np.exp(9 * (ray @ SUN - 1)) * 0.16 + np.exp(90 * (ray @ SUN - 1)) * 0.75
    right, up = np.abs(ray[..., 0] - 0.62), np.abs(ray[..., 1] + 0.3)
    pane = smoothstep(-right, -0.2, -0.13) * smoothstep(-up, -0.27, -0.2) * (ray[..., 2] > 0)
    bars = smoothstep(right, 0, 0.03) * smoothstep(up, 0, 0.03)
    sky = 0.12 + 0.5 * smoothstep(-ray[..., 1], -0.1, 0.5)
    return sun + 0.14 * pane * bars + sky * (0.05 + 0.5 * (1 - normal[..., 2]) ** 4)


def shade(normal: Floats, color: Color) -> Floats:
    """The skin's colour, 0..255: thin latex, lit from outside and glowing from within."""
    facing, edge = normal @ SUN, 1 - normal[..., 2:]
    sunlit = 0.85 * np.clip((facing + 0.35) / 1.35, 0, 1) ** 1.3
    glow = 0.34 * smoothstep(-facing, -0.45, 0.9) + 0.12 * edge[..., 0] ** 3
    light = sunlit + glow + 0.26 - 0.12 * normal[..., 1]
    latex = (np.asarray(color) / 255) ** (2.2 + 0.55 * edge**2) * light[..., None]
    return 255 * np.clip(latex + gloss(normal)[..., None] * (1, 0.98, 0.94), 0, 1) ** (1 / 2.2)


# Drawing into a float picture, (H, W, 3); `at` is where the balloon's centre is in the picture.


def window(at: Floats, reach: float) -> tuple[slice, slice]:
    """Rows and columns of the square of 2 x `reach` around `at`, as far as they are visible."""
    low, high = (np.clip(at[::-1] + side, 0, SIZE).astype(int).tolist() for side in (-reach, reach))
    return slice(low[0], high[0]), slice(low[1], high[1])


def paint_balloon(image: Floats, balloon: Balloon, time: float, at: Floats) -> Mask:
    """Draw a balloon; returns the pixels that are more than half covered."""
    half, turn, part = balloon.height / 2, balloon.turn(time), window(at, 0.65 * balloon.height)
    place = (np.moveaxis(np.mgrid[part][::-1], 0, -1) - at) / half @ turn
    breath = 1 + 0.012 * np.sin(2 * np.pi * (7 * time + balloon.phase[0]))
    covered, normal = solid(place[..., 0] * breath, place[..., 1] / breath, half)
    normal[..., :2] = normal[..., :2] @ turn.T
    opaque = covered * (0.985 - 0.04 * normal[..., 2] ** 2)
    image[part] = mix(image[part], shade(normal, balloon.color), opaque)
    mask = np.zeros(SIZE, bool)
    mask[part] = covered >= 0.5
    return mask


def paint_string(image: Floats, balloon: Balloon, time: float, at: Floats) -> Mask:
    """Draw the curled ribbon that hangs from the knot; returns the pixels that it covers."""
    along = np.linspace(0, 1, 160)
    wave = 0.09 * along * np.sin(2 * np.pi * (1.1 * along - 2 * time + balloon.phase[1]))
    curl = 0.03 * smoothstep(along, 0.35, 0.8) * np.exp(55j * along)
    across = wave + curl.real - 0.9 * balloon.tilt(time) * along**1.5
    knot = at + balloon.turn(time) @ (0, 0.525 * balloon.height)
    line = knot + balloon.height * np.stack([across, 1.25 * along + curl.imag], -1)
    ink, thick = np.zeros(SIZE, np.uint8), 1 + int(balloon.height > 170)
    cv2.polylines(ink, [(line * 16).astype(np.int32)], False, 255, thick, cv2.LINE_AA, 4)
    ribbon = 0.65 * np.array((235, 235, 230)) + 0.35 * np.asarray(balloon.color)
    drawn = ink > 0
    image[drawn] = mix(image[drawn], ribbon, ink[drawn] / 255 * 0.8)
    return ink > 127


# The film.


def backdrop(sway: Floats) -> Floats:
    """The garden as the swaying camera sees it; being far, it moves less than the balloons."""
    whole = garden((SIZE[0] + 2 * MARGIN, SIZE[1] + 2 * MARGIN))
    x, y = MARGIN - 0.7 * sway
    move = np.array([[1, 0, x], [0, 1, y]])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(whole, move, SIZE[::-1], flags=flags).astype(np.float32)


def scene(index: int, *, balloons: Sequence[Balloon] = BALLOONS) -> tuple[Image, Mask]:
    """Frame `index`, (H, W, 3) uint8 RGB, and what is visible of each balloon, (N, H, W) bool."""
    time = index / FRAMES
    sway = np.sin(2 * np.pi * np.array((time, 2 * time + 0.2))) * (9, 3)
    image, masks = backdrop(sway), np.zeros((len(balloons), *SIZE), bool)
    for row, balloon in enumerate(balloons):
        at = balloon.center(time) + sway
        string = paint_string(image, balloon, time, at)
        masks[row] = paint_balloon(image, balloon, time, at)
        masks[:row] &= ~(string | masks[row])
    return np.clip(image + 0.5, 0, 255).astype(np.uint8), masks


def truth(index: int) -> Mask:
    """What is visible of each balloon in frame `index`, (N, H, W); row i is balloon i + 1."""
    return scene(index)[1]


def label_map(masks: Mask) -> Image:
    """(H, W): 0 where there is no balloon, else the balloon's number."""
    numbers = np.arange(1, len(masks) + 1, dtype=np.uint8)
    return (masks * numbers[:, None, None]).max(0)


def tone(note: int, seconds: Floats) -> Floats:
    """A sine at a MIDI note's pitch."""
    return np.sin(2 * np.pi * 440 * 2 ** ((note - 69) / 12) * seconds)


def tune() -> NDArray[np.float32]:
    """Sound for the whole film, (2, samples) within -1..1: a music box over a soft chord."""
    seconds = np.arange(int(FRAMES / RATE * SOUND_RATE)) / SOUND_RATE
    sound = np.tile(0.03 * sum(tone(note, seconds) for note in (48, 55, 60, 64)), (2, 1))
    for beat, note in enumerate((72, 76, 79, 84, 83, 79, 76, 79, 77, 81, 84, 86, 84, 79, 76, 72)):
        after = np.clip(seconds - 0.29 * beat, 0, None)
        bright = 0.35 * np.exp(-6 * after) * tone(note + 19, after)
        pluck = np.exp(-4 * after) * (tone(note, after) + bright)
        left = 0.5 + 0.3 * np.sin(beat)
        sound += 0.35 * np.array([[left], [1 - left]]) * pluck
    end = seconds[-1]
    fade = smoothstep(seconds, 0, 0.05) * smoothstep(end - seconds, 0, 0.4)
    return (sound * fade).astype(np.float32)


def add_picture(film: OutputContainer) -> av.VideoStream:
    """H.264 that plays everywhere, tagged with the colours it is converted to."""
    picture = film.add_stream("libx264", RATE, options={"preset": "veryslow", "crf": "22"})
    picture.height, picture.width = SIZE
    picture.pix_fmt = "yuv420p"
    context = picture.codec_context
    context.colorspace, context.color_range = Colorspace.ITU709, ColorRange.MPEG
    context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
    return picture


def write(path: Path, masks: Path | None = None) -> None:
    """Encode the film; into the folder `masks` goes one label map a frame, `00000.png` onward."""
    with av.open(path, "w", options={"movflags": "+faststart"}) as film:
        picture = add_picture(film)
        audio = film.add_stream("aac", SOUND_RATE, layout="stereo", bit_rate=96_000)
        sound = av.AudioFrame.from_ndarray(tune(), "fltp", "stereo")
        sound.sample_rate = SOUND_RATE
        for index in range(FRAMES):
            image, visible = scene(index)
            frame = av.VideoFrame.from_ndarray(image, "rgb24")
            film.mux(picture.encode(frame.reformat(None, None, "yuv420p", None, Colorspace.ITU709)))
            if masks:
                cv2.imwrite(str(masks / f"{index:05d}.png"), label_map(visible))
        film.mux([*audio.encode(sound), *audio.encode(), *picture.encode()])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    default = Path(__file__).with_name("balloons.mp4")
    parser.add_argument("out", metavar="OUT", nargs="?", type=Path, default=default)
    parser.add_argument("--masks", metavar="DIR", type=Path, help="write one label map a frame")
    options = parser.parse_args()
    if options.masks:
        options.masks.mkdir(parents=True, exist_ok=True)
    write(options.out, options.masks)


if __name__ == "__main__":
    main()
