"""COCO JSON: polygons, both kinds of RLE, crowds.

Category ids are kept, so that those of COCO itself fit torchvision's models. Ids that start at 0
are raised by one, since 0 is background.
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vidseg.datasets.annotation_files import MALFORMED, checked_name, read_json
from vidseg.datasets.rasterize import checked_rle, polygon
from vidseg.datasets.records import Naming, Polygon, Reading, Sample, Shape, Skipped
from vidseg.datasets.sample_builder import PhotoFinder, build_sample
from vidseg.errors import InputError
from vidseg.structures.masks import RLE


def read(path: Path, naming: Naming) -> Reading:
    document = read_json(path)
    try:
        names = {int(c["id"]): checked_name(c["name"]) for c in document["categories"]}
        images = {image["id"]: image for image in document["images"]}
        annotations = defaultdict(list)
        for annotation in document["annotations"]:
            annotations[annotation["image_id"]].append(annotation)
    except MALFORMED as error:
        raise InputError(f"{path} does not follow COCO's format: {error!r}.") from error
    shift = 1 if min(names, default=1) < 1 else 0
    classes = {name: number + shift for number, name in names.items()}
    return Reading(_found(path, images, annotations, names), classes)


def _found(
    path: Path, images: dict[Any, Any], annotations: dict[Any, list[Any]], names: dict[int, str]
) -> Iterator[Sample | Skipped]:
    photos = PhotoFinder(path, path.parent, *_folders(path))
    for number, image in images.items():
        drawn = (found for each in annotations.get(number, []) for found in _sound(each, names))
        size = _size(image)
        yield from build_sample(photos.locate(image.get("file_name")), drawn, size=size)
    for number in annotations.keys() - images.keys():
        count = len(annotations[number])
        yield Skipped(
            str(path), f"image {number}", f"{count} annotations of an image that is not listed"
        )


def _folders(path: Path) -> list[Path]:
    """Where the photos may be: beside the file, in images/, or as in COCO's own archives.

    `annotations/instances_val2017.json` describes `val2017/`.
    """
    tail = path.stem.rsplit("_", 1)[-1]
    roots = [path.parent, path.parent.parent]
    return [root / name for root in roots for name in ("images", tail, f"images/{tail}", ".")]


def _size(image: Any) -> tuple[int, int] | None:
    height, width = image.get("height"), image.get("width")
    return (int(height), int(width)) if height and width else None


def _sound(annotation: Any, names: dict[int, str]) -> list[Shape | Skipped]:
    try:
        return list(_drawn(annotation, names))
    except MALFORMED as error:
        item = f"annotation {annotation.get('id', '?')}"
        return [Skipped("", item, f"it does not follow COCO's format: {error!r}")]


def _drawn(annotation: Any, names: dict[int, str]) -> Iterator[Shape | Skipped]:
    item = f"annotation {annotation.get('id', '?')}"
    label = names.get(annotation.get("category_id"))
    if label is None:
        category = annotation.get("category_id")
        yield Skipped("", item, f"its category {category} is not in the list of categories")
        return
    segmentation = annotation.get("segmentation")
    if not segmentation:
        yield Skipped("", item, "a box without a mask" if "bbox" in annotation else "no mask")
        return
    if isinstance(segmentation, dict):
        shape = _rle(segmentation)
    else:
        shape, broken = _polygons(segmentation)
        yield from (Skipped("", f"{item}, part {part}", reason) for part, reason in broken)
    if isinstance(shape, str) or not shape:
        yield Skipped(
            "", item, shape if isinstance(shape, str) else "none of its parts can be used"
        )
        return
    crowd, area = bool(annotation.get("iscrowd", 0)), annotation.get("area")
    area = float(area) if isinstance(area, int | float) and area > 0 else None
    yield Shape(label, shape, item, crowd, _box(annotation.get("bbox")), area)


def _polygons(parts: Any) -> tuple[tuple[Polygon, ...], list[tuple[int, str]]]:
    """The valid outlines, and (number, reason) of the others.

    A flat list of numbers is one polygon: RectLabel writes such lists.
    """
    if isinstance(parts[0], int | float):
        parts = [parts]
    good, broken = [], []
    for number, part in enumerate(parts):
        try:
            good.append(polygon(np.asarray(part, np.float64).reshape(-1, 2)))
        except (TypeError, ValueError) as error:
            broken.append((number, str(error)))
    return tuple(good), broken


def _rle(segmentation: Any) -> RLE | str:
    """From either kind of RLE; or what is wrong with it."""
    try:
        return checked_rle(segmentation["size"], segmentation["counts"])
    except (KeyError, TypeError) as error:
        return f"not a valid RLE: {error!r}"
    except ValueError as error:
        return str(error)


def _box(box: Any) -> tuple[float, float, float, float] | None:
    if not isinstance(box, list) or len(box) != 4:
        return None
    x, y, width, height = (float(value) for value in box)
    return x, y, x + width, y + height
