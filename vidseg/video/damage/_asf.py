"""ASF, as in .wmv: packets of one size, in which numbered objects lie in pieces.

Names and sections are those of Microsoft's Advanced Systems Format specification, revision 01.20.
"""

from collections.abc import Iterator
from typing import NamedTuple

from vidseg.video.damage.element_chain import Data, Flaw

MAGIC = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
DATA_OBJECT = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")
WIDTHS = (0, 1, 2, 4)
"""Bytes of a field, by its two bits of length type (section 5.2.2)."""
HABIT = 0.05
"""Share of jumps in a stream's object numbers from which on they are no sign of damage."""


class Layout(NamedTuple):
    """Where the packets lie."""

    start: int
    size: int
    packets: int
    """How many there should be; 0 in a live recording, which does not know."""


class _Piece(NamedTuple):
    stream: int
    number: int
    offset: int
    """Bytes of the object that came before."""
    size: int
    total: int


class _Progress:
    """Where the pieces of one stream have come to."""

    def __init__(self) -> None:
        self.number = self.offset = self.total = -1
        self.steps = 0
        self.jumps: list[Flaw] = []

    def add(self, piece: _Piece, flaw: Flaw) -> bool:
        """Whether pieces are missing before this one; a jump in the numbers is kept apart."""
        torn = self.number >= 0 and self.offset < self.total
        goes_on = (piece.number, piece.offset) == (self.number, self.offset)
        if piece.offset == 0 and not goes_on:
            self.steps += 1
            if self.number >= 0 and piece.number != (self.number + 1) % 256:
                self.jumps.append(flaw)
            missing = torn
        else:
            missing = not goes_on and self.number >= 0
        self.number, self.offset, self.total = piece.number, piece.offset + piece.size, piece.total
        return missing


def layout(data: Data) -> Layout | None:
    """Where the packets lie; None where the header cannot be read (sections 3.2 and 5.1)."""
    at, size = data.find(FILE_PROPERTIES, 0, 1 << 16), 0
    begin = int.from_bytes(data[16:24], "little")
    if at < 0 or data[begin : begin + 16] != DATA_OBJECT:
        return None
    live = data[at + 88] & 1
    size = int.from_bytes(data[at + 92 : at + 96], "little")
    count = 0 if live else int.from_bytes(data[begin + 40 : begin + 48], "little")
    return Layout(begin + 50, size, count) if size else None


def announced_end(data: Data) -> int | None:
    """Where the last packet ends, by the header."""
    found = layout(data)
    return found.start + found.size * found.packets if found and found.packets else None


def flaws(data: Data) -> list[Flaw]:
    """Packets that are no packets, and those before which pieces of objects are missing."""
    place = layout(data)
    if place is None:
        return []
    found: list[Flaw] = []
    streams: dict[int, _Progress] = {}
    end = min(place.start + place.size * place.packets if place.packets else len(data), len(data))
    for at in range(place.start, end - place.size + 1, place.size):
        flaw = Flaw(at, at + place.size)
        try:
            pieces = list(_pieces(data[at : at + place.size]))
        except (IndexError, ValueError):
            found.append(flaw)
            continue
        missing = [streams.setdefault(p.stream, _Progress()).add(p, flaw) for p in pieces]
        if any(missing):
            found.append(flaw)
    for progress in streams.values():
        if len(progress.jumps) <= max(1, HABIT * progress.steps):
            found += progress.jumps
    return sorted(set(found))


def _pieces(packet: bytes) -> Iterator[_Piece]:
    """The pieces in a packet (section 5.2). Raises ValueError or IndexError where it is none."""
    at = 1 + (packet[0] & 0x0F) if packet[0] & 0x80 else 0
    flags, widths = packet[at], packet[at + 1]
    at += 2
    whole, at = _number(packet, at, flags >> 5)
    _, at = _number(packet, at, flags >> 1)
    padding, at = _number(packet, at, flags >> 3)
    at += 6  # when to send it, and how long it lasts
    end = (whole or len(packet)) - padding
    several, count, width = flags & 1, 1, 0
    if several:
        count, width, at = packet[at] & 0x3F, packet[at] >> 6, at + 1
    for _ in range(count):
        stream, at = packet[at] & 0x7F, at + 1
        number, at = _number(packet, at, widths >> 4)
        offset, at = _number(packet, at, widths >> 2)
        about, at = _number(packet, at, widths)
        total = int.from_bytes(packet[at : at + 4], "little") if about >= 8 else 0
        at += about
        size, at = _number(packet, at, width) if several else (end - at, at)
        if about != 1:  # 1: small objects share the piece, and `offset` is a time
            yield _Piece(stream, number, offset, size, total)
        at += size
        if not stream or at > end:
            raise ValueError("the pieces are longer than their packet")


def _number(packet: bytes, at: int, kind: int) -> tuple[int, int]:
    """The field at `at`, and where it ends."""
    width = WIDTHS[kind & 3]
    return int.from_bytes(packet[at : at + width], "little"), at + width
