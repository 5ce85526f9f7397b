"""Ogg (RFC 3533): pages carry a checksum and a number, the last of each stream also a mark."""

import zlib

from vidseg.video.damage.element_chain import Data, Flaw

MAGIC = b"OggS"
FIRST, LAST = 2, 4
"""Bits of a page's flags: it begins, or ends, its stream."""
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def flaws(data: Data) -> list[Flaw]:
    """Pages that are damaged or missing; and the end, where a stream has no last page."""
    found: list[Flaw] = []
    numbers: dict[bytes, int] = {}
    at = data.find(MAGIC)
    while 0 <= at < len(data):
        end = _page_end(data, at)
        if end is None or not _is_sound(data[at:end]):
            after = data.find(MAGIC, at + 4)
            found.append(Flaw(at, after if after >= 0 else len(data)))
            at = after
            continue
        flags, serial = data[at + 5], data[at + 14 : at + 18]
        number = int.from_bytes(data[at + 18 : at + 22], "little")
        if not flags & FIRST and numbers.get(serial, number) != number:
            found.append(Flaw(at, at))
        numbers[serial] = number + 1
        if flags & LAST:
            del numbers[serial]
        at = end
    return [*found, Flaw(len(data), len(data))] if numbers else found


def _page_end(data: Data, at: int) -> int | None:
    """Where the page at `at` ends; None where it is no page, or one that is cut off."""
    head = data[at : at + 27]
    if len(head) < 27 or head[:4] != MAGIC:
        return None
    sizes = data[at + 27 : at + 27 + head[26]]
    end = at + 27 + head[26] + sum(sizes)
    return end if end <= len(data) else None


def _is_sound(page: bytes) -> bool:
    return checksum(page[:22] + bytes(4) + page[26:]) == int.from_bytes(page[22:26], "little")


def checksum(data: bytes) -> int:
    """CRC-32 from the highest bit down, starting at 0 and not inverted: zlib's, mirrored."""
    mirrored = zlib.crc32(data.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)
