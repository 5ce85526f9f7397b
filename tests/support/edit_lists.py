"""MP4 files whose edit lists show parts of the media, as phones write them after a trim."""

import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

Edit = tuple[Fraction, Fraction]
"""(start in the media, length), both in seconds."""


def set_edits(source: Path, target: Path, edits: list[Edit]) -> Path:
    """Copy an MP4 whose index is at its end; all tracks show `edits`, one after the other."""
    data = source.read_bytes()
    start, end = next((s, e) for kind, s, e in _boxes(data, 0, len(data)) if kind == b"moov")
    assert end == len(data), "the index must be the last box"
    movie = data[start + 8 : end]
    at = movie.index(b"mvhd") + 16
    ticks = int.from_bytes(movie[at : at + 4], "big")
    target.write_bytes(data[:start] + _box(b"moov", _movie(movie, edits, ticks)))
    return target


def _movie(movie: bytes, edits: list[Edit], ticks: int) -> bytes:
    made = b""
    for kind, start, end in _boxes(movie, 0, len(movie)):
        whole = movie[start:end]
        made += _box(kind, _track(whole[8:], edits, ticks)) if kind == b"trak" else whole
    return made


def _track(track: bytes, edits: list[Edit], ticks: int) -> bytes:
    at = track.index(b"mdhd") + 16
    media_ticks = int.from_bytes(track[at : at + 4], "big")
    at = track.index(b"elst") + 16
    hidden = int.from_bytes(track[at : at + 4], "big")
    rows = b"".join(
        struct.pack(">IiI", round(length * ticks), hidden + round(start * media_ticks), 0x10000)
        for start, length in edits
    )
    edit_box = _box(b"edts", _box(b"elst", struct.pack(">II", 0, len(edits)) + rows))
    return b"".join(
        edit_box if kind == b"edts" else track[start:end]
        for kind, start, end in _boxes(track, 0, len(track))
    )


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    while at < end:
        size = int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8], at, at + size
        at += size


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content
