"""Containers that are a chain of elements, each of which tells where the next one begins.

Demuxers skip damage silently and search for the next element they know. Here the chain is followed
by its own lengths, so that the place where it breaks is known.
"""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

SEARCH_BYTES = 1 << 20
"""Bytes that are read at a time in a search."""


class DamagedRange(NamedTuple):
    """Bytes of a file that cannot be trusted; from `end` on the file is intact again."""

    start: int
    end: int


class Bytes:
    """The bytes of a file, of which only those asked for are read; close it after use."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        self._size = path.stat().st_size

    def __len__(self) -> int:
        return self._size

    def read(self, start: int, end: int) -> bytes:
        """The bytes from `start` to before `end`, as far as there are any."""
        if end <= start:
            return b""
        os.lseek(self._file, start, os.SEEK_SET)
        return os.read(self._file, end - start)

    def blocks(self, start: int, end: int, overlap: int = 0) -> Iterator[tuple[int, bytes]]:
        """(place, bytes) in blocks of bounded size; each also begins the next one's `overlap`."""
        while start < min(end, self._size):
            yield start, self.read(start, min(start + SEARCH_BYTES + overlap, end))
            start += SEARCH_BYTES

    def search(self, pattern: re.Pattern[bytes], start: int, end: int) -> Iterator[int]:
        """Where `pattern` (of at most 32 bytes) is found."""
        for at, data in self.blocks(start, end, overlap=31):
            for found in pattern.finditer(data):
                if found.start() < SEARCH_BYTES:
                    yield at + found.start()

    def close(self) -> None:
        os.close(self._file)


Step = Callable[[Bytes, int], int | None]
"""Where the element at a byte ends; None where there is none."""


def follow_chain(
    data: Bytes, at: int, end: int, step: Step, resume: re.Pattern[bytes]
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


def _resumed(data: Bytes, at: int, end: int, step: Step, resume: re.Pattern[bytes]) -> int:
    for found in data.search(resume, at + 1, end):
        after = step(data, found)
        if after is not None and after < end and step(data, after) is not None:
            return found
    return end


# Fragmented MP4 (ISO/IEC 14496-12, section 4.2)

_BOX = re.compile(rb"....(?:moof|styp|sidx|mdat|mfra)", re.S)


def mp4_fragments(data: Bytes) -> Iterator[DamagedRange]:
    """Damaged ranges between boxes; files without fragments may end in data of the camera's own."""
    if b"mvex" in data.read(0, SEARCH_BYTES):
        yield from follow_chain(data, 0, len(data), _box_end, _BOX)


def _box_end(data: Bytes, at: int) -> int | None:
    head = data.read(at, at + 16)
    length = int.from_bytes(head[:4], "big")
    if length == 1:
        length = int.from_bytes(head[8:], "big")
    if not head[4:8].isalnum():
        return None
    if length == 0:
        return len(data)
    return at + length if length >= 8 else None
