"""Effects that hide the objects and a margin around them: blur, pixelate, fill.

They fail safe: masks are dilated, and a tracked object that is lost stays hidden for `hold` frames
(`vidseg.effects._track_hold`; in a run only, see `vidseg.effects.effect`). An object that is never
detected cannot be hidden: a low `--score`, such as 0.2, hides more. No detail survives: mosaic
cells are means, and a blur is computed from an equally coarse picture.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.effects._alpha_masks import blend_into, dilated_alpha
from vidseg.effects._blending import downscaled, solid, upscaled
from vidseg.effects._track_hold import TrackHold
from vidseg.effects.background import check_share
from vidseg.effects.effect import Draw
from vidseg.errors import OptionError
from vidseg.structures.colors import BLACK, Color
from vidseg.structures.frame import Image
from vidseg.structures.instances import Instances, check_fits
from vidseg.structures.masks import Crop

MIN_DILATION_PIXELS = 2
"""Pixels that every mask is dilated by at least, unless `dilate` is 0."""
MIN_CELL_PIXELS = 8
"""Smaller mosaic cells, in pixels, would show small objects as they are."""
MIN_COARSE_SIGMA = 2
"""Least standard deviation of a blur, in pixels of the coarse picture it is computed from."""
MIN_BLUR_SIGMA = 4.0
"""Least standard deviation of a blur, in pixels of the frame, that hides anything."""


@dataclass(frozen=True, slots=True)
class Hiding:
    """The common part of the effects that hide objects."""

    dilate: float = 0.05
    """Margin around the mask, as a share of the longer side of the object's box: 0 to 1."""
    hold: int = 15
    """Frames that a lost object stays hidden."""

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
            radius = max(ceil(self.dilate * side), MIN_DILATION_PIXELS) if self.dilate else 0
            part = dilated_alpha(instances, row, radius, self.fade(radius))
            if part.mask.any():
                self.hide(picture, part, side)
        return picture

    @contextmanager
    def begin(self) -> Iterator[Draw]:
        """Holds lost objects; see `vidseg.effects.effect`."""
        held = TrackHold(self.hold)
        yield lambda frame, instances: self(frame.image, held.update(frame, instances))

    def fade(self, radius: int) -> int:
        """Pixels beyond the radius over which the effect fades out."""
        return 1

    def hide(self, picture: Image, part: Crop, side: float) -> None:
        """Make the masked part of `picture` unrecognisable; the object is `side` pixels long."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Fill(Hiding):
    """Fills the objects with one colour."""

    color: Color = BLACK

    def hide(self, picture: Image, part: Crop, side: float) -> None:
        target = picture[part.rows, part.cols]
        blend_into(target, solid(target.shape, self.color), part.mask)


@dataclass(frozen=True, slots=True)
class Blur(Hiding):
    """Blurs the objects until nobody can be recognised."""

    strength: float = 0.08
    """Standard deviation as a share of the longer side of the object's box, 0.02 to 1."""

    def __post_init__(self) -> None:
        super(Blur, self).__post_init__()
        if not 0.02 <= self.strength <= 1:
            raise OptionError(f"strength must lie in 0.02..1, got {self.strength:g}.")

    def fade(self, radius: int) -> int:
        return radius

    def hide(self, picture: Image, part: Crop, side: float) -> None:
        sigma = max(self.strength * side, MIN_BLUR_SIGMA)
        target = picture[part.rows, part.cols]
        blend_into(target, coarse_blur(target, sigma), part.mask)


@dataclass(frozen=True, slots=True)
class Pixelate(Hiding):
    """Covers the objects with a mosaic whose grid is fixed to the frame."""

    cells: int = 12
    """Most mosaic cells along the longer side of the object's box, 1 to 50."""

    def __post_init__(self) -> None:
        super(Pixelate, self).__post_init__()
        if not 1 <= self.cells <= 50:
            raise OptionError(f"cells must lie in 1..50, got {self.cells}.")

    def hide(self, picture: Image, part: Crop, side: float) -> None:
        cell = mosaic_cell(side / self.cells)
        rows, cols = _on_grid(part.rows, cell), _on_grid(part.cols, cell)
        target = picture[rows, cols]
        height, width = target.shape[:2]
        covered = np.zeros((height, width), np.uint8)
        top, left = part.rows.start - rows.start, part.cols.start - cols.start
        covered[top : top + part.mask.shape[0], left : left + part.mask.shape[1]] = part.mask
        size, steps = (height, width), cv2.INTER_NEAREST
        mosaic = upscaled(downscaled(target, cell), cell, size, method=steps)
        touched = upscaled(_any_of_cell(covered, cell), cell, size, method=steps)
        cv2.copyTo(mosaic, touched, target)


def longer_side(instances: Instances, row: int) -> float:
    """Longer side of the object's box, in pixels."""
    x0, y0, x1, y1 = instances.boxes[row]
    return float(max(x1 - x0, y1 - y0))


def mosaic_cell(least: float) -> int:
    """The next of 8, 11, 16, 23, 32, ... pixels: steps, so that the size seldom changes."""
    steps = ceil(2 * np.log2(max(least, MIN_CELL_PIXELS) / MIN_CELL_PIXELS) - 1e-9)
    return round(MIN_CELL_PIXELS * 2 ** (steps / 2))


def coarse_blur(part: Image, sigma: float) -> Image:
    """The picture blurred, computed from a downscaled one in which sigma is `MIN_COARSE_SIGMA`."""
    factor = max(int(sigma / MIN_COARSE_SIGMA), 1)
    coarse = downscaled(part, factor)
    coarse = cv2.GaussianBlur(coarse, (0, 0), sigma / factor, borderType=cv2.BORDER_REPLICATE)
    return upscaled(coarse, factor, (part.shape[0], part.shape[1]))


def _on_grid(pixels: slice, cell: int) -> slice:
    """The pixels of all cells that contain the given ones; may end beyond the frame."""
    return slice(pixels.start // cell * cell, -(-pixels.stop // cell) * cell)


def _any_of_cell(mask: NDArray[np.uint8], cell: int) -> NDArray[np.uint8]:
    """(rows, columns) the largest value in each cell."""
    height, width = mask.shape
    mask = np.pad(mask, ((0, -height % cell), (0, -width % cell)))
    rows = mask.reshape(-1, cell, mask.shape[1]).max(axis=1)
    return rows.reshape(len(rows), -1, cell).max(axis=2)
