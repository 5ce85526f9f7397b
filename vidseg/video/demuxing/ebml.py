"""Elements of Matroska and WebM (RFC 8794, RFC 9559)."""

from typing import NamedTuple

from vidseg.video.demuxing.file_bytes import FileBytes

EBML, SEGMENT, CLUSTER, CRC, VOID = 0x1A45DFA3, 0x18538067, 0x1F43B675, 0xBF, 0xEC
PARENT_IDS = (SEGMENT, CLUSTER)
EBML_MAGIC = EBML.to_bytes(4, "big")
KNOWN_IDS = {
    *(EBML, SEGMENT, CLUSTER, CRC, VOID),
    *(0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1C53BB6B, 0x1043A770, 0x1941A469, 0x1254C367),
    *(0xE7, 0xA7, 0xAB, 0xA3, 0xA0, 0x5854, 0xAF),
}
"""Elements of the two outermost levels: of a segment, then of a cluster (RFC 9559 section 5.1)."""


class Element(NamedTuple):
    """An EBML element."""

    id: int
    start: int
    """Where its content begins."""
    end: int | None
    """Where its content ends; None where the file does not say."""


def announced_end(data: FileBytes) -> int | None:
    """Where the segment ends by its own length; None if the file does not say."""
    header = read_element(data, 0)
    segment = read_element(data, header.end) if header and header.end else None
    return segment.end if segment and segment.id == SEGMENT else None


def read_element(data: FileBytes, at: int) -> Element | None:
    """The element whose header starts at byte `at` of a file; None if there is none."""
    return parse_element(data.read(at, at + 12), at)


def parse_element(head: bytes, at: int) -> Element | None:
    """The element at byte `at` that begins with `head` (RFC 8794 sections 4 to 6)."""
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
