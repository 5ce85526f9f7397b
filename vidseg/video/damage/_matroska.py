"""The two outermost levels of Matroska and WebM: finds damage that libavformat skips silently."""

import re
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from vidseg.video.damage._element_chain import Bytes, DamagedRange

EBML, SEGMENT, CLUSTER, CRC, VOID = 0x1A45DFA3, 0x18538067, 0x1F43B675, 0xBF, 0xEC
PARENT_IDS = (SEGMENT, CLUSTER)
MAGIC = EBML.to_bytes(4, "big")
KNOWN_IDS = {
    *(EBML, SEGMENT, CLUSTER, CRC, VOID),
    *(0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1C53BB6B, 0x1043A770, 0x1941A469, 0x1254C367),
    *(0xE7, 0xA7, 0xAB, 0xA3, 0xA0, 0x5854, 0xAF),
}
"""Elements of the two outermost levels: of a segment, then of a cluster (RFC 9559 section 5.1)."""
_CLUSTER_ID = re.compile(re.escape(CLUSTER.to_bytes(4, "big")))


class Element(NamedTuple):
    """An EBML element."""

    id: int
    start: int
    """Where its content begins."""
    end: int | None
    """Where its content ends; None where the file does not say."""


def announced_end(data: Bytes) -> int | None:
    """Where the segment ends by its own length; None if the file does not say."""
    header = _element(data, 0)
    segment = _element(data, header.end) if header and header.end else None
    return segment.end if segment and segment.id == SEGMENT else None


Step = tuple[int, DamagedRange | None]
"""Up to which byte a file was checked, and what damage was found since the step before."""


def walk(data: Bytes, *, contents_from: int | None) -> Iterator[Step]:
    """Checks the elements of a file in order; each step reads no further than it says.

    Clusters that end after the byte `contents_from` are read whole and compared with their
    checksums; of the others, and with None of all, only the headers of elements are read. Damaged
    are clusters with a wrong checksum, and elements that are followed by garbage.
    """
    at, before, end = 0, 0, len(data)
    while at < end:
        element = _element(data, at)
        if element is None or not _leads_on(data, element, end):
            at = _next_cluster(data, at, end)
            yield at, DamagedRange(before, at)
            before = at
            continue
        if element.id not in PARENT_IDS and element.end is not None and element.end > end:
            yield end, DamagedRange(at, end)
            return
        before = at
        if element.id == SEGMENT and element.end is not None:
            end = min(end, element.end)
        descend = element.id in PARENT_IDS or element.end is None
        if element.id == CLUSTER and element.end is not None and element.end <= end:
            if contents_from is None or element.end <= contents_from:
                descend = False
            elif not _fits_checksum(data, element):
                at = _intact_again(data, at, element, end)
                yield at, DamagedRange(before, at)
                before = at
                continue
        at = element.start if descend else element.end or end
        yield at, None


def _next_cluster(data: Bytes, at: int, end: int) -> int:
    return next(data.search(_CLUSTER_ID, at + 1, end), end)


def _fits_checksum(data: Bytes, cluster: Element) -> bool:
    """Whether a cluster fits its checksum; most have none (RFC 8794 section 11.3.1)."""
    first = _element(data, cluster.start)
    if first is None or first.id != CRC or first.end is None or cluster.end is None:
        return True
    stated = int.from_bytes(data.read(first.start, first.end), "little")
    found = 0
    for _, block in data.blocks(first.end, cluster.end):
        found = zlib.crc32(block, found)
    return found == stated


def _intact_again(data: Bytes, at: int, element: Element, end: int) -> int:
    """Where the file is intact again after a damaged cluster, whose length may be wrong."""
    following = _element(data, element.end) if element.end is not None else None
    if element.end == end or (following is not None and following.id in KNOWN_IDS):
        return element.end or end
    return _next_cluster(data, at, end)


def _leads_on(data: Bytes, element: Element, end: int) -> bool:
    """Whether the element is a known one, or one of a size that leads to a known one."""
    if element.id in KNOWN_IDS:
        return True
    if any((element.id ^ known).bit_count() == 1 for known in KNOWN_IDS):
        return False  # what looks new is a known one with a flipped bit
    after = _element(data, element.end) if element.end is not None else None
    return element.end == end or (after is not None and after.id in KNOWN_IDS)


def _element(data: Bytes, at: int) -> Element | None:
    """The element whose header starts at `at` (RFC 8794 sections 4 to 6)."""
    head = data.read(at, at + 12)
    id_bytes = _integer_bytes(head)
    size = head[id_bytes:]
    size_bytes = _integer_bytes(size)
    if not id_bytes or not size_bytes:
        return None
    start = at + id_bytes + size_bytes
    unknown = (1 << 7 * size_bytes) - 1
    length = int.from_bytes(size[:size_bytes], "big") & unknown
    id = int.from_bytes(head[:id_bytes], "big")
    return Element(id, start, None if length == unknown else start + length)


def _integer_bytes(data: bytes) -> int:
    """Bytes of the variable-size integer that `data` begins with; 0 if there is none."""
    return 9 - data[0].bit_length() if data and data[0] else 0
