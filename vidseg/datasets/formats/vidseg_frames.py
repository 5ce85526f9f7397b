"""The output of `vidseg frames --image`: frames of a video and the objects found in them.

Detections are corrected this way: convert them to VIA, correct them there, train on the result.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vidseg.datasets._photo_finder import PhotoFinder
from vidseg.datasets.annotation_files import (
    MALFORMED_ERRORS,
    checked_name,
    checked_size,
    read_json,
    reason,
)
from vidseg.datasets.rasterize import checked_rle
from vidseg.datasets.records import Naming, Reading, Sample, Shape, Skipped
from vidseg.datasets.sample_builder import build_sample
from vidseg.errors import InputError


def read(path: Path, naming: Naming) -> Reading:
    document = read_json(path)
    try:
        classes = {str(name): int(number) for number, name in document["classes"].items()}
        frames = [
            (f["file"], checked_size(*f["size"]), _drawn(f["objects"])) for f in document["frames"]
        ]
    except MALFORMED_ERRORS as error:
        raise InputError(
            f"{path} is not an instances.json of `vidseg frames`: {reason(error)}."
        ) from error
    return Reading(_found(path, frames), classes)


def _found(path: Path, frames: list[Any]) -> Iterator[Sample | Skipped]:
    photos = PhotoFinder(path, path.parent / "images", names=[file for file, _, _ in frames])
    for file, size, drawn in frames:
        yield from build_sample(photos.locate(file), drawn, size=size)


def _drawn(objects: Any) -> list[Shape | Skipped]:
    return [_object(f"object {each['object']}", each) for each in objects]


def _object(item: str, found: Any) -> Shape | Skipped:
    try:
        rle = checked_rle(found["segmentation"]["size"], found["segmentation"]["counts"])
        return Shape(checked_name(found["class"]), rle, item)
    except MALFORMED_ERRORS as error:
        return Skipped("", item, f"not a valid mask: {error}")
