"""Animated GIFs. Every frame has its own palette, so that only one frame is in memory."""

import logging
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av import Packet, VideoStream
from av.container import OutputContainer
from av.filter import Graph
from av.video.format import VideoFormat

from vidseg.structures.frame import Frame, Image
from vidseg.video.codecs import Encoding
from vidseg.video.encoding._photo_source import SourceAlpha
from vidseg.video.encoding.encoder import encoded_shape, fit
from vidseg.video.info import VideoInfo

log = logging.getLogger("vidseg")

GIF_TICK = Fraction(1, 100)
"""Seconds: GIF stores delays in hundredths (GIF89a specification, section 23)."""
MIN_DELAY_TICKS = 2
"""Browsers show a frame of one tick for ten."""
MAX_DELAY_TICKS = 0xFFFF


class GifEncoder:
    """Encodes frames for a GIF. Each time is rounded by itself, so that errors do not add up.

    Frames less than `MIN_DELAY_TICKS` after the one before are left out, which happens above 50
    frames per second. `count` is the number of frames that were encoded.
    """

    def __init__(self, container: OutputContainer, info: VideoInfo, encoding: Encoding) -> None:
        self.unit = GIF_TICK
        self.count = self._dropped = 0
        self._info = info
        self._size, _ = encoded_shape(info, encoding)
        self._first: Fraction | None = None
        self._last = self._end = 0
        self._last_bytes = 0
        added = container.add_stream(encoding.encoder, rate=100)
        assert isinstance(added, VideoStream)
        self.stream = added
        context = self.stream.codec_context
        context.height, context.width = self._size
        context.pix_fmt = encoding.pixel_format
        context.time_base = GIF_TICK
        context.open()
        self._alpha = SourceAlpha(info)
        self._pixel_format = "rgba" if info.alpha and info.kind != "video" else "rgb24"
        self._graph = _palette_graph(self._size, self._pixel_format)

    def encode(self, frame: Frame) -> list[Packet]:
        """The packets that are ready after `frame`; their times start at the first frame."""
        if self._first is None:
            self._first = frame.time
        at = round((frame.time - self._first) / GIF_TICK)
        self._end = round((frame.time - self._first + frame.duration) / GIF_TICK)
        if self.count and at - self._last < MIN_DELAY_TICKS:
            self._dropped += 1
            return []
        self._last = at
        self.count += 1
        self._graph.push(av.VideoFrame.from_ndarray(self._pixels(frame), self._pixel_format))
        paletted = self._graph.pull()
        assert isinstance(paletted, av.VideoFrame)
        paletted.pts, paletted.time_base = at, GIF_TICK
        return self._note_size(self.stream.encode(paletted))

    def close(self) -> None:
        """Do nothing: no other file is open."""

    def flush(self) -> list[Packet]:
        """The packets that the encoder still holds."""
        if self._dropped:
            log.warning(
                "A GIF shows at most 50 frames per second: %d of %d frames are left out.",
                self._dropped, self._dropped + self.count,
            )  # fmt: skip
        return self._note_size(self.stream.encode(None))

    def finalize(self, path: Path) -> None:
        """Give the last frame its own delay: ffmpeg's muxer repeats that of the frame before.

        The delay is bytes 4 and 5 of the graphic control extension at the start of the frame's
        block. One byte follows that block (GIF89a specification, sections 23 and 27).
        """
        delay = min(max(self._end - self._last, MIN_DELAY_TICKS), MAX_DELAY_TICKS)
        with path.open("rb+") as file:
            file.seek(-1 - self._last_bytes, 2)
            start = file.read(3)
            if start == b"\x21\xf9\x04":
                file.seek(1, 1)
                file.write(delay.to_bytes(2, "little"))

    def _pixels(self, frame: Frame) -> Image:
        """The image in the size and pixel format of the GIF."""
        image = self._alpha.restore(frame)
        if self._pixel_format == "rgba" and image.shape[2] == 3:
            image = np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
        return fit(image, self._info.size, self._size, self._size)

    def _note_size(self, packets: list[Packet]) -> list[Packet]:
        for packet in packets:
            self._last_bytes = packet.size
        return packets


def _palette_graph(size: tuple[int, int], pixel_format: str) -> Graph:
    """256 colours for each frame, with ordered dithering, so that static areas do not flicker."""
    graph = Graph()
    source = graph.add_buffer(
        width=size[1], height=size[0], format=VideoFormat(pixel_format), time_base=GIF_TICK
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
