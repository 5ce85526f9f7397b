"""Label Studio's JSON and JSON-MIN exports: polygons, ellipses and brush masks.

Coordinates are percent of the photo. If there are several annotations of a photo, the first that
was not cancelled counts. Its COCO and YOLO exports go through those readers.
"""

from collections.abc import Iterator, Mapping
from math import radians
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vidseg.datasets._photo_finder import PhotoFinder
from vidseg.datasets.annotation_files import (
    MALFORMED_ERRORS,
    checked_name,
    checked_size,
    read_json_value,
    reason,
)
from vidseg.datasets.rasterize import ellipse, polygon
from vidseg.datasets.records import Naming, Polygon, Reading, Sample, Shape, Skipped
from vidseg.datasets.sample_builder import build_sample
from vidseg.structures.masks import RLE, to_rle

FIELDS_BY_SHAPE = {
    "polygonlabels": "polygon",
    "ellipselabels": "ellipse",
    "brushlabels": "mask",
    "rectanglelabels": "box",
    "keypointlabels": "point",
}
"""The field that holds the class, and the kind of shape."""


class Task(NamedTuple):
    """One photo with its shapes."""

    photo: str
    shapes: list[Any]
    """`value` of each shape, with `original_height` and `original_width`."""


def read(path: Path, naming: Naming) -> Reading:
    """Raises InputError: the file does not follow the format."""
    document = read_json_value(path)
    tasks = document if isinstance(document, list) else [document]
    return Reading(_found(path, tasks))


def _found(path: Path, documents: list[Any]) -> Iterator[Sample | Skipped]:
    tasks: list[Task | Skipped] = []
    for number, each in enumerate(documents):
        try:
            tasks.append(_task(each))
        except MALFORMED_ERRORS as error:
            why = f"it does not follow Label Studio's format: {reason(error)}"
            tasks.append(Skipped(str(path), f"task {number}", why))
    names = [task.photo for task in tasks if isinstance(task, Task)]
    photos = PhotoFinder(path, path.parent, path.parent / "images", names=names)
    for task in tasks:
        if isinstance(task, Skipped):
            yield task
            continue
        drawn = [_drawn(f"shape {place}", shape) for place, shape in enumerate(task.shapes)]
        found = photos.locate(task.photo)
        if isinstance(found, Skipped):  # an upload gets eight digits of a hash before its name
            found = photos.locate(Path(task.photo).name.partition("-")[2] or task.photo)
        yield from build_sample(found, drawn, size=_size(task.shapes))


def _task(document: Any) -> Task:
    if "data" in document:
        return Task(_photo(document["data"]), _results(document))
    lists = (value for value in document.values() if isinstance(value, list))
    shapes = [each for listed in lists for each in listed if isinstance(each, dict)]
    return Task(_photo(document), [{**each, "value": each} for each in shapes])


def _photo(data: Mapping[str, Any]) -> str:
    """The photo's name: of `image`, else of the only text that looks like a path."""
    texts = [value for value in data.values() if isinstance(value, str) and "." in value]
    name = data.get("image") or data.get("img") or (texts[0] if len(texts) == 1 else None)
    return checked_name(name).rpartition("?d=")[2]


def _results(document: Mapping[str, Any]) -> list[Any]:
    annotations = document.get("annotations") or document.get("completions") or []
    kept = [each for each in annotations if not each.get("was_cancelled")]
    return list(kept[0]["result"]) if kept else []


def _size(shapes: list[Any]) -> tuple[int, int] | None:
    """What the shapes state; None if they state nothing that can be used."""
    for shape in shapes:
        try:
            return checked_size(shape["original_height"], shape["original_width"])
        except MALFORMED_ERRORS:
            continue
    return None


def _drawn(item: str, shape: Any) -> Shape | Skipped:
    kind = "shape"
    try:
        value = shape["value"]
        field = next((name for name in FIELDS_BY_SHAPE if name in value), None)
        if field is None:
            return Skipped("", item, "it has no class, or no area")
        kind = FIELDS_BY_SHAPE[field]
        if kind in ("box", "point"):
            return Skipped(
                "", item, "a box without a mask" if kind == "box" else "a point has no area"
            )
        label = checked_name(value[field][0])
        size = checked_size(shape["original_height"], shape["original_width"])
        if size is None:
            return Skipped("", item, "it states no size of its photo")
        geometry = _mask(value, size) if kind == "mask" else (OUTLINE_READERS[kind](value, size),)
        return Shape(label, geometry, item)
    except MALFORMED_ERRORS as error:
        return Skipped("", item, f"not a valid {kind}: {error}")


def _polygon(value: Mapping[str, Any], size: tuple[int, int]) -> Polygon:
    return polygon(value["points"]) * (size[1] / 100, size[0] / 100)


def _ellipse(value: Mapping[str, Any], size: tuple[int, int]) -> Polygon:
    height, width = size[0] / 100, size[1] / 100
    center = float(value["x"]) * width, float(value["y"]) * height
    radii = float(value["radiusX"]) * width, float(value["radiusY"]) * height
    return ellipse(center, radii, radians(float(value.get("rotation") or 0)))


OUTLINE_READERS = {"polygon": _polygon, "ellipse": _ellipse}


def _mask(value: Mapping[str, Any], size: tuple[int, int]) -> RLE:
    if value.get("format") != "rle":
        raise ValueError(f"a mask of the format {str(value.get('format'))[:20]}")
    levels = decode_brush(value["rle"], size)
    return to_rle(levels >= 128)


def decode_brush(packed: Any, size: tuple[int, int]) -> np.ndarray:
    """(H, W) uint8 from the alpha channel of Label Studio's brush masks; ValueError if broken.

    Bits: the number of bytes (32), the bits of a byte less one (5), four times the bits of a run
    length less one (4); then runs: whether one byte is repeated (1), which of the four lengths (2),
    the run length less one, and the byte or bytes (github.com/thi-ng/umbrella, rle-pack).
    """
    bits = np.unpackbits(np.array(packed, np.uint8))
    place = 0

    def number(count: int) -> int:
        nonlocal place
        place += count
        if place > len(bits):
            raise ValueError("it breaks off")
        return int("".join(map(str, bits[place - count : place])), 2)

    total, word = number(32), number(5) + 1
    lengths = [number(4) + 1 for _ in range(4)]
    if total != size[0] * size[1] * 4 or word != 8:
        raise ValueError("its length does not fit the photo")
    values = np.zeros(total, np.uint8)
    done = 0
    while done < total:
        repeated = number(1)
        run = number(lengths[number(2)]) + 1
        if done + run > total:
            raise ValueError("it is longer than the photo")
        if repeated:
            values[done : done + run] = number(8)
        else:
            if place + 8 * run > len(bits):
                raise ValueError("it breaks off")
            values[done : done + run] = np.packbits(bits[place : place + 8 * run])
            place += 8 * run
        done += run
    return values.reshape(*size, 4)[..., 3]
