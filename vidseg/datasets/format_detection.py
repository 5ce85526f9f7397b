"""Find out which formats of annotations lie at a path."""

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

SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""Names of folders, or words in file names, to the split that they mean."""
ANNOTATION_FOLDERS = (".", "annotations", "Annotations", "annotation", "labels", "json")
"""Folders of a dataset that may hold its annotation files."""
JSON_MARKERS: tuple[tuple[Format, tuple[bytes, ...]], ...] = (
    ("frames", (b'"format": "vidseg frames"',)),
    ("labelbox", (b'"data_row"', b'"projects"')),
    ("via", (b'"_via_img_metadata"',)),
    ("labelme", (b'"shapes"', b'"imagePath"')),
    ("coco", (b'"images"', b'"annotations"', b'"categories"')),
    ("via", (b'"filename"', b'"regions"')),
)
"""Bytes that a JSON file of each format contains; the first match counts."""
ANNOTATION_SUFFIXES = {".json", ".ndjson", ".jsonl", ".csv", ".yaml", ".yml", ".xml"}


class Source(NamedTuple):
    """Something that the reader of one format reads."""

    format: Format
    path: Path
    """A file, or a folder for the readers that take one."""
    split: str | None = None


def detect_sources(path: Path) -> list[Source | Skipped]:
    """The sources at `path`, and data files of no known format.

    Raises InputError: the path is missing.
    """
    if path.is_file():
        kind = format_of_file(path)
        return [Source(kind, path)] if kind else []
    if not path.is_dir():
        raise InputError(f"{path} does not exist; give a folder or an annotation file.")
    found = list(_folder(path, None))
    if not any(isinstance(each, Source) for each in found):
        for part in sorted(part for part in path.iterdir() if part.is_dir()):
            found += _folder(part, SPLIT_NAMES.get(part.name.lower()))
    return _corrected(found)


def _corrected(found: list[Source | Skipped]) -> list[Source | Skipped]:
    """Detections of a model count only if no person has annotated the photos beside them."""
    by_people = [s for s in found if isinstance(s, Source) and s.format != "frames"]
    if not by_people:
        return found
    reason = "there are other annotations beside these detections of a model"
    return [
        Skipped(str(each.path), "", reason)
        if isinstance(each, Source) and each.format == "frames"
        else each
        for each in found
    ]


def find_sources(kind: Format, path: Path) -> list[Source | Skipped]:
    """The sources of one format, even if detection would take them for another."""
    found = detect_sources(path)
    wanted = [s for s in found if isinstance(s, Skipped) or s.format == kind]
    if any(isinstance(each, Source) for each in wanted):
        return wanted
    if path.is_file() or kind in ("masks", "voc", "labelme", "rectlabel"):
        return [Source(kind, path)]
    raise InputError(f"{path} holds nothing in the format {kind}; give its file.")


def format_of_file(path: Path) -> Format | None:
    suffix = path.suffix.lower()
    if suffix in (".json", ".ndjson", ".jsonl"):
        return _format_of_json(path)
    start = _start(path) if suffix in ANNOTATION_SUFFIXES else b""
    if suffix == ".csv":
        return "via" if b"region_shape_attributes" in start else None
    if suffix == ".xml":
        return "rectlabel" if b"<annotation" in start else None
    return (
        "yolo"
        if re.search(rb"^names\s*:", _whole(path), re.MULTILINE) and suffix in ANNOTATION_SUFFIXES
        else None
    )


def _format_of_json(path: Path) -> Format | None:
    content = _whole(path)
    for kind, marks in JSON_MARKERS:
        if all(content.find(mark) >= 0 for mark in marks):
            return kind
    return None


def _whole(path: Path) -> mmap.mmap | bytes:
    """The file's bytes, mapped and not loaded: COCO's files are large."""
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
    yaml = [file for file in _data_files(path) if format_of_file(file) == "yolo"]
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
    """Each file is a source; LabelMe and RectLabel have one source per folder."""
    seen = set()
    for folder in dict.fromkeys((path / name).resolve() for name in ANNOTATION_FOLDERS):
        for file in _data_files(folder) if folder.is_dir() else []:
            kind = format_of_file(file)
            if kind is None:
                yield Skipped(str(file), "", "the file has no annotations of a known format")
            elif kind in ("labelme", "rectlabel"):
                if (kind, folder) not in seen:
                    seen.add((kind, folder))
                    yield Source(kind, folder, split)
            else:
                yield Source(kind, file, split or split_in(file.stem))


def _data_files(folder: Path) -> list[Path]:
    files = (
        p
        for p in folder.iterdir()
        if p.suffix.lower() in ANNOTATION_SUFFIXES and not p.name.startswith(".")
    )
    return sorted(files, key=lambda p: (p.suffix.lower() != ".json", p.name))


def split_in(stem: str) -> str | None:
    """`instances_val2017` is `val`."""
    words = re.split(r"[^a-z]+", stem.lower())
    return next((SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES), None)
