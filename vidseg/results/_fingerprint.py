"""What tells one input from another, cheaply: sizes, and a hash of a file's two ends."""

import hashlib
from pathlib import Path
from typing import Any

from vidseg.video.info import VideoInfo

END = 1 << 16
"""Bytes at either end of a file that are hashed: headers and indexes, which no two videos share."""


def mark_of_file(path: Path) -> dict[str, Any]:
    """`{"name", "bytes", "sha256"}` of a file; the hash is over its first and last 64 KiB."""
    size = path.stat().st_size
    return {"name": path.name, "bytes": size, "sha256": _ends(path, size).hexdigest()}


def mark_of_input(info: VideoInfo) -> dict[str, Any]:
    """What a file of detections says of the input that they were found in.

    A folder of photos is marked by the names, sizes and ends of its photos, which are listed.
    """
    if info.kind == "folder":
        mark: dict[str, Any] = _mark_of_photos(info)
    else:
        mark = mark_of_file(info.path)
    return mark | {
        "kind": info.kind,
        "size": list(info.size),
        "rate": str(info.rate),
        "frames": info.frames,
    }


def same_input(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Whether two marks are of one input, under whatever name."""
    return all(a.get(key) == b.get(key) for key in ("bytes", "sha256", "size", "photos"))


def _mark_of_photos(info: VideoInfo) -> dict[str, Any]:
    total, together = 0, hashlib.sha256()
    for photo in info.photos:
        size = photo.stat().st_size
        total += size
        together.update(_ends(photo, size).digest())
    names = [photo.name for photo in info.photos]
    return {
        "name": info.path.name,
        "bytes": total,
        "sha256": together.hexdigest(),
        "photos": names,
    }


def _ends(path: Path, size: int) -> "hashlib._Hash":
    ends = hashlib.sha256()
    with path.open("rb") as file:
        ends.update(file.read(END))
        file.seek(max(size - END, 0))
        ends.update(file.read(END))
    return ends
