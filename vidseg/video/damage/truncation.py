"""What a container announces about its own length, against what is there."""

import os
from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

from vidseg.video.damage import _asf as asf
from vidseg.video.damage import _matroska as matroska
from vidseg.video.damage.element_chain import Data, mapped
from vidseg.video.damage.find_damage import find_flaws
from vidseg.video.demuxing.timeline import Timeline

SLACK = Fraction(1, 2)
"""Seconds by which announced durations of healthy files may be too long."""
ANNOUNCING = ("mov", "matroska", "flv", "avi", "asf")
"""Containers whose header tells the duration; of others it is guessed from their packets."""

TS_SYNC = 0x47
TS_PACKETS = (188, 192, 204)
"""Bytes of a packet: plain, with a time in front (M2TS), with a checksum behind."""


def missing(path: Path, container: Any, stream: Any, timeline: Timeline, rate: Fraction) -> str:
    """What is known to be missing, as part of a sentence; "" for a whole file.

    `timeline` is that of the video `stream` of the open `container`, `rate` in frames a second.
    """
    announced, size = announced_bytes(path), path.stat().st_size
    if announced is not None and announced > size:
        return f"it was cut off after {size} of {announced} bytes"
    names = container.format.name.split(",")
    if "avi" in names and timeline.stamps:  # counts pictures: one lost puts all after it earlier
        end = timeline.stamps[-1] + max(timeline.last_duration, 1)
        if end < (stream.duration or 0):
            return f"it ends after {end} of {stream.duration} frames"
    if container.duration is not None and any(name in names for name in ANNOUNCING):
        promised = Fraction(container.duration, 1_000_000)
        if timeline.end + max(SLACK, 2 / rate) < promised:
            return f"it ends at {float(timeline.end):.3g} s and announces {float(promised):.3g} s"
    flaws = find_flaws(path, container.format.name)
    if flaws and flaws[0].start == size:
        return "the mark of its end is missing, so that it was probably cut off"
    if timeline.broken or flaws:
        return "parts of it are unreadable or marked as damaged"
    return ""


def announced_bytes(path: Path) -> int | None:
    """The size that MP4, Matroska, AVI or ASF announce, or that whole packets of TS would have."""
    with path.open("rb") as file:
        start = file.read(12)
        file.seek(0)
        if start[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"styp"):
            return max(_mp4_ends(file), default=None)
    if start[:4] == matroska.MAGIC:
        return matroska.announced_end(path)
    if start[:4] == b"RIFF":  # some writers count the 8 bytes of this header too
        return int.from_bytes(start[4:8], "little")
    if start == asf.MAGIC[:12]:
        with closing(mapped(path)) as data:
            return asf.announced_end(data)
    return _whole_packets(path)


def _whole_packets(path: Path) -> int | None:
    """The size of a transport stream if its last packet were whole (ISO/IEC 13818-1)."""
    with closing(mapped(path)) as data:
        for size in TS_PACKETS:
            start = next((at for at in range(size) if _in_sync(data, at, size)), None)
            left = (len(data) - start) % size if start is not None else 0
            if 0 < left < TS_PACKETS[0] and data[len(data) - left] == TS_SYNC:
                return len(data) - left + TS_PACKETS[0]
    return None


def _in_sync(data: Data, at: int, size: int) -> bool:
    places = range(at, at + 5 * size, size)
    return len(data) > places[-1] and all(data[place] == TS_SYNC for place in places)


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
