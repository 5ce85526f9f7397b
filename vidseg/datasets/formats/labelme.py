"""LabelMe: one JSON file per photo. Shapes of one class and `group_id` are parts of one object.

polygon, rectangle, oriented_rectangle or rotation (a turned one), circle (centre and a point on it)
and mask (an image inside a box) have an area. LabelMe shows photos upright and stores fractions of
pixels. A photo that is missing as a file is read from `imageData`.
"""

import base64
import io
from collections.abc import Callable, Iterator
from math import dist
from pathlib import Path
from typing import Any

import numpy as np

from vidseg.datasets._grouping import joined
from vidseg.datasets._photo_finder import Located, PhotoFinder
from vidseg.datasets.annotation_files import (
    MALFORMED_ERRORS,
    checked_name,
    checked_size,
    read_json,
    reason,
)
from vidseg.datasets.rasterize import ellipse, polygon, rectangle
from vidseg.datasets.records import Naming, Polygon, Reading, Sample, Shape, Skipped
from vidseg.datasets.sample_builder import build_sample
from vidseg.errors import InputError
from vidseg.structures.masks import to_rle
from vidseg.video.decoding.image_reader import PHOTO_ERRORS, open_stored

NON_CLASSES = ("__ignore__", "_background_")
"""Labels of LabelMe's own class lists that are not classes."""


def read(path: Path, naming: Naming) -> Reading:
    """`path` is one file or a folder of them."""
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    return Reading(found for file in files for found in _file(file))


def _file(path: Path) -> Iterator[Sample | Skipped]:
    try:
        document = read_json(path)
        size = checked_size(document.get("imageHeight"), document.get("imageWidth"))
        drawn = _objects(document["shapes"], size)
        photo = _photo(path, document)
    except KeyError as error:
        yield Skipped(str(path), "", f"it does not follow LabelMe's format: {error} is missing")
        return
    except MALFORMED_ERRORS as error:
        yield Skipped(str(path), "", f"it does not follow LabelMe's format: {reason(error)}")
        return
    except InputError as error:
        yield Skipped(str(path), "", str(error))
        return
    yield from build_sample(photo, drawn, size=size)


def _photo(path: Path, document: dict[str, Any]) -> Located | Skipped:
    found = PhotoFinder(path, path.parent).locate(document["imagePath"])
    embedded = isinstance(document.get("imageData"), str) and document["imageData"]
    return Located(path) if embedded and isinstance(found, Skipped) else found


def _objects(shapes: list[Any], size: tuple[int, int] | None) -> list[Shape | Skipped]:
    """One object per group; parts that cannot be used are listed one by one."""
    parts = []
    for number, shape in enumerate(shapes):
        group = shape.get("group_id") if isinstance(shape, dict) else None
        parts.append((None if group is None else str(group), _drawn(number, shape, size)))
    return joined(parts, size)


def _drawn(number: int, shape: Any, size: tuple[int, int] | None) -> Shape | Skipped:
    item, kind = f"shape {number}", "shape"
    try:
        kind = str(shape.get("shape_type") or "polygon")[:40]
        label = checked_name(shape["label"])
        if label in NON_CLASSES:
            return Skipped("", item, f"{label} is not a class")
        if kind == "mask":
            if size is None:
                return Skipped("", item, "a mask in a file without imageHeight and imageWidth")
            return Shape(label, to_rle(_mask(shape, size)), item)
        if kind not in OUTLINE_READERS:
            return Skipped("", item, f"a {kind} has no area")
        return Shape(label, (OUTLINE_READERS[kind](shape["points"]),), item)
    except KeyError as error:
        return Skipped("", item, f"the {kind} has no {error}")
    except (*MALFORMED_ERRORS, *PHOTO_ERRORS) as error:
        return Skipped("", item, f"not a valid {kind}: {error}")


def _mask(shape: Any, size: tuple[int, int]) -> np.ndarray:
    """The mask image, placed with its top left corner at the first point, in a photo of `size`."""
    with open_stored(io.BytesIO(base64.b64decode(shape["mask"]))) as picture:
        little = np.asarray(picture.convert("L")) > 0
    left, top = (int(value) for value in shape["points"][0])
    full = np.zeros(size, bool)
    rows = slice(max(top, 0), min(top + little.shape[0], size[0]))
    cols = slice(max(left, 0), min(left + little.shape[1], size[1]))
    full[rows, cols] = little[
        rows.start - top : rows.stop - top, cols.start - left : cols.stop - left
    ]
    return full


def _rectangle(points: Any) -> Polygon:
    (x0, y0), (x1, y1) = points
    return rectangle(x0, y0, x1, y1)


def _circle(points: Any) -> Polygon:
    center, edge = points
    radius = dist(center, edge)
    return ellipse((center[0], center[1]), (radius, radius))


OUTLINE_READERS: dict[str, Callable[[Any], Polygon]] = {
    "polygon": polygon,
    "oriented_rectangle": polygon,
    "rotation": polygon,  # of X-AnyLabeling
    "rectangle": _rectangle,
    "circle": _circle,
}
