"""What a format has to know besides the objects, and the parts that several formats share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidseg.datasets.vectorize import outline
from vidseg.structures.frame import Instant
from vidseg.structures.instances import Instances
from vidseg.structures.masks import crop

Write = Callable[[Instant, Instances], None]
"""Adds the next frame with its objects; a `Frame` will do where a moment is meant."""

TOLERANCE = 0.5
"""Pixels by which a polygon may be off the edge of its mask."""


@dataclass(frozen=True, slots=True)
class About:
    """The run that objects come from."""

    names: Mapping[int, str]
    """Label to class name."""
    video: str = "video"
    """Name of the input."""
    frames: int | None = None
    """How many frames the input has, if known: more than 100000 take longer file names."""
    photos: tuple[Path, ...] = ()
    """The photos, where the input is a folder of them."""

    def picture(self, index: int) -> str:
        """File name of a frame's picture: the photo's own, or `00000.png` and so on."""
        return self.photos[index].name if index < len(self.photos) else f"{self.stem(index)}.png"

    def stem(self, index: int) -> str:
        """`00000` and so on."""
        return f"{index:0{max(5, len(str((self.frames or 1) - 1)))}d}"

    def name(self, label: int) -> str:
        return self.names.get(label, str(label))


def polygon(instances: Instances, row: int) -> NDArray[np.float64] | None:
    """(P, 2) x, y corners of one line around all parts of an object; None where it has no pixel."""
    rows, cols, mask = crop(instances, row)
    corners = outline(mask, tolerance=TOLERANCE)
    corner = np.array([cols.start, rows.start], np.float64)
    return corners + corner if len(corners) >= 3 else None


def shortest(value: np.float32) -> float:
    """The shortest decimal number that is this float32 and no other."""
    return float(str(value))
