"""Effects that hide the objects: blurred, pixelated or filled, with what is around them.

They err on the safe side: masks are grown by `dilate`, and an object that is missed stays hidden
where it was for `hold` frames more (`vidseg.effects._track_hold`; for tracked objects in a run, see
`vidseg.effects.effect`). What is never found cannot be hidden: a low `--score`, such as 0.2, shows
more objects and hides more. Nothing of the detail comes through: pixels are averages, and blur
is made from a picture as coarse.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.effects._alpha_masks import blend_into, grown_cover
from vidseg.effects._blending import enlarged, plain, shrunk
from vidseg.effects._track_hold import Hold
from vidseg.effects.background import check_share
from vidseg.effects.effect import Draw
from vidseg.errors import OptionError
from vidseg.structures.colors import BLACK, Color
from vidseg.structures.frame import Image
from vidseg.structures.instances import Instances, check_fits
from vidseg.structures.masks import Crop

LEAST = 2
"""Pixels that every mask is grown by, unless by none."""
FINEST_CELL = 8
"""Pixels: smaller cells would show small objects as they are."""
BLUR_DETAIL = 2
"""Least standard deviation of a blur in pixels of the coarse picture that it is made from."""
FINEST_BLUR = 4.0
"""Pixels: the least standard deviation of a blur that hides something."""


@dataclass(frozen=True, slots=True)
class _Hiding:
    """What the effects here have in common."""

    dilate: float = 0.05
    """How far beyond its mask an object is hidden, as a share of its box's longer side: 0 to 1."""
    hold: int = 15
    """Frames that an object stays hidden for after it was last seen."""

    def __post_init__(self) -> None:
        check_share("dilate", self.dilate)
        if self.hold < 0:
            raise OptionError(f"hold must be 0 or more frames, got {self.hold}.")

    def __call__(self, image: Image, instances: Instances) -> Image:
        """A new (H, W, 3) uint8 RGB picture; `image` stays as it is."""
        check_fits(instances, image)
        picture = np.array(image, order="C")
        for row in range(len(instances)):
            side = longer_side(instances, row)
            radius = max(ceil(self.dilate * side), LEAST) if self.dilate else 0
            part = grown_cover(instances, row, radius, self.fade(radius))
            if part.mask.any():
                self.hide(picture, part, side)
        return picture

    @contextmanager
    def begin(self) -> Iterator[Draw]:
        """Holds what is missed; see `vidseg.effects.effect`."""
        held = Hold(self.hold)
        yield lambda frame, instances: self(frame.image, held.update(frame, instances))

    def fade(self, radius: int) -> int:
        """Pixels beyond the radius over which the effect fades out."""
        return 1

    def hide(self, picture: Image, part: Crop, side: float) -> None:
        """Make the covered part of `picture`, of an object `side` pixels long, unrecognisable."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Fill(_Hiding):
    """Fills the objects with one colour."""

    color: Color = BLACK

    def hide(self, picture: Image, part: Crop, side: float) -> None:
        target = picture[part.rows, part.cols]
        blend_into(target, plain(target.shape, self.color), part.mask)


@dataclass(frozen=True, slots=True)
class Blur(_Hiding):
    """Blurs the objects so far that nobody is known."""

    strength: float = 0.08
    """Standard deviation as a share of the longer side of the object's box, 0.02 to 1."""

    def __post_init__(self) -> None:
        super(Blur, self).__post_init__()
        if not 0.02 <= self.strength <= 1:
            raise OptionError(f"strength must lie in 0.02..1, got {self.strength:g}.")

    def fade(self, radius: int) -> int:
        return radius

    def hide(self, picture: Image, part: Crop, side: float) -> None:
        sigma = max(self.strength * side, FINEST_BLUR)
        target = picture[part.rows, part.cols]
        blend_into(target, coarse_blur(target, sigma), part.mask)


@dataclass(frozen=True, slots=True)
class Pixelate(_Hiding):
    """Lays a mosaic over the objects; its grid stands still on the frame."""

    cells: int = 12
    """At most so many cells along the longer side of the object's box, 1 to 50."""

    def __post_init__(self) -> None:
        super(Pixelate, self).__post_init__()
        if not 1 <= self.cells <= 50:
            raise OptionError(f"cells must lie in 1..50, got {self.cells}.")

    def hide(self, picture: Image, part: Crop, side: float) -> None:
        cell = cell_size(side / self.cells)
        rows, cols = _on_grid(part.rows, cell), _on_grid(part.cols, cell)
        target = picture[rows, cols]
        height, width = target.shape[:2]
        covered = np.zeros((height, width), np.uint8)
        top, left = part.rows.start - rows.start, part.cols.start - cols.start
        covered[top : top + part.mask.shape[0], left : left + part.mask.shape[1]] = part.mask
        size, steps = (height, width), cv2.INTER_NEAREST
        mosaic = enlarged(shrunk(target, cell), cell, size, method=steps)
        touched = enlarged(_any_of_cell(covered, cell), cell, size, method=steps)
        cv2.copyTo(mosaic, touched, target)


def longer_side(instances: Instances, row: int) -> float:
    """Pixels, of the object's box."""
    x0, y0, x1, y1 = instances.boxes[row]
    return float(max(x1 - x0, y1 - y0))


def cell_size(least: float) -> int:
    """The next of 8, 11, 16, 23, 32, ... pixels: a size that seldom changes while objects do."""
    steps = ceil(2 * np.log2(max(least, FINEST_CELL) / FINEST_CELL) - 1e-9)
    return round(FINEST_CELL * 2 ** (steps / 2))


def coarse_blur(part: Image, sigma: float) -> Image:
    """The picture blurred, from one in which sigma is `BLUR_DETAIL` pixels."""
    factor = max(int(sigma / BLUR_DETAIL), 1)
    coarse = shrunk(part, factor)
    coarse = cv2.GaussianBlur(coarse, (0, 0), sigma / factor, borderType=cv2.BORDER_REPLICATE)
    return enlarged(coarse, factor, (part.shape[0], part.shape[1]))


def _on_grid(pixels: slice, cell: int) -> slice:
    """The pixels of all cells that the given ones lie in; the frame may end before the last."""
    return slice(pixels.start // cell * cell, -(-pixels.stop // cell) * cell)


def _any_of_cell(mask: NDArray[np.uint8], cell: int) -> NDArray[np.uint8]:
    """(rows, columns) of cells: the largest value of the pixels in each."""
    height, width = mask.shape
    mask = np.pad(mask, ((0, -height % cell), (0, -width % cell)))
    rows = mask.reshape(-1, cell, mask.shape[1]).max(axis=1)
    return rows.reshape(len(rows), -1, cell).max(axis=2)
