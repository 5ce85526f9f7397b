"""Lines and light around the objects: contour, halo, and the path of each track."""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from vidseg.effects._alpha_masks import blend_into, padded, soft_edged
from vidseg.effects._blending import downscaled, solid, upscaled
from vidseg.effects._mask_outline import draw_outline
from vidseg.effects.background import FRACTION_BITS, check_share, fixed_point
from vidseg.effects.effect import Draw
from vidseg.effects.overlay import line_width, own_color
from vidseg.errors import OptionError
from vidseg.structures.colors import Color
from vidseg.structures.frame import Frame, Image
from vidseg.structures.instances import Instances, check_fits
from vidseg.structures.masks import crop, painting_order
from vidseg.tracking.interpolation import sightings

MAX_LINE_WIDTH_PIXELS = 100
MAX_GLOW_REACH = 20
"""Pixels that a glow reaches in the downscaled picture in which a large one is computed."""


@dataclass(frozen=True, slots=True)
class Contour:
    """Draws a line along the edge of every object."""

    width: int | None = None
    """Pixels, 1 to 100; grows with the picture by default."""
    color: Color | None = None
    """The object's own colour by default."""

    def __post_init__(self) -> None:
        check_width(self.width)

    def __call__(self, image: Image, instances: Instances) -> Image:
        """A new (H, W, 3) uint8 RGB picture; `image` stays as it is."""
        check_fits(instances, image)
        picture = np.array(image, order="C")
        width = self.width or 2 * line_width(picture)
        for row in painting_order(instances):
            part = crop(instances, int(row))
            if part.mask.size:
                color = self.color or own_color(instances, int(row))
                draw_outline(picture, part, color, width)
        return picture


@dataclass(frozen=True, slots=True)
class Halo:
    """Draws a glow around every object, on what is behind it."""

    size: float = 0.04
    """How far the glow reaches, as a share of the frame's shorter side: 0 to 0.2."""
    strength: float = 1.0
    """Opacity of the glow at the object's edge, 0..1."""
    color: Color | None = None
    """The object's own colour by default."""

    def __post_init__(self) -> None:
        check_share("size", self.size, 0.2)
        check_share("strength", self.strength)

    def __call__(self, image: Image, instances: Instances) -> Image:
        """A new (H, W, 3) uint8 RGB picture; `image` stays as it is."""
        check_fits(instances, image)
        picture = np.array(image, order="C")
        reach = max(round(self.size * min(instances.size)), 1)
        for row in painting_order(instances):
            self._draw(picture, instances, int(row), reach)
        return picture

    def _draw(self, picture: Image, instances: Instances, row: int, reach: int) -> None:
        """A blurred mask has half its inner value at the edge, and 0 at the reach."""
        part = soft_edged(instances, row)
        if not part.mask.any():
            return
        rows, cols, inside = padded(part, reach, instances.size)
        factor = max(reach // MAX_GLOW_REACH, 1)
        width = 2 * (reach // factor) + 1
        glow = cv2.stackBlur(downscaled(inside, factor), (width, width))
        glow = upscaled(glow, factor, (len(inside), inside.shape[1]), method=cv2.INTER_LINEAR)
        glow = cv2.convertScaleAbs(glow, alpha=2 * self.strength)
        opacity = cv2.multiply(glow, cv2.bitwise_not(inside), scale=1 / 255)
        target = picture[rows, cols]
        color = self.color or own_color(instances, row)
        blend_into(target, solid(target.shape, color), np.asarray(opacity, np.uint8))


class _Step(NamedTuple):
    """The place of an object in one frame."""

    number: int
    """Index of the frame."""
    point: tuple[float, float]
    """x, y of the middle of its box."""
    color: Color


@dataclass(frozen=True, slots=True)
class Trace:
    """Draws the path of every tracked object, thinner and fainter with age.

    Paths exist only in a run (`vidseg.effects.effect`); a single picture has none.
    """

    length: int = 45
    """Frames that the path reaches back, 1 to 10000."""
    width: int | None = None
    """Pixels, 1 to 100; grows with the picture by default."""
    color: Color | None = None
    """The object's own colour by default."""

    def __post_init__(self) -> None:
        check_width(self.width)
        if not 1 <= self.length <= 10000:
            raise OptionError(f"length must lie in 1..10000 frames, got {self.length}.")

    def __call__(self, image: Image, instances: Instances) -> Image:
        """A copy of the picture."""
        check_fits(instances, image)
        return np.array(image, order="C")

    @contextmanager
    def begin(self) -> Iterator[Draw]:
        """Remembers the paths; see `vidseg.effects.effect`."""
        paths: dict[int, deque[_Step]] = {}

        def draw(frame: Frame, instances: Instances) -> Image:
            picture = self(frame.image, instances)
            self._extend(paths, frame.index, instances)
            for path in paths.values():
                self._draw(picture, path, frame.index)
            return picture

        yield draw

    def _extend(self, paths: dict[int, deque[_Step]], index: int, instances: Instances) -> None:
        """Add the places of the objects, and drop those that are too old."""
        for track_id, sight in sightings(index, instances).items():
            x0, y0, x1, y1 = (float(value) for value in instances.boxes[sight.row])
            color = self.color or own_color(instances, sight.row)
            step = _Step(index, ((x0 + x1) / 2, (y0 + y1) / 2), color)
            paths.setdefault(track_id, deque()).append(step)
        for track_id, path in list(paths.items()):
            while path and index - path[0].number >= self.length:
                path.popleft()
            if not path:
                del paths[track_id]

    def _draw(self, picture: Image, path: Sequence[_Step], index: int) -> None:
        width = self.width or 3 * line_width(picture)
        points = np.array([step.point for step in path])
        low = np.maximum(np.floor(points.min(axis=0)).astype(int) - width - 1, 0)
        high = np.ceil(points.max(axis=0)).astype(int) + width + 2
        target = picture[low[1] : high[1], low[0] : high[0]]
        opacity = np.zeros(target.shape[:2], np.uint8)
        ends = [fixed_point((x - low[0] - 0.5, y - low[1] - 0.5)) for x, y in points]
        for step, start, end in zip(list(path)[1:], ends, ends[1:], strict=False):
            share = 1 - (index - step.number) / self.length
            thick = max(round(width * share), 1)
            cv2.line(opacity, start, end, round(255 * share), thick, cv2.LINE_AA, FRACTION_BITS)
        if path[-1].number == index:
            cv2.circle(
                opacity,
                ends[-1],
                width << FRACTION_BITS,
                255,
                cv2.FILLED,
                cv2.LINE_AA,
                FRACTION_BITS,
            )
        blend_into(target, solid(target.shape, path[-1].color), opacity)


def check_width(width: int | None) -> None:
    """Raises OptionError: not a width of a line."""
    if width is not None and not 1 <= width <= MAX_LINE_WIDTH_PIXELS:
        raise OptionError(f"width must lie in 1..{MAX_LINE_WIDTH_PIXELS} pixels, got {width}.")
