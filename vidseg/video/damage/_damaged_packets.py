"""Packets in damaged parts of a file, found by the container's own lengths and checksums."""

from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from vidseg.video.damage import _avi, _element_chain, _matroska
from vidseg.video.damage._element_chain import DamagedRange
from vidseg.video.damage._ffv1 import SliceChecksums
from vidseg.video.demuxing.file_bytes import FileBytes
from vidseg.video.demuxing.packets import VideoPacket
from vidseg.video.info import VideoInfo

CHAINS_BY_FORMAT: dict[str, Callable[[FileBytes], Iterator[DamagedRange]]] = {
    "avi": _avi.avi_chunks,
    "mov": _element_chain.mp4_fragments,
}
"""By libavformat's name of the container. Others have neither a chain of lengths nor checksums, or,
as transport streams, libavformat itself checks them."""

NEXT_ELEMENT_BYTES = 64
"""Bytes after a packet that hold the next element's header: it tells if the packet is intact."""


def broken_chain(path: Path, container: str) -> list[DamagedRange]:
    """Where the chain of a file's elements is broken; contents are not read.

    `container` is libavformat's list of names.
    """
    data = FileBytes(path)
    try:
        return [found for _, found in _check(data, container, contents_from=None) if found]
    finally:
        data.close()


def _check(data: FileBytes, container: str, contents_from: int | None) -> Iterator[_matroska.Step]:
    """Steps through a file: up to which byte it was checked, and the damage found there."""
    names = container.split(",")
    if "matroska" in names:
        yield from _matroska.walk(data, contents_from=contents_from)
    for name in CHAINS_BY_FORMAT:
        if name in names:
            yield from ((found.end, found) for found in CHAINS_BY_FORMAT[name](data))


class DamagedPackets:
    """Tells which packets of a stream are damaged, as they are read; close it after use.

    The file is checked up to the element after the packet at hand, not further.
    """

    def __init__(self, info: VideoInfo, codec: str, *, from_middle: bool) -> None:
        """`from_middle`: reading starts at a keyframe in the middle; damage before is ignored."""
        self.found = bool(info.damage)
        """The file is damaged, as far as is known by now."""
        self._data = FileBytes(info.path)
        self._size = len(self._data)
        self._container = info.container if self._is_worthwhile(info) else ""
        self._steps: Iterator[_matroska.Step] | None = None
        self._checked = 0
        self._ahead: deque[DamagedRange] = deque()
        self._last_end = 0
        self._skip = from_middle
        self._slices = SliceChecksums() if codec == "ffv1" else None

    @staticmethod
    def _is_worthwhile(info: VideoInfo) -> bool:
        """`broken_chain` has shown that the others are intact."""
        return bool(info.damage) or "matroska" in info.container

    def close(self) -> None:
        self._data.close()

    def has(self, packet: VideoPacket) -> bool:
        """Whether `packet` is damaged: in a damaged range, the first after one, or by itself."""
        hit = packet.pos is not None and self._hit(packet.pos, packet.size)
        self._skip = False
        damaged = hit or (self._slices is not None and self._slices.fail(bytes(packet)))
        self.found |= damaged
        return damaged

    def check_rest(self) -> bool:
        """Check the file to its end; whether it is damaged anywhere after the start."""
        self._advance(self._size)
        return self.found

    @property
    def ends_intact(self) -> bool:
        """The last damaged range was followed by intact elements; false before any was found."""
        return 0 < self._last_end < self._size

    def _hit(self, position: int, size: int) -> bool:
        if self._steps is None:
            start = position if self._skip else 0
            self._steps = _check(self._data, self._container, contents_from=start)
        self._advance(position + size + NEXT_ELEMENT_BYTES)
        hit = False
        while self._ahead and self._ahead[0].start <= position:
            hit = True
            if position < self._ahead[0].end:
                break
            self._ahead.popleft()
            hit = not self._skip
        return hit

    def _advance(self, position: int) -> None:
        while self._checked < position and self._steps is not None:
            step = next(self._steps, None)
            if step is None:
                self._checked = self._size
                return
            self._checked, damage = step
            if damage is not None:
                self.found = True
                self._last_end = damage.end
                self._ahead.append(damage)
