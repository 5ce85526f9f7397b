"""CVAT's own XML 1.1, for images and for video: polygon, mask and ellipse.

Shapes of one label and `group_id` are parts of one object. Boxes have no mask and are skipped. The
frames of a video are the photos `frame_000000.png` and so on, as CVAT names them.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from math import radians
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from vidseg.datasets._grouping import joined
from vidseg.datasets._photo_finder import PhotoFinder, photos_below
from vidseg.datasets.annotation_files import (
    MALFORMED_ERRORS,
    checked_name,
    checked_size,
    read_xml,
    reason,
)
from vidseg.datasets.rasterize import ellipse, polygon
from vidseg.datasets.records import Naming, Polygon, Reading, Sample, Shape, Skipped
from vidseg.datasets.sample_builder import build_sample
from vidseg.errors import InputError
from vidseg.structures.masks import RLE, to_rle

WITHOUT_AREA = {
    "box": "a box without a mask",
    **{kind: f"{kind} has no area" for kind in ("polyline", "points", "cuboid", "skeleton", "tag")},
}
"""Shapes that are skipped, and why."""
FRAME_NAME = "frame_{:06}"


def read(path: Path, naming: Naming) -> Reading:
    """Raises InputError: it is not valid XML."""
    root = read_xml(path)
    return Reading(_video(path, root) if root.find("track") is not None else _images(path, root))


def _images(path: Path, root: Element) -> Iterator[Sample | Skipped]:
    images = root.findall("image")
    folders = (path.parent, path.parent / "images")
    photos = PhotoFinder(path, *folders, names=[image.get("name") for image in images])
    for number, image in enumerate(images):
        try:
            size = checked_size(image.get("height"), image.get("width"))
        except MALFORMED_ERRORS as error:
            yield Skipped(str(path), f"image {number}", reason(error))
            continue
        parts = [_part(place, shape, size) for place, shape in enumerate(image)]
        photo, split = photos.locate(image.get("name")), _split(image)
        yield from build_sample(photo, joined(parts, size), size=size, split=split)


def _split(image: Element) -> str | None:
    subset = (image.get("subset") or "").lower()
    names = {"train": "train", "val": "val", "validation": "val", "test": "test"}
    return names.get(subset)


def _video(path: Path, root: Element) -> Iterator[Sample | Skipped]:
    try:
        size = checked_size(
            root.findtext(".//original_size/height"), root.findtext(".//original_size/width")
        )
        frames = _by_frame(root, size)
    except MALFORMED_ERRORS as error:
        raise InputError(f"{path} does not follow CVAT's format: {reason(error)}.") from error
    there = {photo.stem.lower(): photo for photo in photos_below(path.parent)}
    for number, parts in sorted(frames.items()):
        name = FRAME_NAME.format(number)
        photo = there.get(name) or Skipped(str(path.parent / name), "", "the photo does not exist")
        yield from build_sample(photo, joined(parts, size), size=size)


Part = tuple[str | None, Shape | Skipped]
"""The group of a shape, and the shape."""


def _by_frame(root: Element, size: tuple[int, int] | None) -> Mapping[int, list[Part]]:
    frames: dict[int, list[Part]] = defaultdict(list)
    for track in root.findall("track"):
        for shape in track:
            if shape.get("outside") == "1":
                continue
            number = int(shape.get("frame", ""))
            item = f"track {track.get('id', '?')[:20]}"
            frames[number].append((_group(track), _drawn(item, shape, track.get("label"), size)))
    return frames


def _part(place: int, shape: Element, size: tuple[int, int] | None) -> Part:
    return _group(shape), _drawn(f"shape {place}", shape, shape.get("label"), size)


def _group(shape: Element) -> str | None:
    group = shape.get("group_id")
    return None if group in (None, "", "0") else group


def _drawn(
    item: str, shape: Element, label: str | None, size: tuple[int, int] | None
) -> Shape | Skipped:
    kind = shape.tag
    if kind in WITHOUT_AREA:
        return Skipped("", item, WITHOUT_AREA[kind])
    try:
        name = checked_name(label)
        if kind == "polygon":
            return Shape(name, (_polygon(shape),), item)
        if kind == "ellipse":
            return Shape(name, (_ellipse(shape),), item)
        if kind == "mask":
            return Shape(name, _mask(shape, size), item)
    except MALFORMED_ERRORS as error:
        return Skipped("", item, f"not a valid {kind}: {error}")
    return Skipped("", item, f"a {kind[:20]} is not read")


def _polygon(shape: Element) -> Polygon:
    pairs = [pair.split(",") for pair in shape.get("points", "").split(";") if pair.strip()]
    return polygon([(float(x), float(y)) for x, y in pairs])


def _ellipse(shape: Element) -> Polygon:
    x, y, rx, ry = (float(shape.get(name, "")) for name in ("cx", "cy", "rx", "ry"))
    return ellipse((x, y), (rx, ry), radians(float(shape.get("rotation", 0))))


def _mask(shape: Element, size: tuple[int, int] | None) -> RLE:
    """Runs along the rows of the box, background first, as a mask of the whole photo."""
    if size is None:
        raise ValueError("the photo has no stated size")
    names = ("left", "top", "width", "height")
    left, top, width, height = (int(float(shape.get(name, ""))) for name in names)
    runs = [int(run) for run in shape.get("rle", "").split(",") if run.strip()]
    if checked_size(height, width) is None or min(runs, default=0) < 0:
        raise ValueError("its box or its runs are not those of a mask")
    if sum(runs) != width * height:
        raise ValueError("its run lengths do not fill its box")
    values = np.arange(len(runs)) % 2 == 1
    little = np.repeat(values, runs).reshape(height, width)
    full = np.zeros(size, bool)
    rows = slice(max(top, 0), max(min(top + height, size[0]), 0))
    columns = slice(max(left, 0), max(min(left + width, size[1]), 0))
    inside = little[
        max(rows.start - top, 0) : max(rows.stop - top, 0),
        max(columns.start - left, 0) : max(columns.stop - left, 0),
    ]
    full[rows, columns] = inside
    return to_rle(full)
