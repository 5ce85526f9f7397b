"""Damage in the two outermost levels of Matroska and WebM, which libavformat skips silently."""

import re
import zlib
from collections.abc import Iterator

from vidseg.video.damage._element_chain import DamagedRange
from vidseg.video.demuxing.ebml import (
    CLUSTER,
    CRC,
    KNOWN_IDS,
    PARENT_IDS,
    SEGMENT,
    Element,
    read_element,
)
from vidseg.video.demuxing.file_bytes import FileBytes

CRC_BYTES = 4
_CLUSTER_ID = re.compile(re.escape(CLUSTER.to_bytes(4, "big")))

Step = tuple[int, DamagedRange | None]
"""Up to which byte a file was checked, and what damage was found since the step before."""


def walk(data: FileBytes, *, contents_from: int | None) -> Iterator[Step]:
    """Checks the elements of a file in order; each step reads no further than it says.

    Clusters that end after the byte `contents_from` are read whole and compared with their
    checksums; of the others, and with None of all, only the headers of elements are read. Damaged
    are clusters with a wrong checksum, and elements that are followed by garbage.
    """
    at, before, end = 0, 0, len(data)
    while at < end:
        element = read_element(data, at)
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


def _next_cluster(data: FileBytes, at: int, end: int) -> int:
    return next(data.search(_CLUSTER_ID, at + 1, end), end)


def _fits_checksum(data: FileBytes, cluster: Element) -> bool:
    """Whether a cluster fits its checksum; most have none (RFC 8794 section 11.3.1)."""
    first = read_element(data, cluster.start)
    if first is None or first.id != CRC or first.end is None or cluster.end is None:
        return True
    if first.end - first.start != CRC_BYTES:
        return False
    stated = int.from_bytes(data.read(first.start, first.end), "little")
    found = 0
    for _, block in data.blocks(first.end, cluster.end):
        found = zlib.crc32(block, found)
    return found == stated


def _intact_again(data: FileBytes, at: int, element: Element, end: int) -> int:
    """Where the file is intact again after a damaged cluster, whose length may be wrong."""
    following = read_element(data, element.end) if element.end is not None else None
    if element.end == end or (following is not None and following.id in KNOWN_IDS):
        return element.end or end
    return _next_cluster(data, at, end)


def _leads_on(data: FileBytes, element: Element, end: int) -> bool:
    """Whether the element is a known one, or one of a size that leads to a known one."""
    if element.id in KNOWN_IDS:
        return True
    if any((element.id ^ known).bit_count() == 1 for known in KNOWN_IDS):
        return False  # what looks new is a known one with a flipped bit
    after = read_element(data, element.end) if element.end is not None else None
    return element.end == end or (after is not None and after.id in KNOWN_IDS)
