"""Finding out what kind of dataset lies at a path."""

import mmap
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from vidseg.datasets.formats.mask_folder import pair_in
from vidseg.datasets.records import Skipped
from vidseg.errors import InputError

Format = Literal[
    "via", "coco", "labelme", "yolo", "masks", "voc", "rectlabel", "labelbox", "frames"
]
FORMATS: tuple[Format, ...] = get_args(Format)

SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""Names of folders and parts of file names to the split that they mean."""
FILES_AT = (".", "annotations", "Annotations", "annotation", "labels", "json")
"""Folders of a dataset that may hold its annotation files."""
MARKS: tuple[tuple[Format, tuple[bytes, ...]], ...] = (
    ("frames", (b'"format": "vidseg frames"',)),
    ("labelbox", (b'"data_row"', b'"projects"')),
    ("via", (b'"_via_img_metadata"',)),
    ("labelme", (b'"shapes"', b'"imagePath"')),
    ("coco", (b'"images"', b'"annotations"', b'"categories"')),
    ("via", (b'"filename"', b'"regions"')),
)
"""What a JSON file of each format contains; the first that fits counts."""
DATA = {".json", ".ndjson", ".jsonl", ".csv", ".yaml", ".yml", ".xml"}


class Source(NamedTuple):
    """Something for one reader."""

    format: Format
    path: Path
    """A file, or a folder for the readers that take one."""
    split: str | None = None


def look(path: Path) -> list[Source | Skipped]:
    """The sources at `path`, with data files of no known kind; InputError where it is not there."""
    if path.is_file():
        kind = kind_of_file(path)
        return [Source(kind, path)] if kind else []
    if not path.is_dir():
        raise InputError(f"{path} is not there; give a folder or a file of annotations.")
    found = list(_folder(path, None))
    if not any(isinstance(each, Source) for each in found):
        for part in sorted(part for part in path.iterdir() if part.is_dir()):
            found += _folder(part, SPLITS.get(part.name.lower()))
    return _corrected(found)


def _corrected(found: list[Source | Skipped]) -> list[Source | Skipped]:
    """What a model found counts only where no person has worked on it."""
    by_people = [s for s in found if isinstance(s, Source) and s.format != "frames"]
    if not by_people:
        return found
    reason = "other annotations lie beside what a model found"
    return [
        Skipped(str(each.path), "", reason)
        if isinstance(each, Source) and each.format == "frames"
        else each
        for each in found
    ]


def look_for(kind: Format, path: Path) -> list[Source | Skipped]:
    """The sources of one format, also where the look of it would say something else."""
    found = look(path)
    wanted = [s for s in found if isinstance(s, Skipped) or s.format == kind]
    if any(isinstance(each, Source) for each in wanted):
        return wanted
    if path.is_file() or kind in ("masks", "voc", "labelme", "rectlabel"):
        return [Source(kind, path)]
    raise InputError(f"{path} holds nothing in the format {kind}; point to its file.")


def kind_of_file(path: Path) -> Format | None:
    suffix = path.suffix.lower()
    if suffix in (".json", ".ndjson", ".jsonl"):
        return _kind_of_json(path)
    start = _start(path) if suffix in DATA else b""
    if suffix == ".csv":
        return "via" if b"region_shape_attributes" in start else None
    if suffix == ".xml":
        return "rectlabel" if b"<annotation" in start else None
    return (
        "yolo" if re.search(rb"^names\s*:", _whole(path), re.MULTILINE) and suffix in DATA else None
    )


def _kind_of_json(path: Path) -> Format | None:
    content = _whole(path)
    for kind, marks in MARKS:
        if all(content.find(mark) >= 0 for mark in marks):
            return kind
    return None


def _whole(path: Path) -> mmap.mmap | bytes:
    """The file's bytes, without loading them: COCO's files are large."""
    try:
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except ValueError:  # an empty file cannot be mapped
        return b""
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error


def _start(path: Path) -> bytes:
    return bytes(_whole(path)[:4096])


def _folder(path: Path, split: str | None) -> Iterator[Source | Skipped]:
    voc = [root for root in (path, *sorted(path.glob("VOC*"))) if _is_voc(root)]
    yaml = [file for file in _data_files(path) if kind_of_file(file) == "yolo"]
    if voc:
        yield from (Source("voc", root, split) for root in voc)
    elif yaml:
        yield from (Source("yolo", file, split) for file in yaml)
    else:
        found = list(_files(path, split))
        if any(isinstance(each, Source) for each in found) or not pair_in(path):
            yield from found
        else:
            yield Source("masks", path, split)


def _is_voc(path: Path) -> bool:
    return (path / "SegmentationObject").is_dir()


def _files(path: Path, split: str | None) -> Iterator[Source | Skipped]:
    """Each file is a source, but LabelMe's and RectLabel's are one a folder."""
    seen = set()
    for folder in dict.fromkeys((path / name).resolve() for name in FILES_AT):
        for file in _data_files(folder) if folder.is_dir() else []:
            kind = kind_of_file(file)
            if kind is None:
                yield Skipped(str(file), "", "no annotations of a known format")
            elif kind in ("labelme", "rectlabel"):
                if (kind, folder) not in seen:
                    seen.add((kind, folder))
                    yield Source(kind, folder, split)
            else:
                yield Source(kind, file, split or split_in(file.stem))


def _data_files(folder: Path) -> list[Path]:
    files = (p for p in folder.iterdir() if p.suffix.lower() in DATA and not p.name.startswith("."))
    return sorted(files, key=lambda p: (p.suffix.lower() != ".json", p.name))


def split_in(stem: str) -> str | None:
    """`instances_val2017` is `val`."""
    words = re.split(r"[^a-z]+", stem.lower())
    return next((SPLITS[word] for word in words if word in SPLITS), None)
