"""LabelMe: one JSON file per photo. Shapes of one class and `group_id` are parts of one object.

polygon, rectangle, oriented_rectangle, circle (centre and a point on it) and mask (an image inside
a box) have an area. LabelMe shows photos upright and stores fractions of pixels.
"""

import base64
import io
from collections.abc import Callable, Iterator
from itertools import chain, count
from math import dist
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pictures

from vidseg.datasets.annotation_files import MALFORMED, checked_name, read_json
from vidseg.datasets.rasterize import ellipse, polygon, rasterize, rectangle
from vidseg.datasets.records import Naming, Polygon, Reading, Sample, Shape, Skipped
from vidseg.datasets.sample_builder import PhotoFinder, build_sample
from vidseg.errors import InputError
from vidseg.structures.masks import from_rle, to_rle
from vidseg.video.decoding.image_reader import PHOTO_ERRORS


def read(path: Path, naming: Naming) -> Reading:
    """`path` is one file or a folder of them."""
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    return Reading(found for file in files for found in _file(file))


def _file(path: Path) -> Iterator[Sample | Skipped]:
    try:
        document = read_json(path)
    except InputError as error:
        yield Skipped(str(path), "", str(error))
        return
    if "shapes" not in document or "imagePath" not in document:
        yield Skipped(
            str(path), "", "it does not follow LabelMe's format: shapes or imagePath is missing"
        )
        return
    size = _size(document)
    photo = PhotoFinder(path, path.parent).locate(document["imagePath"])
    yield from build_sample(photo, _objects(document["shapes"], size), size=size)


def _size(document: dict[str, Any]) -> tuple[int, int] | None:
    height, width = document.get("imageHeight"), document.get("imageWidth")
    return (int(height), int(width)) if height and width else None


def _objects(shapes: list[Any], size: tuple[int, int] | None) -> list[Shape | Skipped]:
    """One object per group; parts that cannot be used are listed one by one."""
    found: list[Shape | Skipped] = []
    groups: dict[Any, list[Shape]] = {}
    alone = count()
    for number, shape in enumerate(shapes):
        part = _drawn(number, shape, size)
        if isinstance(part, Skipped):
            found.append(part)
            continue
        group = shape.get("group_id")
        key = ("alone", next(alone)) if group is None else (part.label, str(group))
        groups.setdefault(key, []).append(part)
    return found + [_merge(parts, size) for parts in groups.values()]


def _merge(parts: list[Shape], size: tuple[int, int] | None) -> Shape:
    if len(parts) == 1:
        return parts[0]
    item = ", ".join(part.item for part in parts)
    polygons = [part.geometry for part in parts if isinstance(part.geometry, tuple)]
    if len(polygons) == len(parts):
        return Shape(parts[0].label, tuple(chain.from_iterable(polygons)), item)
    assert size is not None  # `_drawn` skips masks without it
    masks = [
        from_rle(
            rasterize(part.geometry, size) if isinstance(part.geometry, tuple) else part.geometry
        )
        for part in parts
    ]
    return Shape(parts[0].label, to_rle(np.logical_or.reduce(masks)), item)


def _drawn(number: int, shape: Any, size: tuple[int, int] | None) -> Shape | Skipped:
    item, kind = f"shape {number}", "shape"
    try:
        kind = str(shape.get("shape_type") or "polygon")
        label = checked_name(shape["label"])
        if kind == "mask":
            if size is None:
                return Skipped("", item, "a mask in a file without imageHeight and imageWidth")
            return Shape(label, to_rle(_mask(shape, size)), item)
        if kind not in OUTLINES:
            return Skipped("", item, f"a {kind} has no area")
        return Shape(label, (OUTLINES[kind](shape["points"]),), item)
    except KeyError as error:
        return Skipped("", item, f"the {kind} has no {error}")
    except (*MALFORMED, *PHOTO_ERRORS) as error:
        return Skipped("", item, f"not a valid {kind}: {error}")


def _mask(shape: Any, size: tuple[int, int]) -> np.ndarray:
    """The mask image, placed with its top left corner at the first point, in a photo of `size`."""
    with Pictures.open(io.BytesIO(base64.b64decode(shape["mask"]))) as picture:
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


OUTLINES: dict[str, Callable[[Any], Polygon]] = {
    "polygon": polygon,
    "oriented_rectangle": polygon,
    "rectangle": _rectangle,
    "circle": _circle,
}
