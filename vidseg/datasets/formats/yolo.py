"""YOLO-seg: a YAML file with the classes and splits, and one text file of polygons per photo.

A line is `class x1 y1 x2 y2 ...` in fractions of the upright photo. The labels of
`.../images/a.jpg` are in `.../labels/a.txt`; a photo without a text file has no objects.
If the YAML file names no splits, the photos are in images/ beside it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vidseg.datasets.annotation_files import read_text
from vidseg.datasets.rasterize import polygon
from vidseg.datasets.records import Naming, Reading, Sample, Shape, Skipped
from vidseg.datasets.sample_builder import PhotoFinder, build_sample, photos_below
from vidseg.errors import InputError
from vidseg.video.decoding.image_reader import probe_image

SPLIT_KEYS = {"train": "train", "val": "val", "valid": "val", "test": "test"}
MAX_FRACTION = 2.0
"""Corners may lie a little outside the photo; numbers above this are pixels, not fractions."""


def read(path: Path, naming: Naming) -> Reading:
    settings = _settings(path)
    names = _names(settings["names"], path)
    classes = {name: number + 1 for number, name in names.items()}
    return Reading(_found(path, settings, names), classes)


def _settings(path: Path) -> Mapping[str, Any]:
    try:
        import yaml
    except ModuleNotFoundError as error:
        raise InputError(
            f"Reading {path} needs PyYAML; install it with: pip install 'vidseg[yolo]'"
        ) from error
    try:
        settings = yaml.safe_load(read_text(path))
    except yaml.YAMLError as error:
        raise InputError(f"{path} is not valid YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(settings, dict) or "names" not in settings:
        raise InputError(f"{path} has no classes; a YOLO dataset has a list `names`.")
    return settings


def _names(names: Any, path: Path) -> dict[int, str]:
    try:
        pairs = names.items() if isinstance(names, dict) else enumerate(names)
        return {int(number): str(name) for number, name in pairs}
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: `names` is not a list of classes.") from error


def _found(
    path: Path, settings: Mapping[str, Any], names: dict[int, str]
) -> Iterator[Sample | Skipped]:
    if not any(settings.get(key) for key in SPLIT_KEYS):
        for photo in photos_below(path.parent / "images"):
            yield from _photo(photo, names, None)
    for key, split in SPLIT_KEYS.items():
        places = settings.get(key) or []
        for place in places if isinstance(places, list) else [places]:
            target = _target(path, settings, str(place))
            if target is None:
                yield Skipped(str(path), f"{key}: {place}", "it does not exist")
                continue
            for photo in _photos(target):
                yield from _photo(photo, names, split)


def _target(path: Path, settings: Mapping[str, Any], place: str) -> Path | None:
    """Below `path` of the YAML file, else below its folder; Roboflow writes one `../` too many."""
    root = path.parent / str(settings.get("path") or ".")
    tries = [root / place, path.parent / place, path.parent / place.removeprefix("../")]
    return next((each for each in tries if each.exists()), None)


def _photos(target: Path) -> Iterator[Path | Skipped]:
    """The photos in a folder, or in a list of paths."""
    if target.is_dir():
        yield from photos_below(target)
        return
    finder = PhotoFinder(target, target.parent)
    yield from (finder.locate(line.strip()) for line in read_text(target).splitlines() if line)


def _photo(
    photo: Path | Skipped, names: dict[int, str], split: str | None
) -> Iterator[Sample | Skipped]:
    if isinstance(photo, Skipped):
        yield photo
        return
    try:
        size = probe_image(photo).size
        lines = _lines(_label_file(photo))
    except InputError as error:
        yield Skipped(str(photo), "", str(error))
        return
    drawn = [_drawn(number, line, names, size) for number, line in enumerate(lines, 1) if line]
    yield from build_sample(photo, drawn, split=split)


def _label_file(photo: Path) -> Path:
    parts = list(photo.parts)
    for at in range(len(parts) - 2, -1, -1):
        if parts[at] == "images":
            parts[at] = "labels"
            break
    return Path(*parts).with_suffix(".txt")


def _lines(path: Path) -> list[list[str]]:
    return [line.split() for line in read_text(path).splitlines()] if path.exists() else []


def _drawn(
    number: int, words: list[str], names: dict[int, str], size: tuple[int, int]
) -> Shape | Skipped:
    item = f"line {number}"
    try:
        label, values = int(words[0]), [float(word) for word in words[1:]]
    except ValueError:
        return Skipped("", item, "it holds something other than numbers")
    if label not in names:
        return Skipped("", item, f"its class {label} is not in the list of names")
    if len(values) < 6 or len(values) % 2:
        reason = "a box without a mask" if len(values) == 4 else f"{len(values)} coordinates"
        return Skipped("", item, reason)
    if max(map(abs, values)) > MAX_FRACTION:
        return Skipped("", item, "its coordinates are not fractions of the photo")
    height, width = size
    pairs = [(x * width, y * height) for x, y in zip(values[::2], values[1::2], strict=True)]
    try:
        return Shape(names[label], (polygon(pairs),), item)
    except ValueError as error:
        return Skipped("", item, str(error))
