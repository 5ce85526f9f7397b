"""Build a `Sample` from the photo that a file names and the shapes that it holds.

Photos are read upright. Most annotation tools show them upright too. If the size in the file fits
only the photo as stored (its EXIF orientation ignored), the tool showed that, and the shapes are
turned with the photo. The size says nothing about photos turned by 180 degrees or mirrored: their
shapes count as drawn on the upright photo.
"""

import os
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path, PureWindowsPath
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np

from vidseg.datasets.rasterize import (
    area_of,
    box_of,
    is_far_outside,
    rasterize,
    turn_pixels,
    turn_points,
)
from vidseg.datasets.records import Annotation, Polygon, Sample, Shape, Skipped
from vidseg.errors import InputError
from vidseg.structures.frame import Image
from vidseg.structures.masks import RLE
from vidseg.video.decoding.image_reader import READABLE_PHOTO_SUFFIXES, load_photo, probe_image
from vidseg.video.orientation import Orientation, upright_size

Box = tuple[float, float, float, float]


class PhotoFinder:
    """Finds the photos that `file` names, in `folders` or anywhere below the first of them."""

    def __init__(self, file: Path, *folders: Path) -> None:
        self._about, self._folders = str(file), folders

    def locate(self, name: Any) -> Path | Skipped:
        """By its path from one of the folders, else by its bare name if only one photo has it.

        `name` may be a Windows path, or a URL, of which the last part counts.
        """
        if not isinstance(name, str) or not name or "\0" in name:
            return Skipped(self._about, "", "it does not name its photo")
        plain = _without_host(name)
        for folder in self._folders:
            if os.path.isfile(folder / plain):  # Path.is_file raises where the name is too long
                return Path(os.path.normpath(folder / plain))
        alike = self._below.get(_composed(Path(plain).name), [])
        if len(alike) == 1:
            return alike[0]
        number = f"{len(alike)} photos have this name" if alike else "the photo is not there"
        return Skipped(name, "", number)

    @cached_property
    def _below(self) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = {}
        for path in photos_below(self._folders[0]):
            found.setdefault(_composed(path.name), []).append(path)
        return found


def is_photo_name(path: Path) -> bool:
    return path.suffix.lower() in READABLE_PHOTO_SUFFIXES and not path.name.startswith(".")


def photos_in(folder: Path) -> list[Path]:
    """The photos directly in a folder, by name."""
    return sorted(path for path in folder.iterdir() if is_photo_name(path) and path.is_file())


def photos_below(folder: Path) -> list[Path]:
    """The photos anywhere below a folder, by name."""
    return [path for path in files_below(folder) if is_photo_name(path)]


def files_below(folder: Path) -> list[Path]:
    """The files anywhere below a folder, by name, also behind links to folders."""
    seen, found = set(), []
    for at, folders, files in os.walk(folder, followlinks=True):
        if (real := os.path.realpath(at)) in seen:
            folders.clear()  # a link to a folder above
            continue
        seen.add(real)
        found += [Path(at, name) for name in files]
    return sorted(found)


def build_sample(
    path: Path | Skipped,
    drawn: Iterable[Shape | Skipped],
    *,
    size: tuple[int, int] | None = None,
    split: str | None = None,
) -> Iterator[Sample | Skipped]:
    """The photo at `path` with its objects, after everything in it that cannot be used.

    `size` is the photo's (height, width) as the file states it.
    """
    if isinstance(path, Skipped):
        yield path
        return
    try:
        info = probe_image(path)
    except InputError as error:
        yield Skipped(str(path), "", str(error))
        return
    turn = _turn(Orientation(info.rotation, info.mirrored), info.size, size)
    if size is not None and turn is None:
        stated, real = (f"{w}x{h}" for h, w in (size, info.size))
        yield Skipped(str(path), "", f"it was annotated at {stated} and is {real}")
        return
    objects = []
    for shape in drawn:
        settled = shape if isinstance(shape, Skipped) else _settle(shape, info.size, turn)
        if isinstance(settled, Skipped):
            yield replace(settled, file=str(path))
        else:
            objects.append(settled)
    yield Sample(path, info.size, tuple(objects), split)


def read_pixels(sample: Sample) -> Image:
    """(H, W, 3) uint8 RGB.

    Raises InputError: the photo is missing, or has changed since the dataset was opened.
    """
    image = load_photo(sample.path)
    if image.shape[:2] != sample.size:
        raise InputError(f"{sample.path} has changed since the dataset was opened.")
    return image


def _composed(name: str) -> str:
    """Unicode NFC: macOS decomposes accented characters in file names."""
    return unicodedata.normalize("NFC", name)


def _without_host(name: str) -> str:
    if "://" in name:
        return unquote(urlsplit(name).path).rsplit("/", 1)[-1]
    return PureWindowsPath(name).as_posix()


def _turn(
    orientation: Orientation, real: tuple[int, int], stated: tuple[int, int] | None
) -> Orientation | None:
    """How to turn the shapes to fit the upright photo; None if the sizes do not allow it."""
    if stated is None or stated == real:
        return Orientation()
    return orientation if stated == upright_size(*real, orientation) else None


def _settle(drawn: Shape, size: tuple[int, int], turn: Orientation | None) -> Annotation | Skipped:
    stored = upright_size(*size, turn or Orientation())
    polygons, rle = _shape(drawn, stored)
    if rle is None or tuple(rle["size"]) != stored:
        reason = "it lies far outside the photo" if rle is None else "its mask has another size"
        return Skipped("", drawn.item, reason)
    if not area_of(rle):
        return Skipped("", drawn.item, "it covers no pixel of the photo")
    box = drawn.box
    if turn not in (None, Orientation()):
        polygons = tuple(turn_points(corners, stored, turn) for corners in polygons)
        rle = turn_pixels(rle, turn)
        box = None if box is None else _turn_box(box, stored, turn)
    area = float(area_of(rle)) if drawn.area is None else drawn.area
    box = _inside(box, size) or box_of(rle)
    return Annotation(drawn.label, rle, box, area, drawn.crowd, polygons)


def _shape(drawn: Shape, size: tuple[int, int]) -> tuple[tuple[Polygon, ...], RLE | None]:
    """The polygons, and the pixels; None if they are too far away to draw."""
    if isinstance(drawn.geometry, dict):
        return (), drawn.geometry
    if is_far_outside(drawn.geometry, size):
        return drawn.geometry, None
    return drawn.geometry, rasterize(drawn.geometry, size)


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
