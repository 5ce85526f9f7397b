"""What a format has to know besides the objects, and what several formats share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidseg.datasets.vectorize import outline
from vidseg.structures.frame import Instant
from vidseg.structures.instances import Instances
from vidseg.structures.masks import crop

WriteInstances = Callable[[Instant, Instances], None]
"""Adds the next frame's objects; most formats need its index and time only, not its image."""

OUTLINE_TOLERANCE_PIXELS = 0.5
"""How far an outline may be from the edge of its mask."""


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


def polygon(instances: Instances, row: int) -> NDArray[np.float64] | None:
    """(P, 2) x, y corners of one line around all parts of an object; None where it has no pixel."""
    rows, cols, mask = crop(instances, row)
    corners = outline(mask, tolerance=OUTLINE_TOLERANCE_PIXELS)
    corner = np.array([cols.start, rows.start], np.float64)
    return corners + corner if len(corners) >= 3 else None


def shortest_decimal(value: np.float32) -> float:
    """The shortest decimal number that rounds to this float32 and no other."""
    return float(str(value))
