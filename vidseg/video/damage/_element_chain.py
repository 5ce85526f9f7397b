"""Containers that are a chain of elements, each of which tells where the next one begins.

Demuxers skip damage silently and search for the next element they know. Here the chain is followed
by its own lengths, so that the place where it breaks is known.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from vidseg.video.demuxing.file_bytes import SEARCH_BYTES, FileBytes


class DamagedRange(NamedTuple):
    """Bytes of a file that cannot be trusted; from `end` on the file is intact again."""

    start: int
    end: int


Step = Callable[[FileBytes, int], int | None]
"""Where the element at a byte ends; None where there is none."""


def follow_chain(
    data: FileBytes, at: int, end: int, step: Step, resume: re.Pattern[bytes]
) -> Iterator[DamagedRange]:
    """The damaged ranges of a chain of elements from `at` to `end`.

    The element before a break is not trusted either: bytes may be missing in it. After a break the
    chain goes on at the next place that looks like `resume` and leads to a second element.
    """
    before = at
    while at < end:
        after = step(data, at)
        if after is None:
            at = _resumed(data, at, end, step, resume)
            yield DamagedRange(before, at)
            before = at
        else:
            before, at = at, after
    if at > end:
        yield DamagedRange(before, end)


def _resumed(data: FileBytes, at: int, end: int, step: Step, resume: re.Pattern[bytes]) -> int:
    for found in data.search(resume, at + 1, end):
        after = step(data, found)
        if after is not None and after < end and step(data, after) is not None:
            return found
    return end


# Fragmented MP4 (ISO/IEC 14496-12, section 4.2)

_BOX = re.compile(rb"....(?:moof|styp|sidx|mdat|mfra)", re.S)


def mp4_fragments(data: FileBytes) -> Iterator[DamagedRange]:
    """Damaged ranges between boxes; files without fragments may end in data of the camera's own."""
    if b"mvex" in data.read(0, SEARCH_BYTES):
        yield from follow_chain(data, 0, len(data), _box_end, _BOX)


def _box_end(data: FileBytes, at: int) -> int | None:
    head = data.read(at, at + 16)
    length = int.from_bytes(head[:4], "big")
    if length == 1:
        length = int.from_bytes(head[8:], "big")
    if not head[4:8].isalnum():
        return None
    if length == 0:
        return len(data)
    return at + length if length >= 8 else None
