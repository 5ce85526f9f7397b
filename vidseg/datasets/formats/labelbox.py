"""Labelbox's export (v2, NDJSON: one photo a line): polygons.

Masks that Labelbox keeps on its server are named as skipped. Where several people labelled one
photo, the first label counts.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vidseg.datasets.annotation_files import BROKEN, read_text, text
from vidseg.datasets.rasterize import polygon
from vidseg.datasets.records import Drawn, Naming, Reading, Sample, Skipped
from vidseg.datasets.sample_builder import Photos, sample

NO_OUTLINE = {
    "ImageBoundingBox": "a box without a mask",
    "ImageSegmentationMask": "a mask that is kept on Labelbox's server",
}


def read(path: Path, naming: Naming) -> Reading:
    return Reading(_found(path))


def _found(path: Path) -> Iterator[Sample | Skipped]:
    photos = Photos(path, path.parent, path.parent / "images")
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            names, size = _names(row["data_row"]), _size(row.get("media_attributes") or {})
            drawn = list(_objects(row.get("projects") or {}))
        except BROKEN as error:
            yield Skipped(str(path), f"line {number}", f"no row of Labelbox: {error!r}")
            continue
        yield from sample(_photo(photos, names), drawn, size=size)


def _photo(photos: Photos, names: list[str]) -> Path | Skipped:
    tried = [photos.locate(name) for name in names]
    there = [path for path in tried if isinstance(path, Path)]
    return there[0] if there else tried[0]


def _names(row: Any) -> list[str]:
    """What the photo's file may be called, the likeliest first."""
    fields = (row.get("external_id"), row.get("global_key"), row.get("row_data"))
    return [str(field) for field in fields if field] or [""]


def _size(media: Any) -> tuple[int, int] | None:
    height, width = media.get("height"), media.get("width")
    return (int(height), int(width)) if height and width else None


def _objects(projects: Any) -> Iterator[Drawn | Skipped]:
    labels = [label for project in projects.values() for label in project.get("labels", [])]
    for label in labels[1:]:
        yield Skipped("", f"label {label.get('id')}", "the photo has an earlier label")
    for label in labels[:1]:
        for number, thing in enumerate(label.get("annotations", {}).get("objects", [])):
            yield _drawn(number, thing)


def _drawn(number: int, thing: Any) -> Drawn | Skipped:
    item = f"object {number}"
    if "polygon" not in thing:
        kind = str(thing.get("annotation_kind"))
        return Skipped("", item, NO_OUTLINE.get(kind, f"{kind} has no area"))
    try:
        outline = polygon([(point["x"], point["y"]) for point in thing["polygon"]])
        return Drawn(text(thing["name"]), (outline,), item)
    except BROKEN as error:
        return Skipped("", item, f"no polygon: {error}")
