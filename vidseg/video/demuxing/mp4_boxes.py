"""The boxes of an MP4 or MOV file (ISO/IEC 14496-12 section 4.2)."""

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple


class Box(NamedTuple):
    """A box of an MP4 file; its content lies between two bytes."""

    kind: bytes
    start: int
    end: int


def boxes(file: BinaryIO, at: int, end: int) -> Iterator[Box]:
    """The boxes between two bytes of a file, up to the first that is none."""
    while at + 8 <= end:
        file.seek(at)
        head = file.read(16)
        size, start = int.from_bytes(head[:4], "big"), at + 8
        if size == 1:
            size, start = int.from_bytes(head[8:16], "big"), at + 16
        elif size == 0:  # up to the end
            size = end - at
        if size < start - at or not head[4:8].isalnum():
            return
        yield Box(head[4:8], start, at + size)
        at += size
