"""COCO JSON: polygons, both kinds of RLE, crowds. LVIS is read too.

Category ids are kept, so that those of COCO itself fit torchvision's models. Ids that start at 0
are raised by one, since 0 is background. LVIS has no file names, and the photos are found by
`coco_url`; its lists of classes that were not checked in a photo are not read.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vidseg.datasets._photo_finder import PhotoFinder
from vidseg.datasets.annotation_files import (
    MALFORMED_ERRORS,
    checked_flag,
    checked_id,
    checked_name,
    checked_size,
    read_json,
    reason,
    shortened,
)
from vidseg.datasets.rasterize import checked_rle, polygon
from vidseg.datasets.records import Naming, Origin, Polygon, Reading, Sample, Shape, Skipped
from vidseg.datasets.sample_builder import build_sample
from vidseg.errors import InputError
from vidseg.structures.masks import RLE

Id = int | str
Annotations = Mapping[Id, Sequence[Any]]


def read(path: Path, naming: Naming) -> Reading:
    """Raises InputError: the file does not follow the format."""
    document = read_json(path)
    try:
        names = _categories(document["categories"])
        images = [(checked_id(image["id"]), image) for image in document["images"]]
        annotations, lost = _by_image(path, document["annotations"] or [])
    except MALFORMED_ERRORS as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} does not follow COCO's format: {reason(error)}.") from error
    numbers = {number for number in names if isinstance(number, int)}
    shift = 1 if min(numbers, default=1) < 1 else 0
    classes = {name: number + shift for number, name in names.items() if isinstance(number, int)}
    found = _found(path, images, annotations, (names, naming))
    return Reading(_chained(lost, found), classes, names)


def photo_name(image: Mapping[str, Any]) -> Any:
    """`file_name`, else the last two parts of `coco_url`: folder and file of COCO's archives."""
    name = image.get("file_name")
    if name is None and isinstance(image.get("coco_url"), str):
        return "/".join(image["coco_url"].split("/")[-2:])
    return name


def _categories(categories: Any) -> dict[Id, str]:
    names: dict[Id, str] = {}
    for each in categories:
        number, name = checked_id(each["id"]), checked_name(each["name"])
        if names.setdefault(number, name) != name:
            raise ValueError(f"the categories {names[number]} and {name} both have the id {number}")
    return names


def _by_image(path: Path, annotations: Any) -> tuple[Annotations, list[Skipped]]:
    found: dict[Id, list[Any]] = defaultdict(list)
    lost = []
    for place, each in enumerate(annotations):
        try:
            found[checked_id(each["image_id"])].append(each)
        except MALFORMED_ERRORS as error:
            lost.append(Skipped(str(path), f"annotation {_name(each, place)}", _malformed(error)))
    return found, lost


def _chained(lost: list[Skipped], found: Iterator[Sample | Skipped]) -> Iterator[Sample | Skipped]:
    yield from lost
    yield from found


def _found(
    path: Path,
    images: list[tuple[Id, Any]],
    annotations: Annotations,
    naming: tuple[dict[Id, str], Naming],
) -> Iterator[Sample | Skipped]:
    names = [photo_name(image) for _, image in images]
    photos = PhotoFinder(path, path.parent, *_folders(path), names=names)
    several = _several(images)
    for number, image in images:
        if number in several:
            continue
        drawn = (part for each in annotations.get(number, []) for part in _sound(each, *naming))
        try:
            size = checked_size(image.get("height"), image.get("width"))
        except MALFORMED_ERRORS as error:
            yield Skipped(str(path), f"image {number}", _malformed(error))
            continue
        photo, origin = photos.locate(photo_name(image)), Origin(path, number)
        yield from build_sample(photo, drawn, size=size, origin=origin)
    for number, count in several.items():
        mixed = f"{count} photos have the id {number}, so their annotations cannot be told apart"
        yield Skipped(str(path), f"image {number}", mixed)
    for number in annotations.keys() - {number for number, _ in images}:
        count = len(annotations[number])
        strays = f"{count} annotations of an image that is not listed"
        yield Skipped(str(path), f"image {number}", strays)


def _several(images: list[tuple[Id, Any]]) -> dict[Id, int]:
    """The ids that different photos have, with their number."""
    pairs = {(number, str(photo_name(image))) for number, image in images}
    counts = Counter(number for number, _ in pairs)
    return {number: count for number, count in counts.items() if count > 1}


def _folders(path: Path) -> list[Path]:
    """Where the photos may be: beside the file, in images/, or as in COCO's own archives.

    `annotations/instances_val2017.json` describes `val2017/`.
    """
    tail = path.stem.rsplit("_", 1)[-1]
    roots = [path.parent, path.parent.parent]
    return [root / name for root in roots for name in ("images", tail, f"images/{tail}", ".")]


def _sound(annotation: Any, names: dict[Id, str], naming: Naming) -> list[Shape | Skipped]:
    try:
        return list(_drawn(annotation, names, naming))
    except MALFORMED_ERRORS as error:
        return [Skipped("", f"annotation {_name(annotation, '?')}", _malformed(error))]


def _name(annotation: Any, place: int | str) -> str:
    number = annotation.get("id", place) if isinstance(annotation, dict) else place
    return str(number)[:40]


def _malformed(error: BaseException) -> str:
    return f"it does not follow COCO's format: {reason(error)}"


def _drawn(annotation: Any, names: dict[Id, str], naming: Naming) -> Iterator[Shape | Skipped]:
    item = f"annotation {_name(annotation, '?')}"
    category = annotation.get("category_id")
    label = None if category is None else names.get(checked_id(category))
    if label is None:
        absent = f"its category {shortened(category)} is not in the list of categories"
        yield Skipped("", item, absent)
        return
    segmentation = annotation.get("segmentation")
    if not segmentation:
        yield Skipped("", item, "a box without a mask" if "bbox" in annotation else "no mask")
        return
    if isinstance(segmentation, dict):
        shape = _rle(segmentation)
    else:
        shape, broken = polygons_of(segmentation)
        yield from (Skipped("", f"{item}, part {part}", why) for part, why in broken)
    if isinstance(shape, str) or not shape:
        yield Skipped(
            "", item, shape if isinstance(shape, str) else "none of its parts can be used"
        )
        return
    crowd = checked_flag(annotation.get("iscrowd")) and not naming.crowds_as_objects
    yield Shape(label, shape, item, crowd, _box(annotation.get("bbox")), _area(annotation))


def polygons_of(parts: Any) -> tuple[tuple[Polygon, ...], list[tuple[int, str]]]:
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
        return f"not a valid RLE: {reason(error)}"
    except (ValueError, OverflowError) as error:
        return str(error)


def _area(annotation: Any) -> float | None:
    area = annotation.get("area")
    known = isinstance(area, int | float) and math.isfinite(area) and area > 0
    return float(area) if known else None


def _box(box: Any) -> tuple[float, float, float, float] | None:
    if not isinstance(box, list) or len(box) != 4:
        return None
    x, y, width, height = (float(value) for value in box)
    return x, y, x + width, y + height
