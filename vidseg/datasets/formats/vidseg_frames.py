"""What `vidseg frames --image` wrote: photos of a video and the objects found in them.

Reading it back is how detections are corrected: convert them to VIA, mend them there, train.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vidseg.datasets.annotation_files import BROKEN, read_json, text
from vidseg.datasets.rasterize import checked_rle
from vidseg.datasets.records import Drawn, Naming, Reading, Sample, Skipped
from vidseg.datasets.sample_builder import Photos, sample
from vidseg.errors import InputError


def read(path: Path, naming: Naming) -> Reading:
    document = read_json(path)
    try:
        classes = {str(name): int(number) for number, name in document["classes"].items()}
        frames = [(f["file"], _size(f["size"]), _drawn(f["objects"])) for f in document["frames"]]
    except BROKEN as error:
        raise InputError(f"{path} is no instances.json of `vidseg frames`: {error!r}.") from error
    return Reading(_found(path, frames), classes)


def _found(path: Path, frames: list[Any]) -> Iterator[Sample | Skipped]:
    photos = Photos(path, path.parent / "images")
    for file, size, drawn in frames:
        yield from sample(photos.locate(file), drawn, size=size)


def _drawn(objects: Any) -> list[Drawn | Skipped]:
    return [_object(f"object {each['object']}", each) for each in objects]


def _size(size: Any) -> tuple[int, int]:
    height, width = size
    return int(height), int(width)


def _object(item: str, found: Any) -> Drawn | Skipped:
    try:
        rle = checked_rle(found["segmentation"]["size"], found["segmentation"]["counts"])
        return Drawn(text(found["class"]), rle, item)
    except BROKEN as error:
        return Skipped("", item, f"no mask: {error}")
