"""What a container announces about its own length, against what is there."""

import mmap
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

EBML, SEGMENT, CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675
KNOWN = {
    *(EBML, SEGMENT, CLUSTER, 0xEC, 0xBF),  # 0xEC is free space, 0xBF a checksum
    *(0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1C53BB6B, 0x1043A770, 0x1941A469, 0x1254C367),
    *(0xE7, 0xA7, 0xAB, 0xA3, 0xA0, 0x5854, 0xAF),
}
"""Elements on the outermost levels of Matroska: of a segment, then of a cluster (RFC 9559)."""
SLACK = Fraction(1, 2)
"""Seconds by which announced durations of healthy files may be too long."""
ANNOUNCING = ("mov", "matroska", "flv", "avi", "asf")
"""Containers whose header tells the duration; of others it is guessed from their packets."""


def missing(path: Path, container: Any, end: Fraction, rate: Fraction, broken: bool) -> str:
    """What is known to be missing, as part of a sentence; "" for a whole file.

    `end` is where the last packet ends in seconds by the container's clock.
    """
    announced, size = announced_bytes(path), path.stat().st_size
    if announced is not None and announced > size:
        return f"it was cut off after {size} of {announced} bytes"
    names = container.format.name.split(",")
    if container.duration is not None and any(name in names for name in ANNOUNCING):
        promised = Fraction(container.duration, 1_000_000)
        slack = Fraction(3, 2) / rate if "avi" in names else max(SLACK, 2 / rate)
        if end + slack < promised:
            return f"it ends at {float(end):.3g} s and announces {float(promised):.3g} s"
    if broken or ("matroska" in names and not matroska_is_whole(path)):
        return "parts of it are unreadable or marked as damaged"
    return ""


def announced_bytes(path: Path) -> int | None:
    """The file size that the outermost boxes of MP4/MOV, Matroska/WebM or AVI add up to."""
    with path.open("rb") as file:
        start = file.read(12)
        file.seek(0)
        if start[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"styp"):
            return max((end for end in _mp4_ends(file)), default=None)
        if start[:4] == EBML.to_bytes(4, "big"):
            return max((end for end in _ebml_ends(file)), default=None)
        if start[:4] == b"RIFF":
            return int.from_bytes(start[4:8], "little") + 8
    return None


def _mp4_ends(file: BinaryIO) -> Iterator[int]:
    """Where each top-level box ends (ISO/IEC 14496-12 section 4.2)."""
    at, size = 0, os.fstat(file.fileno()).st_size
    while at + 8 <= size:
        file.seek(at)
        head = file.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1 and len(head) == 16:
            length = int.from_bytes(head[8:], "big")
        if length < 8 or not head[4:8].isalnum():  # 0: up to the end of the file
            return
        at += length
        yield at


def matroska_is_whole(path: Path) -> bool:
    """Whether its elements follow each other without a gap; ffmpeg skips over damage in silence."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return _elements_fit(data, 0, len(data))


def _elements_fit(data: mmap.mmap, at: int, end: int) -> bool:
    """Whether known elements fill the bytes from `at` to `end` (RFC 8794, RFC 9559)."""
    while at < end:
        head = data[at : at + 12]
        identity, used = _ebml_number(head, keep_marker=True)
        length, more = _ebml_number(head[used:], keep_marker=False)
        inside = at + used + more
        endless = length == (1 << 7 * more) - 1
        if not more or identity not in KNOWN or (inside + length > end and not endless):
            return False
        # the children of a segment and of a cluster come next
        at = inside if identity in (SEGMENT, CLUSTER) else inside + length
    return True


def _ebml_ends(file: BinaryIO) -> Iterator[int]:
    """Where the header and the segment end (RFC 8794 sections 4 and 5); nothing if unknown."""
    at, size = 0, os.fstat(file.fileno()).st_size
    while at < size:
        file.seek(at)
        head = file.read(12)
        identity, used = _ebml_number(head, keep_marker=True)
        length, more = _ebml_number(head[used:], keep_marker=False)
        if identity not in (EBML, SEGMENT) or not more or length == (1 << 7 * more) - 1:
            return
        at += used + more + length
        yield at


def _ebml_number(data: bytes, *, keep_marker: bool) -> tuple[int, int]:
    """(value, bytes used) of a variable-size integer; (0, 0) where there is none."""
    if not data or not data[0]:
        return 0, 0
    used = 9 - data[0].bit_length()
    value = int.from_bytes(data[:used], "big")
    return (value if keep_marker else value & ((1 << 7 * used) - 1)), used
