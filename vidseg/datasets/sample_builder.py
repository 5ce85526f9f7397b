"""Build a `Sample` from the photo that a file names and the shapes that it holds.

Photos are read upright. Most annotation tools show them upright too. If the size in the file fits
only the photo as stored (its EXIF orientation ignored), the tool showed that, and the shapes are
turned with the photo. The size says nothing about photos turned by 180 degrees or mirrored: their
shapes count as drawn on the upright photo.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from vidseg.datasets._embedded_photos import embedded_size, is_embedded, read_embedded
from vidseg.datasets._photo_damage import looks_truncated
from vidseg.datasets._photo_finder import Located
from vidseg.datasets.annotation_files import checked_name
from vidseg.datasets.rasterize import (
    area_of,
    box_of,
    rasterize,
    turn_pixels,
    turn_points,
    why_not_drawn,
)
from vidseg.datasets.records import Annotation, Origin, Sample, Shape, Skipped
from vidseg.errors import InputError
from vidseg.structures.frame import Image
from vidseg.video.decoding.image_reader import load_photo, probe_image
from vidseg.video.orientation import Orientation, upright_size

Box = tuple[float, float, float, float]


def build_sample(
    photo: Located | Path | Skipped,
    drawn: Iterable[Shape | Skipped],
    *,
    size: tuple[int, int] | None = None,
    split: str | None = None,
    origin: Origin | None = None,
) -> Iterator[Sample | Skipped]:
    """The photo with its objects, after everything in it that cannot be used.

    `size` is the photo's (height, width) as the file states it.
    """
    if isinstance(photo, Skipped):
        yield photo
        return
    path, by_name = photo if isinstance(photo, Located) else (photo, False)
    try:
        real, orientation = _probe(path)
    except InputError as error:
        yield Skipped(str(path), "", str(error))
        return
    turn = _turn(orientation, real, size)
    if size is not None and turn is None:
        stated, actual = (f"{w}x{h}" for h, w in (size, real))
        yield Skipped(str(path), "", f"it was annotated at {stated} and is {actual}")
        return
    objects = []
    for shape in drawn:
        settled = shape if isinstance(shape, Skipped) else _settle(shape, real, turn)
        if isinstance(settled, Skipped):
            yield replace(settled, file=str(path))
        else:
            objects.append(settled)
    yield Sample(path, real, tuple(objects), split, origin, by_name)


def read_pixels(sample: Sample) -> Image:
    """(H, W, 3) uint8 RGB.

    Raises InputError: the photo is missing, or has changed since the dataset was opened.
    """
    image = read_embedded(sample.path) if is_embedded(sample.path) else load_photo(sample.path)
    if image.shape[:2] != sample.size:
        raise InputError(f"{sample.path} has changed since the dataset was opened.")
    return image


def _probe(path: Path) -> tuple[tuple[int, int], Orientation]:
    """(height, width) of the upright photo, and how it is turned in its file.

    Raises InputError: it cannot be read. Photos that look whole are not decoded.
    """
    if is_embedded(path):
        return embedded_size(path), Orientation()
    info = probe_image(path)
    if looks_truncated(path):
        load_photo(path)
    return info.size, Orientation(info.rotation, info.mirrored)


def _turn(
    orientation: Orientation, real: tuple[int, int], stated: tuple[int, int] | None
) -> Orientation | None:
    """How to turn the shapes to fit the upright photo; None if the sizes do not allow it."""
    if stated is None or stated == real:
        return Orientation()
    return orientation if stated == upright_size(*real, orientation) else None


def _settle(drawn: Shape, size: tuple[int, int], turn: Orientation | None) -> Annotation | Skipped:
    try:
        label = checked_name(drawn.label)
    except ValueError as error:
        return Skipped("", drawn.item, f"its class {error}")
    stored = upright_size(*size, turn or Orientation())
    polygons = () if isinstance(drawn.geometry, dict) else drawn.geometry
    if reason := why_not_drawn(polygons, stored):
        return Skipped("", drawn.item, reason)
    rle = drawn.geometry if isinstance(drawn.geometry, dict) else rasterize(polygons, stored)
    if tuple(rle["size"]) != stored:
        return Skipped("", drawn.item, "its mask has another size")
    if not area_of(rle):
        return Skipped("", drawn.item, "it covers no pixel of the photo")
    box = drawn.box
    if turn not in (None, Orientation()):
        polygons = tuple(turn_points(corners, stored, turn) for corners in polygons)
        rle = turn_pixels(rle, turn)
        box = None if box is None else _turn_box(box, stored, turn)
    area = float(area_of(rle)) if drawn.area is None else drawn.area
    box = _inside(box, size) or box_of(rle)
    return Annotation(label, rle, box, area, drawn.crowd, polygons)


def _turn_box(box: Box, size: tuple[int, int], orientation: Orientation) -> Box:
    corners = turn_points(np.array(box).reshape(2, 2), size, orientation)
    (x0, y0), (x1, y1) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    return x0, y0, x1, y1


def _inside(box: Box | None, size: tuple[int, int]) -> Box | None:
    """The part of the box inside the photo; None if it is empty."""
    if box is None:
        return None
    height, width = size
    x0, x1 = (min(max(x, 0.0), float(width)) for x in box[0::2])
    y0, y1 = (min(max(y, 0.0), float(height)) for y in box[1::2])
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None
