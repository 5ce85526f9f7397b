"""Datumaro: one JSON file per split, with polygons, masks and ellipses.

Annotations of one label and `group` are parts of one object. The photos are in `images/SPLIT/`
beside `annotations/SPLIT.json`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vidseg.datasets._grouping import joined
from vidseg.datasets._photo_finder import Located, PhotoFinder
from vidseg.datasets.annotation_files import (
    MALFORMED_ERRORS,
    checked_name,
    checked_size,
    read_json,
    reason,
)
from vidseg.datasets.rasterize import checked_rle, ellipse, polygon
from vidseg.datasets.records import Naming, Reading, Sample, Shape, Skipped
from vidseg.datasets.sample_builder import build_sample
from vidseg.errors import InputError

WITHOUT_AREA = {
    "bbox": "a box without a mask",
    **{kind: f"a {kind} has no area" for kind in ("label", "points", "polyline", "caption")},
}


def read(path: Path, naming: Naming) -> Reading:
    """Raises InputError: the file does not follow the format."""
    document = read_json(path)
    try:
        labels = document["categories"]["label"]["labels"]
        names = [checked_name(each["name"]) for each in labels]
        items = list(document["items"])
    except MALFORMED_ERRORS as error:
        raise InputError(f"{path} does not follow Datumaro's format: {reason(error)}.") from error
    classes = {name: number for number, name in enumerate(names, 1)}
    return Reading(_found(path, items, names), classes)


def _found(path: Path, items: list[Any], names: list[str]) -> Iterator[Sample | Skipped]:
    root = path.parent.parent
    folders = (path.parent, root / "images" / path.stem, root / "images", path.parent / "images")
    photos = PhotoFinder(path, *folders, names=[name for each in items for name in _names(each)])
    for number, each in enumerate(items):
        try:
            size = _size(each)
            parts = [_part(place, one, names) for place, one in enumerate(each["annotations"])]
        except MALFORMED_ERRORS as error:
            why = f"it does not follow Datumaro's format: {reason(error)}"
            yield Skipped(str(path), f"item {number}", why)
            continue
        tried = [photos.locate(name) for name in _names(each)] or [photos.locate(None)]
        photo = next((found for found in tried if isinstance(found, Located)), tried[0])
        yield from build_sample(photo, joined(parts, size), size=size)


def _image(item: Any) -> Mapping[str, Any]:
    image = item.get("image") or item.get("media") if isinstance(item, dict) else None
    return image if isinstance(image, dict) else {}


def _names(item: Any) -> list[str]:
    """Possible names of the photo: its path, else its id with a usual suffix."""
    name = _image(item).get("path")
    number = item.get("id") if isinstance(item, dict) else None
    guesses = [f"{number}{suffix}" for suffix in (".jpg", ".png", ".jpeg")] if number else []
    return [name] if isinstance(name, str) and name else guesses


def _size(item: Any) -> tuple[int, int] | None:
    size = _image(item).get("size")
    return checked_size(*size) if size else None


def _part(place: int, annotation: Any, names: list[str]) -> tuple[Any, Shape | Skipped]:
    group = annotation.get("group") if isinstance(annotation, dict) else None
    return str(group) if group else None, _drawn(place, annotation, names)


def _drawn(place: int, annotation: Any, names: list[str]) -> Shape | Skipped:
    item, kind = f"annotation {place}", "annotation"
    try:
        kind = str(annotation["type"])[:40]
        if kind in WITHOUT_AREA:
            return Skipped("", item, WITHOUT_AREA[kind])
        number = annotation["label_id"]
        if not 0 <= number < len(names):
            return Skipped("", item, f"its label {number} is not in the list of labels")
        label = names[number]
        if kind == "polygon":
            points = annotation["points"]
            pairs = list(zip(points[::2], points[1::2], strict=True))
            return Shape(label, (polygon(pairs),), item)
        if kind == "ellipse":
            x0, y0, x1, y1 = annotation["points"]
            center, radii = ((x0 + x1) / 2, (y0 + y1) / 2), ((x1 - x0) / 2, (y1 - y0) / 2)
            return Shape(label, (ellipse(center, radii),), item)
        if kind == "mask":
            rle = annotation["rle"]
            return Shape(label, checked_rle(rle["size"], rle["counts"]), item)
    except MALFORMED_ERRORS as error:
        return Skipped("", item, f"not a valid {kind}: {error}")
    return Skipped("", item, f"a {kind} is not read")
