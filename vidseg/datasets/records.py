"""What annotations say, whatever file they come from: numpy values only.

Coordinates lie in a plane where the photo's pixel (row 0, column 0) covers 0..1 both ways, the
photo standing upright, and a pixel belongs to a shape that covers its centre. The tools that store
fractions of pixels (COCO, LabelMe, YOLO, Labelbox) mean this plane. VIA and RectLabel round the
mouse position to whole numbers of it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vidseg.structures.masks import RLE

Polygon = NDArray[np.float64]
"""(P, 2) corners, x before y."""
NO_CLASS = "object"
"""Class of shapes in files that name none."""


@dataclass(frozen=True, slots=True)
class Naming:
    """Which classes the shapes of a file get, where the file leaves it open."""

    class_attribute: str | None = None
    """VIA's region attribute that holds the class; None: the only one there is."""
    class_name: str = NO_CLASS
    """Class of the shapes that have none."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that could not be used."""

    file: str
    """The photo or the annotation file; a reader leaves it empty for a part of its photo."""
    item: str
    """The part of it, such as "region 3"; empty for the whole file."""
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """A shape as a file has it, in the pixels of the photo that the file describes."""

    label: str
    shape: tuple[Polygon, ...] | RLE
    """Polygons, which together are the object, or its pixels."""
    item: str
    """What to call it to a person, such as "region 3"."""
    crowd: bool = False
    """A region full of objects that were not told apart (COCO's `iscrowd`)."""
    box: tuple[float, float, float, float] | None = None
    """xyxy, where the file states one beside the shape."""
    area: float | None = None
    """Square pixels, where the file states it: COCO sorts objects by this number."""


@dataclass(frozen=True, slots=True, eq=False)
class Annotation:
    """One object of a photo, in the pixels of the upright photo."""

    label: str
    rle: RLE
    """Its pixels, at least one; `vidseg.structures.masks.from_rle` gives them as (H, W) bool."""
    box: tuple[float, float, float, float]
    """xyxy, x1 > x0 and y1 > y0, inside the photo: around the pixels, or as the file states it."""
    area: float
    """Square pixels: counted, or as the file states it."""
    crowd: bool
    polygons: tuple[Polygon, ...]
    """As drawn; empty where the file holds pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A photo with its objects."""

    path: Path
    size: tuple[int, int]
    """(height, width) of the upright photo."""
    objects: tuple[Annotation, ...]
    split: str | None = None
    """`train`, `val` or `test`; None where nothing says so."""


class Reading(NamedTuple):
    """What a reader gives."""

    found: Iterator[Sample | Skipped]
    classes: Mapping[str, int] = {}
    """Class to number, in files that number their classes."""


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """A whole dataset."""

    samples: tuple[Sample, ...]
    skipped: tuple[Skipped, ...]
    classes: dict[int, str] = field(default_factory=dict)
    """Number to class, from 1; 0 is background."""
    formats: tuple[str, ...] = ()
    """Names of the formats that were read."""

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that there are."""
        return tuple(sorted({s.split for s in self.samples if s.split is not None}))
