"""What a format has to know besides the objects, and what several formats share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidseg.datasets.rasterize import rasterize
from vidseg.datasets.vectorize import outline
from vidseg.structures.frame import Instant
from vidseg.structures.instances import Instances
from vidseg.structures.masks import crop, from_rle

WriteInstances = Callable[[Instant, Instances], None]
"""Adds the next frame's objects; most formats need its index and time only, not its image."""

OUTLINE_TOLERANCE_SHARE = 1 / 80
"""Tolerance of an outline where none is asked for, of the side of a square as large as the object.

148 balloons of 36 to 200 pixels: 13 to 76 corners, 25 in the median, IoU with the mask 0.983 at
least; 1/90 takes 31 corners in the median.
"""
MIN_OUTLINE_TOLERANCE = 0.75
"""Pixels; with less than the half diagonal of one, an outline follows their stairs."""
MIN_OUTLINE_IOU = 0.98
"""An outline that was simplified further than this is made again with half the tolerance."""


@dataclass(frozen=True, slots=True)
class ExportContext:
    """The run that the objects come from."""

    class_names: Mapping[int, str]
    """Label to class name."""
    source_name: str = "video"
    """File name of the input."""
    frame_count: int | None = None
    """Frames in the input, if known; more than 100000 need longer file names."""
    photos: tuple[Path, ...] = ()
    """The photos, where the input is a folder of them."""
    tolerance: float | None = None
    """Pixels by which outlines may miss the edges of their masks; None suits each object's size."""

    def image_name(self, index: int) -> str:
        """File name of a frame's image: the photo's own name, or `00000.png` and so on."""
        if index < len(self.photos):
            return self.photos[index].name
        return f"{self.frame_name(index)}.png"

    def frame_name(self, index: int) -> str:
        """`00000` and so on."""
        return f"{index:0{max(5, len(str((self.frame_count or 1) - 1)))}d}"

    def class_name(self, label: int) -> str:
        """The class's name, or the label's number where it has none."""
        return self.class_names.get(label, str(label))


def polygon(
    instances: Instances, row: int, tolerance: float | None = None
) -> NDArray[np.float64] | None:
    """(P, 2) x, y corners of one line around all parts of an object; None where it has no pixel.

    `tolerance` is that of `ExportContext`.
    """
    rows, cols, mask = crop(instances, row)
    corners = _suitable_outline(mask) if tolerance is None else outline(mask, tolerance=tolerance)
    corner = np.array([cols.start, rows.start], np.float64)
    return corners + corner if len(corners) >= 3 else None


def _suitable_outline(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """As simple as the object's size allows; exact for one of a few pixels."""
    tolerance = OUTLINE_TOLERANCE_SHARE * float(np.sqrt(np.count_nonzero(mask)))
    tolerance = max(tolerance, MIN_OUTLINE_TOLERANCE)
    while tolerance >= MIN_OUTLINE_TOLERANCE / 2:
        corners = outline(mask, tolerance=tolerance)
        if len(corners) >= 3 and _fit(corners, mask) >= MIN_OUTLINE_IOU:
            return corners
        tolerance /= 2
    return outline(mask, tolerance=0)


def mask_box(instances: Instances, row: int) -> list[float] | None:
    """[x, y, width, height] of an object's pixels, as COCO's tools expect of the truth; None where
    it has none."""
    rows, cols, mask = crop(instances, row)
    if not mask.any():
        return None
    down, across = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    left, top = cols.start + across[0], rows.start + down[0]
    return [float(left), float(top), float(np.ptp(across) + 1), float(np.ptp(down) + 1)]


def shortest_decimal(value: np.float32) -> float:
    """The shortest decimal number that rounds to this float32 and no other."""
    return float(str(value))


def _fit(corners: NDArray[np.float64], mask: NDArray[np.bool_]) -> float:
    """IoU of the outline with its mask."""
    drawn = from_rle(rasterize([corners], mask.shape))
    return np.count_nonzero(drawn & mask) / max(np.count_nonzero(drawn | mask), 1)
