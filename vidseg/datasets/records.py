"""The contents of annotation files, independent of the format: numpy values only.

Coordinates are those of the upright photo. Its top left pixel covers 0..1 in x and in y, and a
pixel belongs to a shape that covers its centre. Tools that store fractions of pixels (COCO,
LabelMe, YOLO, Labelbox) use these coordinates. VIA and RectLabel round the mouse position to whole
numbers.
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
"""Class of shapes in files without classes."""


@dataclass(frozen=True, slots=True)
class Naming:
    """How to name the classes of shapes where the file leaves it open."""

    class_attribute: str | None = None
    """VIA's region attribute that holds the class; None: the only one."""
    class_name: str = NO_CLASS
    """Class of shapes without one."""
    crowds_as_objects: bool = False
    """Read COCO's crowds as single objects: CVAT marks every brush mask as a crowd."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that could not be used, and why."""

    file: str
    """The photo or the annotation file; readers leave it empty for a part of the photo at hand."""
    item: str
    """The part, such as "region 3"; empty for the whole file."""
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """One object as a file describes it, in pixels of the photo as the file describes that."""

    label: str
    geometry: tuple[Polygon, ...] | RLE
    """Polygons, whose union is the object, or its pixels."""
    item: str
    """Its name in messages, such as "region 3"."""
    crowd: bool = False
    """A region of many objects that are not annotated one by one (COCO's `iscrowd`)."""
    box: tuple[float, float, float, float] | None = None
    """xyxy, where the file states a box too."""
    area: float | None = None
    """Square pixels, where the file states it: COCO sorts objects into sizes by this number."""


@dataclass(frozen=True, slots=True, eq=False)
class Annotation:
    """One object, in pixels of the upright photo."""

    label: str
    rle: RLE
    """Its pixels, at least one; `vidseg.structures.masks.from_rle` gives them as (H, W) bool."""
    box: tuple[float, float, float, float]
    """xyxy, x1 > x0, y1 > y0, inside the photo: as the file states it, else around the pixels."""
    area: float
    """Square pixels: as the file states it, else counted."""
    crowd: bool
    polygons: tuple[Polygon, ...]
    """As annotated; empty where the file holds pixels."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The annotation file that describes a photo, if results refer to photos by ids in it."""

    file: Path
    image_id: int | str


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A photo with its objects."""

    path: Path
    """The photo, or the LabelMe file that it is embedded in."""
    size: tuple[int, int]
    """(height, width) of the upright photo."""
    objects: tuple[Annotation, ...]
    split: str | None = None
    """`train`, `val` or `test`; None if unknown."""
    origin: Origin | None = None
    by_name: bool = False
    """Whether the photo lies elsewhere than its file says, and was found by its bare name."""


class Reading(NamedTuple):
    """What the reader of a format returns."""

    found: Iterator[Sample | Skipped]
    classes: Mapping[str, int] = {}
    """Class name to number, in files that number their classes."""
    category_ids: Mapping[int | str, str] = {}
    """Category id in the file to class name, in files whose results refer to categories by ids."""


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """A whole dataset."""

    samples: tuple[Sample, ...]
    skipped: tuple[Skipped, ...]
    classes: dict[int, str] = field(default_factory=dict)
    """Number to class name, from 1; 0 is background."""
    formats: tuple[str, ...] = ()
    """The formats that were read."""
    category_ids: Mapping[Path, Mapping[int | str, str]] = field(default_factory=dict)
    """Annotation file to its category ids and their class names."""

    @property
    def splits(self) -> tuple[str, ...]:
        """The names of its splits."""
        return tuple(sorted({s.split for s in self.samples if s.split is not None}))
