"""Deinterlacing by ffmpeg's bwdif: one frame for each frame, at the same time."""

import logging
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from av import VideoFrame
from av.error import BlockingIOError as NotYetError
from av.error import EOFError as EndError
from av.filter import Graph

from vidseg.video.decoding._frame_times import TimedFrame

log = logging.getLogger("vidseg")


def deinterlaced(frames: Iterator[TimedFrame], path: Path) -> Iterator[TimedFrame]:
    """The same frames, interlaced ones without combing; warns once, naming `path`.

    From the first interlaced frame on, one frame is held: bwdif compares each with the next one.
    """
    deinterlacer: _Deinterlacer | None = None
    warned = False
    for item in frames:
        if deinterlacer is not None and not deinterlacer.fits(item.frame):
            yield from deinterlacer.finish()
            deinterlacer = None
        if deinterlacer is None and item.frame.interlaced_frame:
            deinterlacer = _Deinterlacer(item.frame)
        if deinterlacer is None:
            yield item
            continue
        if not warned:
            warned = True
            log.warning(
                "%s is interlaced; its frames are deinterlaced. Use "
                "`keep_interlaced=True` to leave them as they are.",
                path,
            )
        yield from deinterlacer.feed(item)
    if deinterlacer is not None:
        yield from deinterlacer.finish()


class _Deinterlacer:
    """A filter graph for frames of one size and pixel format."""

    def __init__(self, frame: VideoFrame) -> None:
        self._shape = _shape(frame)
        self._waiting: deque[TimedFrame] = deque()
        self._graph = Graph()
        source = self._graph.add_buffer(
            width=frame.width,
            height=frame.height,
            format=frame.format,
            time_base=frame.time_base,
        )
        bwdif = self._graph.add("bwdif", "mode=send_frame:parity=auto:deint=interlaced")
        self._graph.link_nodes(source, bwdif, self._graph.add("buffersink")).configure()

    def fits(self, frame: VideoFrame) -> bool:
        """Whether a frame has the size and format of the first one."""
        return _shape(frame) == self._shape

    def feed(self, item: TimedFrame) -> Iterator[TimedFrame]:
        """The frames that are ready once `item` has gone in."""
        self._waiting.append(item)
        self._graph.push(item.frame)
        yield from self._ready()

    def finish(self) -> Iterator[TimedFrame]:
        """The frames that are left."""
        self._graph.push(None)
        yield from self._ready()

    def _ready(self) -> Iterator[TimedFrame]:
        while self._waiting:
            try:
                frame = cast(VideoFrame, self._graph.pull())
            except (NotYetError, EndError):
                return
            yield self._waiting.popleft()._replace(frame=frame)


def _shape(frame: VideoFrame) -> tuple[int, int, str]:
    return frame.width, frame.height, frame.format.name
