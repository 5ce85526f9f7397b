"""Tells inputs apart without reading them whole: sizes, and a hash of both ends of each file."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from vidseg.video.info import VideoInfo

HASHED_BYTES = 1 << 16
"""Bytes hashed at each end of a file: headers and indexes, which no two videos share."""


def fingerprint_of_file(path: Path) -> dict[str, Any]:
    """`{"name", "bytes", "sha256"}` of a file; the hash is over its first and last 64 KiB."""
    size = path.stat().st_size
    return {"name": path.name, "bytes": size, "sha256": _ends(path, size).hexdigest()}


def fingerprint_of_input(info: VideoInfo) -> dict[str, Any]:
    """What a `.vidseg` file records about its input.

    The hash of a folder of photos covers the ends of them all, and their names are listed.
    """
    if info.kind == "folder":
        fingerprint: dict[str, Any] = _fingerprint_of_photos(info)
    else:
        fingerprint = fingerprint_of_file(info.path)
    return fingerprint | {
        "kind": info.kind,
        "size": list(info.size),
        "rate": str(info.rate),
        "frames": info.frames,
    }


def same_input(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Whether two fingerprints are of one input, whatever its name."""
    return all(a.get(key) == b.get(key) for key in ("bytes", "sha256", "size", "photos"))


def _fingerprint_of_photos(info: VideoInfo) -> dict[str, Any]:
    total, digest = 0, hashlib.sha256()
    for photo in info.photos:
        size = photo.stat().st_size
        total += size
        digest.update(_ends(photo, size).digest())
    names = [photo.name for photo in info.photos]
    return {
        "name": info.path.name,
        "bytes": total,
        "sha256": digest.hexdigest(),
        "photos": names,
    }


def _ends(path: Path, size: int) -> hashlib._Hash:
    ends = hashlib.sha256()
    with path.open("rb") as file:
        ends.update(file.read(HASHED_BYTES))
        file.seek(max(size - HASHED_BYTES, 0))
        ends.update(file.read(HASHED_BYTES))
    return ends
