"""Find out which formats of annotations lie at a path."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from vidseg.datasets.annotation_files import is_regular_file, mapped_bytes
from vidseg.datasets.format_names import Format
from vidseg.datasets.formats.mask_folder import pair_in
from vidseg.datasets.formats.nuclei import is_nuclei
from vidseg.datasets.formats.yolo import CLASS_LISTS
from vidseg.datasets.records import Skipped
from vidseg.errors import InputError

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
    ("label-studio", (b'"original_width"', b'"original_height"')),
    ("via3", (b'"fid_list"', b'"metadata"', b'"xy"')),
    ("via", (b'"_via_img_metadata"',)),
    ("labelme", (b'"shapes"', b'"imagePath"')),
    ("datumaro", (b'"items"', b'"annotations"', b'"label_id"')),
    ("datumaro", (b'"items"', b'"categories"', b'"labels"')),
    ("coco", (b'"images"', b'"annotations"', b'"categories"')),
    ("via", (b'"filename"', b'"regions"')),
)
"""Bytes that a JSON file of each format contains; the first match counts."""
XML_MARKERS: tuple[tuple[Format, bytes], ...] = (
    ("cvat", rb"<annotations[\s>][\s\S]*<(image|track)\s"),
    ("labelme-xml", rb"<annotation[\s>][\s\S]*<(pt|nrows|segm)>"),
    ("rectlabel", rb"<annotation[\s>]"),
)
"""Patterns that an XML file of each format contains; the first match counts."""
ONE_PER_FOLDER: tuple[Format, ...] = ("labelme", "labelme-xml", "rectlabel")
"""Formats with a file per photo, which are read by folder."""
OF_FOLDERS: tuple[Format, ...] = ("masks", "voc", "nuclei", *ONE_PER_FOLDER)
NOT_ANNOTATIONS = ("notes.json",)
"""Files of annotation tools that hold no annotations: Label Studio's, beside a YOLO dataset."""
MAX_XML_HEAD_BYTES = 1 << 20
"""Of an XML file, so much is looked at."""
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
    if path.exists() and not path.is_dir():
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
    if path.is_file() or kind in OF_FOLDERS:
        return [Source(kind, path)]
    raise InputError(f"{path} holds nothing in the format {kind}; give its file.")


def format_of_file(path: Path) -> Format | None:
    """By its name and content; None for no known format.

    Raises InputError: it cannot be read.
    """
    suffix = path.suffix.lower()
    if path.name in CLASS_LISTS and (path.parent / "labels").is_dir():
        return "yolo"
    if suffix in (".json", ".ndjson", ".jsonl"):
        return _format_of_json(path)
    if suffix == ".csv":
        return "via" if b"region_shape_attributes" in _start(path) else None
    if suffix == ".xml":
        content = bytes(mapped_bytes(path)[:MAX_XML_HEAD_BYTES])
        return next((kind for kind, mark in XML_MARKERS if re.search(mark, content)), None)
    if suffix in (".yaml", ".yml"):
        has_names = re.search(rb"^[\"']?names[\"']?\s*:", _start(path, 1 << 20), re.MULTILINE)
        return "yolo" if has_names else None
    return None


def _format_of_json(path: Path) -> Format | None:
    content = mapped_bytes(path)
    for kind, marks in JSON_MARKERS:
        if all(content.find(mark) >= 0 for mark in marks):
            return kind
    return None


def _start(path: Path, size: int = 4096) -> bytes:
    return bytes(mapped_bytes(path)[:size])


def _folder(path: Path, split: str | None) -> Iterator[Source | Skipped]:
    voc = [root for root in (path, *sorted(path.glob("VOC*"))) if _is_voc(root)]
    yaml = [file for file in _data_files(path) if format_of_file(file) == "yolo"]
    if voc:
        yield from (Source("voc", root, split) for root in voc)
    elif yaml:
        yield from (Source("yolo", file, split) for file in yaml[:1])
    else:
        found = list(_files(path, split))
        if any(isinstance(each, Source) for each in found):
            yield from found
        elif pair_in(path):
            yield Source("masks", path, split)
        elif is_nuclei(path):
            yield Source("nuclei", path, split)
        else:
            yield from found


def _is_voc(path: Path) -> bool:
    return (path / "SegmentationObject").is_dir()


def _files(path: Path, split: str | None) -> Iterator[Source | Skipped]:
    """Each file is a source; formats with a file per photo have one source per folder."""
    seen = set()
    for folder in _annotation_folders(path):
        for file in _data_files(folder) if folder.is_dir() else []:
            kind = format_of_file(file)
            if kind is None:
                yield Skipped(str(file), "", "the file has no annotations of a known format")
            elif kind in ONE_PER_FOLDER:
                if (kind, folder) not in seen:
                    seen.add((kind, folder))
                    yield Source(kind, folder, split or SPLIT_NAMES.get(folder.name.lower()))
            else:
                yield Source(kind, file, split or split_in(file.stem))


def _annotation_folders(path: Path) -> list[Path]:
    """Where annotation files may be: MIT's LabelMe has them in `Annotations/FOLDER/`."""
    folders = [(path / name).resolve() for name in ANNOTATION_FOLDERS]
    nested = path / "Annotations"
    if nested.is_dir() and (path / "Images").is_dir():
        folders += sorted(folder.resolve() for folder in nested.iterdir() if folder.is_dir())
    return list(dict.fromkeys(folders))


def _data_files(folder: Path) -> list[Path]:
    files = [path for path in folder.iterdir() if _may_annotate(path) and is_regular_file(path)]
    return sorted(files, key=lambda p: (p.suffix.lower() != ".json", p.name))


def _may_annotate(path: Path) -> bool:
    if path.name.startswith(".") or path.name in NOT_ANNOTATIONS:
        return False
    return path.suffix.lower() in ANNOTATION_SUFFIXES or path.name in CLASS_LISTS


def split_in(stem: str) -> str | None:
    """`instances_val2017` is `val`."""
    words = re.split(r"[^a-z]+", stem.lower())
    return next((SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES), None)
