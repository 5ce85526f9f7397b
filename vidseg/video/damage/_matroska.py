"""The outermost structure of Matroska and WebM: finds damage that ffmpeg skips in silence."""

import zlib
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from vidseg.video.damage.element_chain import Data, Flaw, mapped

EBML, SEGMENT, CLUSTER, CRC = 0x1A45DFA3, 0x18538067, 0x1F43B675, 0xBF
PARENTS = (SEGMENT, CLUSTER)
MAGIC = EBML.to_bytes(4, "big")
KNOWN = {
    *(EBML, SEGMENT, CLUSTER, CRC, 0xEC),  # 0xEC is free space
    *(0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1C53BB6B, 0x1043A770, 0x1941A469, 0x1254C367),
    *(0xE7, 0xA7, 0xAB, 0xA3, 0xA0, 0x5854, 0xAF),
}
"""Elements of the two outermost levels: of a segment, then of a cluster (RFC 9559 section 5.1)."""


class Element(NamedTuple):
    identity: int
    inside: int
    """Where its content begins."""
    end: int | None
    """Where its content ends; None where the file does not say."""


def announced_end(path: Path) -> int | None:
    """Where the file says that its segment ends; None if it does not say, or is no such file."""
    with closing(mapped(path)) as data:
        header = _element(data, 0)
        segment = header and header.end and _element(data, header.end)
        return segment.end if segment and segment.identity == SEGMENT else None


def flaws(data: Data) -> list[Flaw]:
    """Clusters whose checksum is wrong, and places where an element is followed by garbage."""
    found: list[Flaw] = []
    at, before, end = 0, 0, len(data)
    while at < end:
        element = _element(data, at)
        if element is None or not _leads_on(data, element, end):
            at = _next_cluster(data, at, end)
            found.append(Flaw(before, at))
            before = at
            continue
        if element.identity not in PARENTS and element.end is not None and element.end > end:
            return [*found, Flaw(at, end)]
        before = at
        if element.identity == SEGMENT and element.end is not None:
            end = min(end, element.end)
        if element.identity == CLUSTER and not _checks(data, element):
            after = _after(data, at, element, end)
            found.append(Flaw(at, after))
            at = before = after
            continue
        descend = element.identity in PARENTS or element.end is None
        at = element.inside if descend else element.end or end
    return found


def _next_cluster(data: Data, at: int, end: int) -> int:
    found = data.find(CLUSTER.to_bytes(4, "big"), at + 1, end)
    return found if found >= 0 else end


def _checks(data: Data, cluster: Element) -> bool:
    """Whether a cluster fits its checksum; most have none (RFC 8794 section 11.3.1)."""
    first = _element(data, cluster.inside)
    if first is None or first.identity != CRC or first.end is None or cluster.end is None:
        return True
    if cluster.end > len(data):
        return True
    stated = int.from_bytes(data[first.inside : first.end], "little")
    return zlib.crc32(data[first.end : cluster.end]) == stated


def _after(data: Data, at: int, element: Element, end: int) -> int:
    """Where the file is whole again after a damaged cluster, whose length may be wrong."""
    following = _element(data, element.end) if element.end is not None else None
    if element.end == end or (following is not None and following.identity in KNOWN):
        return element.end or end
    return _next_cluster(data, at, end)


def _leads_on(data: Data, element: Element, end: int) -> bool:
    """Whether it is a known element, or one of a size that leads to a known one."""
    if element.identity in KNOWN:
        return True
    if any((element.identity ^ known).bit_count() == 1 for known in KNOWN):
        return False  # what looks new is a known one with a bit flipped
    after = _element(data, element.end) if element.end is not None else None
    return element.end == end or (after is not None and after.identity in KNOWN)


def _element(data: Data, at: int) -> Element | None:
    """The element whose header starts at `at` (RFC 8794 sections 4 to 6)."""
    head = data[at : at + 12]
    identity_bytes = _width(head)
    size = head[identity_bytes:]
    size_bytes = _width(size)
    if not identity_bytes or not size_bytes:
        return None
    inside = at + identity_bytes + size_bytes
    endless = (1 << 7 * size_bytes) - 1
    length = int.from_bytes(size[:size_bytes], "big") & endless
    identity = int.from_bytes(head[:identity_bytes], "big")
    return Element(identity, inside, None if length == endless else inside + length)


def _width(data: bytes) -> int:
    """Bytes of the variable-size integer that `data` begins with; 0 where it holds none."""
    return 9 - data[0].bit_length() if data and data[0] else 0
