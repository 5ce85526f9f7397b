"""Labelbox's export (v2, NDJSON: one photo per line): polygons.

Masks that Labelbox keeps on its server are skipped. If several people labelled a photo, the first
label counts.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vidseg.datasets._photo_finder import Located, PhotoFinder
from vidseg.datasets.annotation_files import (
    MALFORMED_ERRORS,
    checked_name,
    checked_size,
    parse_json,
    read_text,
    reason,
)
from vidseg.datasets.rasterize import polygon
from vidseg.datasets.records import Naming, Reading, Sample, Shape, Skipped
from vidseg.datasets.sample_builder import build_sample

UNSUPPORTED_KINDS = {
    "ImageBoundingBox": "a box without a mask",
    "ImageSegmentationMask": "a mask that is kept on Labelbox's server",
}


def read(path: Path, naming: Naming) -> Reading:
    return Reading(_found(path))


def _found(path: Path) -> Iterator[Sample | Skipped]:
    photos = PhotoFinder(path, path.parent, path.parent / "images")
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = parse_json(line)
            names, size = _names(row["data_row"]), _size(row.get("media_attributes") or {})
            drawn = list(_objects(row.get("projects") or {}))
        except MALFORMED_ERRORS as error:
            yield Skipped(
                str(path),
                f"line {number}",
                f"the row does not follow Labelbox's format: {reason(error)}",
            )
            continue
        yield from build_sample(_photo(photos, names), drawn, size=size)


def _photo(photos: PhotoFinder, names: list[str]) -> Located | Skipped:
    tried = [photos.locate(name) for name in names]
    there = [photo for photo in tried if isinstance(photo, Located)]
    return there[0] if there else tried[0]


def _names(row: Any) -> list[str]:
    """Possible names of the photo's file, the most likely first."""
    fields = (row.get("external_id"), row.get("global_key"), row.get("row_data"))
    return [str(field) for field in fields if field] or [""]


def _size(media: Any) -> tuple[int, int] | None:
    height, width = media.get("height"), media.get("width")
    return checked_size(height, width)


def _objects(projects: Any) -> Iterator[Shape | Skipped]:
    labels = [label for project in projects.values() for label in project.get("labels", [])]
    for label in labels[1:]:
        yield Skipped("", f"label {label.get('id')}", "the photo has an earlier label")
    for label in labels[:1]:
        for number, thing in enumerate(label.get("annotations", {}).get("objects", [])):
            yield _drawn(number, thing)


def _drawn(number: int, thing: Any) -> Shape | Skipped:
    item = f"object {number}"
    if "polygon" not in thing:
        kind = str(thing.get("annotation_kind"))
        return Skipped("", item, UNSUPPORTED_KINDS.get(kind, f"{kind} has no area"))
    try:
        outline = polygon([(point["x"], point["y"]) for point in thing["polygon"]])
        return Shape(checked_name(thing["name"]), (outline,), item)
    except MALFORMED_ERRORS as error:
        return Skipped("", item, f"not a valid polygon: {error}")
