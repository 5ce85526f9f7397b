"""Animated GIFs: every frame with a palette of its own, so that memory stays that of one frame."""

import logging
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.filter import Graph
from av.video.format import VideoFormat

from vidseg.structures.frame import Frame
from vidseg.video.codecs import Encoding
from vidseg.video.encoding._encoder import fit, shape
from vidseg.video.info import VideoInfo

log = logging.getLogger("vidseg")

TICK = Fraction(1, 100)
"""GIF counts in hundredths of a second (GIF89a specification, section 23)."""
SHORTEST = 2
"""Ticks; browsers stretch a frame of one tick to ten."""


class GifEncoder:
    """Codes frames for a GIF. Each time is rounded by itself, so that errors never add up.

    Frames that come less than `SHORTEST` ticks after the one before are left out, which happens
    above 50 frames a second; `count` says how many went in.
    """

    def __init__(self, container: Any, info: VideoInfo, encoding: Encoding) -> None:
        self.unit = TICK
        self.count = self._left_out = 0
        self._info = info
        self._size, _ = shape(info, encoding)
        self._first: Fraction | None = None
        self._last = self._end = 0
        self._last_bytes = 0
        self.stream = container.add_stream(encoding.encoder, rate=100)
        context = self.stream.codec_context
        context.height, context.width = self._size
        context.pix_fmt = encoding.pixel_format
        context.time_base = TICK
        context.open()
        self._graph = _palette_graph(self._size)

    def encode(self, frame: Frame) -> list[Any]:
        """The packets that are ready after `frame`; their times count from the first frame."""
        if self._first is None:
            self._first = frame.time
        at = round((frame.time - self._first) / TICK)
        self._end = round((frame.time - self._first + frame.duration) / TICK)
        if self.count and at - self._last < SHORTEST:
            self._left_out += 1
            return []
        self._last = at
        self.count += 1
        image = fit(frame.image, self._info.size, self._size, self._size)
        self._graph.push(av.VideoFrame.from_ndarray(image, "rgb24"))
        picture: Any = self._graph.pull()
        picture.pts, picture.time_base = at, TICK
        return self._sized(self.stream.encode(picture))

    def flush(self) -> list[Any]:
        """The packets that the encoder still holds."""
        if self._left_out:
            log.warning(
                "A GIF shows at most 50 frames a second: %d of %d frames are left out.",
                self._left_out, self._left_out + self.count,
            )  # fmt: skip
        return self._sized(self.stream.encode(None))

    def seal(self, path: Path) -> None:
        """Give the last frame its own delay; ffmpeg's muxer repeats the one before.

        The delay is bytes 4 and 5 of the graphic control extension that opens the frame's block,
        and the file ends with one byte after that block (GIF89a specification, sections 23, 27).
        """
        delay = min(max(self._end - self._last, SHORTEST), 0xFFFF)
        with path.open("rb+") as file:
            file.seek(-1 - self._last_bytes, 2)
            start = file.read(3)
            if start == b"\x21\xf9\x04":
                file.seek(1, 1)
                file.write(delay.to_bytes(2, "little"))

    def _sized(self, packets: list[Any]) -> list[Any]:
        for packet in packets:
            self._last_bytes = packet.size
        return packets


def _palette_graph(size: tuple[int, int]) -> Graph:
    """256 colours chosen for each frame alone, ordered dither so that still parts stay still."""
    graph = Graph()
    source = graph.add_buffer(
        width=size[1], height=size[0], format=VideoFormat("rgb24"), time_base=TICK
    )
    split = graph.add("split")
    palette = graph.add("palettegen", "stats_mode=single:reserve_transparent=1")
    use = graph.add("paletteuse", "new=1:dither=bayer:bayer_scale=3")
    sink = graph.add("buffersink")
    source.link_to(split)
    split.link_to(use, 0, 0)
    split.link_to(palette, 1, 0)
    palette.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    return graph
