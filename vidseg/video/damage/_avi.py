"""AVI: the chunks of its `movi` lists (Microsoft's AVI RIFF File Reference)."""

import re
from collections.abc import Iterator

from vidseg.video.damage._element_chain import DamagedRange, follow_chain
from vidseg.video.demuxing.file_bytes import FileBytes

_CHUNK = re.compile(rb"\d\d(?:dc|db|wb|tx|pc|sb)|ix\d\d|JUNK|LIST....rec |idx1|RIFF....AVIX", re.S)


def avi_chunks(data: FileBytes) -> Iterator[DamagedRange]:
    """Damaged ranges between the chunks."""
    for start, end in _movi_lists(data):
        yield from follow_chain(data, start, end, _chunk_end, _CHUNK)


def chunks_of_stream(data: FileBytes, index: int) -> int:
    """How many chunks a video stream has, empty ones included, which repeat the frame before."""
    count, kinds = 0, (b"%02ddc" % index, b"%02ddb" % index)
    for at, end in _movi_lists(data):
        while at < end and (after := _chunk_end(data, at)) is not None:
            count += data.read(at, at + 4) in kinds
            at = after
    return count


def _movi_lists(data: FileBytes) -> Iterator[tuple[int, int]]:
    """Where the content of each `movi` list begins and ends."""
    at = 12
    while at + 12 <= len(data):
        head = data.read(at, at + 12)
        size = int.from_bytes(head[4:8], "little")
        if head[:4] == b"RIFF":
            at += 12
            continue
        if not head[:4].strip().isalnum():  # no chunk
            return
        if head[:4] == b"LIST" and head[8:] == b"movi":
            yield at + 12, min(at + 8 + size, len(data)) if size else len(data)
        at += 8 + size + size % 2


def _chunk_end(data: FileBytes, at: int) -> int | None:
    near = data.read(at - 1, at + 12)
    for start in (at, at - 1):  # some writers leave out the byte that makes a size even
        head = near[start - at + 1 :]
        if _CHUNK.match(head):
            if head[:4] == b"LIST":
                return start + 12
            size = int.from_bytes(head[4:8], "little")
            return start + 8 + size + size % 2
    return None
