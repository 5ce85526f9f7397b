"""Copies of one photo: the same bytes, or one source by the names that tools give to copies."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from vidseg.datasets.records import Content, Sample

ROBOFLOW_NAME = re.compile(r"^(?P<name>.+?)(_(jpe?g|png|bmp|webp|tiff?))?\.rf\.[0-9a-zA-Z]{8,40}$")
"""`dog_jpg.rf.0a1f9c2d7e55b34c8d1e22aa90bb47cd` is a version of `dog.jpg`."""
LABEL_STUDIO_NAME = re.compile(r"^[0-9a-f]{8}-(?P<name>.+)$")
"""`0a1f9c2d-dog` is an upload of `dog`."""
CHUNK_BYTES = 1 << 20


def source_stem(photo: Path) -> str:
    """The name of the photo that this one is a copy of, without its suffix."""
    stem = photo.stem
    for pattern in (ROBOFLOW_NAME, LABEL_STUDIO_NAME):
        if match := pattern.match(stem):
            stem = match["name"]
    return stem


def same_bytes(samples: Iterable[Sample]) -> list[list[Sample]]:
    """The groups of photos whose files are equal; only files of one size are read."""
    by_size: dict[int, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_size[sample.path.stat().st_size].append(sample)
    groups: dict[bytes, list[Sample]] = defaultdict(list)
    for alike in by_size.values():
        for sample in alike if len(alike) > 1 else []:
            groups[_hash(sample.path)].append(sample)
    return [group for group in groups.values() if len(group) > 1]


def source_photo(photo: Path) -> Path:
    """A path that copies of one photo, by their names, have in common."""
    return photo.with_name(source_stem(photo))


def report_copies(content: Content) -> dict[str, Any]:
    """Duplicates, copies that are in several splits, and objects annotated twice; JSON values."""
    duplicates = same_bytes(content.samples)
    several = [*duplicates, *_same_source(content.samples)]
    leaks = {
        tuple(sorted(f"{s.path}" for s in group)): sorted({s.split for s in group if s.split})
        for group in several
        if len({s.split for s in group if s.split}) > 1
    }
    return {
        "duplicates": [[str(sample.path) for sample in group] for group in duplicates],
        "leaks": [{"photos": [*photos], "splits": splits} for photos, splits in leaks.items()],
        "objects_twice": [
            {"file": str(sample.path), "objects": count}
            for sample in content.samples
            if (count := _repeated(sample))
        ],
    }


def _same_source(samples: Iterable[Sample]) -> list[list[Sample]]:
    """Photos whose names say that they are copies of one."""
    groups: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        if source_stem(sample.path) != sample.path.stem:
            groups[source_stem(sample.path)].append(sample)
    return [group for group in groups.values() if len(group) > 1]


def _repeated(sample: Sample) -> int:
    """Objects that equal an earlier one."""
    seen = {(each.label, str(each.rle["counts"])) for each in sample.objects}
    return len(sample.objects) - len(seen)


def _hash(path: Path) -> bytes:
    digest = hashlib.blake2b()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.digest()
