"""YOLO-seg: a YAML file with the classes and splits, and one text file of polygons per photo.

A line is `class x1 y1 x2 y2 ...` in fractions of the upright photo. The labels of
`.../images/a.jpg` are in `.../labels/a.txt`, or beside the photo; a photo without a text file has
no objects. If the file names no splits, the photos are in images/ beside it. In place of the YAML
file there may be a `classes.txt` with one class per line, as Label Studio writes it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vidseg.datasets._photo_finder import Located, PhotoFinder, photos_below
from vidseg.datasets._yaml_files import read_yaml
from vidseg.datasets.annotation_files import checked_name, read_text
from vidseg.datasets.rasterize import polygon
from vidseg.datasets.records import Naming, Reading, Sample, Shape, Skipped
from vidseg.datasets.sample_builder import build_sample
from vidseg.errors import InputError
from vidseg.video.decoding.image_reader import probe_image

SPLIT_KEYS = {"train": "train", "val": "val", "valid": "val", "test": "test"}
MAX_FRACTION = 2.0
"""Corners may lie a little outside the photo; numbers above this are pixels, not fractions."""
CLASS_LISTS = ("classes.txt", "obj.names")
"""Text files with one class per line, in place of the YAML file."""


def read(path: Path, naming: Naming) -> Reading:
    """`path` is the YAML file, or the list of classes."""
    if path.name in CLASS_LISTS:
        lines = (line.strip() for line in read_text(path).splitlines())
        settings, names = {}, dict(enumerate(filter(None, lines)))
    else:
        settings = read_yaml(path)
        names = _names(settings["names"], path)
    classes = {name: number + 1 for number, name in names.items()}
    return Reading(_found(path, settings, names), classes)


def _names(names: Any, path: Path) -> dict[int, str]:
    try:
        pairs = names.items() if isinstance(names, dict) else enumerate(names)
        return {int(number): _name(name) for number, name in pairs}
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: its entry names is not a list of classes.") from error


def _name(name: Any) -> str:
    if not isinstance(name, str | int | float):
        raise ValueError("a class that is no name")
    return checked_name(str(name))


def _found(
    path: Path, settings: Mapping[str, Any], names: dict[int, str]
) -> Iterator[Sample | Skipped]:
    used: set[Path] = set()
    if not any(settings.get(key) for key in SPLIT_KEYS):
        for photo in photos_below(path.parent / "images"):
            yield from _photo(photo, names, None, used)
    for key, split in SPLIT_KEYS.items():
        places = settings.get(key) or []
        for place in places if isinstance(places, list) else [places]:
            target = _target(path, settings, str(place))
            if target is None:
                yield Skipped(str(path), f"{key}: {place}"[:80], "it does not exist")
                continue
            for photo in _photos(target):
                yield from _photo(photo, names, split, used)
    yield from _strays(used)


def _target(path: Path, settings: Mapping[str, Any], place: str) -> Path | None:
    """Below `path` of the YAML file, else below its folder; Roboflow writes one `../` too many."""
    root = path.parent / str(settings.get("path") or ".")
    tries = [root / place, path.parent / place, path.parent / place.removeprefix("../")]
    return next((each for each in tries if _exists(each)), None)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that is too long, or has a NUL
        return False


def _photos(target: Path) -> Iterator[Path | Skipped]:
    """The photos in a folder, or in a list of paths."""
    if target.is_dir():
        yield from photos_below(target)
        return
    lines = [line.strip() for line in read_text(target).splitlines() if line.strip()]
    finder = PhotoFinder(target, target.parent, names=lines)
    for line in lines:
        found = finder.locate(line)
        yield found.path if isinstance(found, Located) else found


def _photo(
    photo: Path | Skipped, names: dict[int, str], split: str | None, used: set[Path]
) -> Iterator[Sample | Skipped]:
    if isinstance(photo, Skipped):
        yield photo
        return
    labels = _label_file(photo)
    used.add(labels)
    try:
        size = probe_image(photo).size
        lines = [line.split() for line in read_text(labels).splitlines()] if labels.exists() else []
    except InputError as error:
        yield Skipped(str(photo), "", str(error))
        return
    drawn = [_drawn(number, line, names, size) for number, line in enumerate(lines, 1) if line]
    yield from build_sample(photo, drawn, split=split)


def _label_file(photo: Path) -> Path:
    """In labels/ in place of images/, else beside the photo."""
    parts = list(photo.parts)
    for at in range(len(parts) - 2, -1, -1):
        if parts[at] == "images":
            parts[at] = "labels"
            break
    apart, beside = Path(*parts).with_suffix(".txt"), photo.with_suffix(".txt")
    return apart if apart.exists() or not beside.exists() else beside


def _strays(used: set[Path]) -> Iterator[Skipped]:
    """The label files beside used ones that belong to no photo."""
    folders = {path.parent for path in used if path.exists() and path.parent.name == "labels"}
    folders |= {path.parent for path in used if "labels" in path.parts and path.parent.is_dir()}
    for folder in sorted(folders):
        for file in sorted(folder.glob("*.txt")):
            if file not in used and file.name not in CLASS_LISTS:
                yield Skipped(str(file), "", "there is no photo of this name")


def _drawn(
    number: int, words: list[str], names: dict[int, str], size: tuple[int, int]
) -> Shape | Skipped:
    item = f"line {number}"
    try:
        label, values = float(words[0]), [float(word) for word in words[1:]]
    except ValueError:
        return Skipped("", item, "it holds something other than numbers")
    if label not in names:
        return Skipped("", item, f"its class {words[0][:20]} is not in the list of names")
    if len(values) < 6 or len(values) % 2:
        why = "a box without a mask" if len(values) == 4 else f"{len(values)} coordinates"
        return Skipped("", item, why)
    if max(map(abs, values)) > MAX_FRACTION:
        return Skipped("", item, "its coordinates are not fractions of the photo")
    height, width = size
    pairs = [(x * width, y * height) for x, y in zip(values[::2], values[1::2], strict=True)]
    try:
        return Shape(names[int(label)], (polygon(pairs),), item)
    except ValueError as error:
        return Skipped("", item, str(error))
