"""Containers that are a chain of elements, each of which tells where the next one begins.

Demuxers step over damage in silence: they look for the next thing that they know. Here the chain is
followed by its own lengths, so that the place where it breaks is known.
"""

import mmap
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

Data = bytes | mmap.mmap


class Flaw(NamedTuple):
    """Bytes of a file that cannot be trusted; those from `end` on are whole again."""

    start: int
    end: int


def mapped(path: Path) -> mmap.mmap:
    """The bytes of a file, without reading them all; close it after use."""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


Step = Callable[[Data, int], int | None]
"""Where the element at a byte ends; None where there is none."""


def follow(data: Data, at: int, end: int, step: Step, again: re.Pattern[bytes]) -> list[Flaw]:
    """The flaws of a chain of elements from `at` to `end`.

    The element before a break is not trusted either: bytes may be missing in it. After a break the
    chain goes on at the next place that looks like `again` and leads to a second element.
    """
    flaws, before = [], at
    while at < end:
        after = step(data, at)
        if after is None:
            at = _resumed(data, at, end, step, again)
            flaws.append(Flaw(before, at))
            before = at
        else:
            before, at = at, after
    return [*flaws, Flaw(before, end)] if at > end else flaws


def _resumed(data: Data, at: int, end: int, step: Step, again: re.Pattern[bytes]) -> int:
    for found in again.finditer(data, at + 1, end):
        after = step(data, found.start())
        if after is not None and after < end and step(data, after) is not None:
            return found.start()
    return end


# AVI (Microsoft's AVI RIFF File Reference)

_CHUNK = re.compile(rb"\d\d(?:dc|db|wb|tx|pc|sb)|ix\d\d|JUNK|LIST....rec |idx1|RIFF....AVIX", re.S)


def avi(data: Data) -> list[Flaw]:
    """Flaws between the chunks of the `movi` lists."""
    flaws, at = [], 12
    while at + 12 <= len(data):
        size, kind = int.from_bytes(data[at + 4 : at + 8], "little"), data[at + 8 : at + 12]
        if data[at : at + 4] == b"RIFF":
            at += 12
            continue
        if data[at : at + 4] == b"LIST" and kind == b"movi":
            end = min(at + 8 + size, len(data)) if size else len(data)
            flaws += follow(data, at + 12, end, _avi_step, _CHUNK)
        at += 8 + size + size % 2
    return flaws


def _avi_step(data: Data, at: int) -> int | None:
    for start in (at, at - 1):  # some writers leave the byte out that makes a size even
        head = data[start : start + 12]
        if _CHUNK.match(head):
            if head[:4] == b"LIST":
                return start + 12
            size = int.from_bytes(head[4:8], "little")
            return start + 8 + size + size % 2
    return None


# FLV (Adobe's Video File Format Specification 10, annex E)

_TAG = re.compile(rb"[\x08\x09\x12]......\x00?\x00\x00\x00", re.S)


def flv(data: Data) -> list[Flaw]:
    """Flaws between the tags."""
    header = int.from_bytes(data[5:9], "big")
    return follow(data, header + 4, len(data), _flv_step, _TAG)


def _flv_step(data: Data, at: int) -> int | None:
    head = data[at : at + 11]
    if len(head) < 11 or head[0] & 0x1F not in (8, 9, 15, 18) or head[8:11] != b"\0\0\0":
        return None
    after = at + 11 + int.from_bytes(head[1:4], "big")
    return len(data) if after <= len(data) < after + 4 else after + 4


# IVF, as libvpx and libaom write it

_IVF_FRAME = re.compile(rb"..[\x00-\x7f]\x00........", re.S)


def ivf(data: Data) -> list[Flaw]:
    """Flaws between the frames."""
    header = int.from_bytes(data[6:8], "little")
    return follow(data, header, len(data), _ivf_step, _IVF_FRAME)


def _ivf_step(data: Data, at: int) -> int | None:
    size = int.from_bytes(data[at : at + 4], "little")
    plausible = at + 12 <= len(data) and size < 1 << 28
    return at + 12 + size if plausible else None


# MXF (SMPTE ST 377-1, section 6.3)

_KEY = re.compile(rb"\x06\x0e\x2b\x34[\x01\x02]")


def mxf(data: Data) -> list[Flaw]:
    """Flaws between the packets of key, length and value."""
    first = _KEY.search(data)
    return follow(data, first.start(), len(data), _mxf_step, _KEY) if first else []


def _mxf_step(data: Data, at: int) -> int | None:
    head = data[at : at + 25]
    if len(head) < 17 or not _KEY.match(head):
        return None
    if head[16] < 0x80:
        return at + 17 + head[16]
    count = head[16] & 0x7F
    return at + 17 + count + int.from_bytes(head[17 : 17 + count], "big") if count <= 8 else None


# Fragmented MP4 (ISO/IEC 14496-12, section 4.2)

_BOX = re.compile(rb"....(?:moof|styp|sidx|mdat|mfra)", re.S)


def fragments(data: Data) -> list[Flaw]:
    """Flaws between the boxes; behind those of other files cameras put data of their own."""
    if data.find(b"mvex", 0, 1 << 20) < 0:
        return []
    return follow(data, 0, len(data), _box_step, _BOX)


def _box_step(data: Data, at: int) -> int | None:
    head = data[at : at + 16]
    length = int.from_bytes(head[:4], "big")
    if length == 1:
        length = int.from_bytes(head[8:], "big")
    if not head[4:8].isalnum():
        return None
    if length == 0:
        return len(data)
    return at + length if length >= 8 else None
