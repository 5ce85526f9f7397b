"""The times of all frames of Matroska and WebM from the headers of their blocks (RFC 9559).

There is no index of all frames. Only the headers are read, so that a file of gigabytes takes some
megabytes to read. libavformat would read it whole.
"""

from array import array
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from vidseg.video.demuxing._frame_index import FrameIndex
from vidseg.video.demuxing.ebml import CLUSTER, KNOWN_IDS, SEGMENT, Element, parse_element
from vidseg.video.demuxing.file_bytes import FileBytes
from vidseg.video.demuxing.packets import VideoPacket

TRACKS, TRACK, TRACK_NUMBER, TRACK_TYPE, VIDEO_TYPE = 0x1654AE6B, 0xAE, 0xD7, 0x83, 1
TIMESTAMP, SIMPLE_BLOCK, BLOCK_GROUP = 0xE7, 0xA3, 0xA0
BLOCK, DURATION, REFERENCE = 0xA1, 0x9B, 0xFB
KEYFRAME, LACING = 0x80, 0x06
"""Flags of a block."""
MAX_INTEGER_BYTES = 7
"""One less than the format allows, so that times fit into 64 bits."""
HEADER_BYTES = 20
"""Bytes at the start of an element that hold its header, and that of a block in it."""


class _UnreadableError(Exception):
    """Something that only libavformat can read."""


def read_matroska_index(
    path: Path, container: InputContainer, stream: VideoStream, first: VideoPacket
) -> FrameIndex | None:
    """The index, checked against the `first` packet of the stream; None if it cannot be read."""
    if "matroska" not in container.format.name.split(",") or first.pts is None:
        return None
    with closing(FileBytes(path)) as data:
        try:
            blocks = _Blocks(data, stream.index, first.duration or 0)
        except _UnreadableError:
            return None
    pts = np.frombuffer(blocks.times, np.int64)
    if not len(pts):
        return None
    return FrameIndex(
        pts=pts + (first.pts - pts[0]),
        durations=np.frombuffer(blocks.durations, np.int64),
        keys=np.frombuffer(blocks.keys, np.bool_),
        shown=np.ones(len(pts), np.bool_),
    )


class _Blocks:
    """The blocks of a video track, in order."""

    def __init__(self, data: FileBytes, index: int, duration: int) -> None:
        """`index` counts the tracks; `duration` is that of blocks which do not say their own."""
        self._data, self._index, self._duration = data, index, duration
        self._track = 0
        """The first byte of the track's blocks."""
        self._cluster_time = 0
        self.times, self.durations, self.keys = array("q"), array("q"), bytearray()
        self._read()

    def _read(self) -> None:
        at, end = 0, len(self._data)
        while at < end:
            element, head = self._element(at)
            if element.id in (SEGMENT, CLUSTER):
                at = element.start
                continue
            if element.end is None or element.end > end or element.id not in KNOWN_IDS:
                raise _UnreadableError
            if element.id == SIMPLE_BLOCK:
                flags = self._add(head[element.start - at :], self._duration)
                if flags is not None:
                    self.keys.append(bool(flags & KEYFRAME))
            elif element.id == TIMESTAMP:
                self._cluster_time = self._integer(element)
            elif element.id == BLOCK_GROUP:
                self._group(element)
            elif element.id == TRACKS:
                self._track = 0x80 | self._number(element)
            at = element.end

    def _children(self, parent: Element) -> Iterator[Element]:
        at, end = parent.start, parent.end or 0
        while at < end:
            element, _ = self._element(at)
            if element.end is None or element.end > end:
                raise _UnreadableError
            yield element
            at = element.end

    def _number(self, tracks: Element) -> int:
        """The number of the video track; libavformat's streams have the order of the tracks."""
        entries = [track for track in self._children(tracks) if track.id == TRACK]
        if self._index >= len(entries):
            raise _UnreadableError
        found = {element.id: element for element in self._children(entries[self._index])}
        number, kind = found.get(TRACK_NUMBER), found.get(TRACK_TYPE)
        if number is None or kind is None or self._integer(kind) != VIDEO_TYPE:
            raise _UnreadableError
        if not 0 < self._integer(number) < 127:
            raise _UnreadableError
        return self._integer(number)

    def _integer(self, element: Element) -> int:
        data = self._data.read(element.start, element.end or 0)
        if len(data) > MAX_INTEGER_BYTES:
            raise _UnreadableError
        return int.from_bytes(data, "big")

    def _element(self, at: int) -> tuple[Element, bytes]:
        """An element and the bytes at its start."""
        head = self._data.read(at, at + HEADER_BYTES)
        element = parse_element(head, at)
        if element is None:
            raise _UnreadableError
        return element, head

    def _add(self, block: bytes, duration: int) -> int | None:
        """Take a block (RFC 9559 section 10); its flags, or None if it is another track's."""
        if block[:1] and not block[0] & 0x80:  # a track above 127
            raise _UnreadableError
        if len(block) < 4 or block[0] != self._track:
            return None
        if block[3] & LACING:
            raise _UnreadableError
        self.times.append(self._cluster_time + int.from_bytes(block[1:3], "big", signed=True))
        self.durations.append(duration)
        return block[3]

    def _group(self, group: Element) -> None:
        """A block with a duration, or references to other blocks: without any it is a keyframe."""
        block, duration, is_key = b"", self._duration, True
        for element in self._children(group):
            if element.id == BLOCK:
                block = self._data.read(element.start, element.start + 4)
            elif element.id == DURATION:
                duration = self._integer(element)
            elif element.id == REFERENCE:
                is_key = False
        if self._add(block, duration) is not None:
            self.keys.append(is_key)
