"""Frames that keep the bits and the range of the source wherever nothing was drawn.

Effects draw on 8-bit RGB. For deeper outputs the source is decoded a second time, in step with the
drawn frames, and only the pixels that differ from what was drawn on are replaced in its frames.
"""

from collections.abc import Callable, Iterator

import numpy as np
from av import VideoFrame
from av.video.format import VideoFormat
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from vidseg.structures.frame import Frame, Image
from vidseg.video.codecs import Encoding
from vidseg.video.color import rgb_codes
from vidseg.video.decoding.reader import read_decoded
from vidseg.video.info import VideoInfo
from vidseg.video.orientation import Orientation, upright, upright_size
from vidseg.video.tone_mapping import tone_map, undo_tone_map

Plane = NDArray[np.uint16]
ToYuv = Callable[[VideoFrame], VideoFrame]
"""Converts RGB frames to the matrix, range and pixel format of the encoder."""
UNSUBSAMPLED = "yuv444p10le"


def source_bits(info: VideoInfo) -> int:
    """Bits per channel of the source."""
    return (
        8
        if info.kind != "video"
        else max(c.bits for c in VideoFormat(info.pixel_format).components)
    )


def is_deep(info: VideoInfo, encoding: Encoding) -> bool:
    """Whether the output gets 10 bits per channel."""
    if not encoding.deep_pixel_format or encoding.alpha:
        return False
    return encoding.depth == 10 or (encoding.depth is None and source_bits(info) > 8)


def keeps_source(info: VideoInfo, encoding: Encoding) -> bool:
    """Whether pixels that are not drawn on can come from the source with all their bits."""
    if not is_deep(info, encoding) or source_bits(info) <= 8 or info.interlaced:
        return False
    stored = VideoFormat(info.pixel_format)
    even = info.size[0] % 2 == info.size[1] % 2 == 0
    scaled = info.pixel_aspect != 1 and encoding.container not in ("mp4", "mov")
    return even and not scaled and not stored.is_rgb and len(stored.components) == 3


class DeepFrames:
    """Puts what was drawn on 8-bit frames into the frames of the source."""

    def __init__(self, info: VideoInfo, pixel_format: str, to_yuv: ToYuv) -> None:
        self._info, self._format, self._to_yuv = info, VideoFormat(pixel_format), to_yuv
        self._orientation = Orientation(info.rotation, info.mirrored)
        self._stored = upright_size(*info.size, self._orientation)
        self._to_rgb, self._resample = VideoReformatter(), VideoReformatter()
        self._decoded: Iterator[tuple[int, VideoFrame]] | None = None
        self._next: tuple[int, VideoFrame] | None = None

    def close(self) -> None:
        """Stop decoding the source."""
        close = getattr(self._decoded, "close", None)
        if close is not None:
            close()

    def compose(self, frame: Frame) -> VideoFrame:
        """The frame to encode; `frame.image` is (H, W, 3) of the size of the source."""
        source = self._source(frame)
        if source is None or (source.height, source.width) != self._stored:
            return self._drawn(frame.image, None)
        codes = upright(
            rgb_codes(source, self._info, self._stored, self._to_rgb), self._orientation
        )
        beneath = codes.astype(np.uint16, copy=False) if self._info.hdr else None
        base = codes if beneath is None else tone_map(beneath, self._info.color.transfer)
        changed: NDArray[np.bool_] = np.any(base != frame.image, axis=2)
        planes = self._upright_planes(source)
        if changed.any():
            drawn = _planes(self._drawn(frame.image, beneath, changed))
            for plane, new in zip(planes, drawn, strict=True):
                mask = _reduced(changed, plane.shape)
                plane[mask] = new[mask]
        return _frame(planes, self._format.name)

    def _source(self, frame: Frame) -> VideoFrame | None:
        """The decoded frame of the same index; None if the source has none."""
        if self._decoded is None:
            self._decoded = read_decoded(self._info, frame.index)
            self._next = next(self._decoded, None)
        while self._next is not None and self._next[0] < frame.index:
            self._next = next(self._decoded, None)
        return self._next[1] if self._next is not None and self._next[0] == frame.index else None

    def _drawn(
        self,
        image: Image,
        beneath: Plane | None,
        changed: NDArray[np.bool_] | None = None,
    ) -> VideoFrame:
        """An 8-bit image for the encoder; `beneath` are the HDR code values it was drawn on."""
        if not self._info.hdr:
            return self._to_yuv(VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24"))
        codes = np.zeros(image.shape, np.uint16) if beneath is None else beneath.copy()
        where = np.ones(image.shape[:2], bool) if changed is None else changed
        below = None if beneath is None else beneath[where]
        codes[where] = undo_tone_map(image[where], self._info.color.transfer, below)
        return self._to_yuv(VideoFrame.from_ndarray(codes, "rgb48le"))

    def _upright_planes(self, source: VideoFrame) -> list[Plane]:
        """The planes of a decoded frame in the encoder's format, with all bits that it holds."""
        square = self._format.chroma_width(2) == self._format.chroma_height(2)
        if self._orientation.rotation in (90, 270) and not square:
            return self._turned_at_full_size(source)
        converted = self._resample.reformat(source, format=self._format.name, threads=1)
        return [upright(plane, self._orientation) for plane in _planes(converted)]

    def _turned_at_full_size(self, source: VideoFrame) -> list[Plane]:
        """For 4:2:2, which is not 4:2:2 any more when it is turned by 90 degrees."""
        converted = self._resample.reformat(source, format=UNSUBSAMPLED, threads=1)
        turned = [upright(plane, self._orientation) for plane in _planes(converted)]
        whole = _frame(turned, UNSUBSAMPLED)
        return _planes(VideoReformatter().reformat(whole, format=self._format.name, threads=1))


def _planes(frame: VideoFrame) -> list[Plane]:
    """Copies of the planes of a frame with 16 bits per value."""
    return [
        np.frombuffer(memoryview(plane), np.uint16)
        .reshape(-1, plane.line_size // 2)[: plane.height, : plane.width]
        .copy()
        for plane in frame.planes
    ]


def _frame(planes: list[Plane], pixel_format: str) -> VideoFrame:
    height, width = planes[0].shape
    frame = VideoFrame(width, height, pixel_format)
    for plane, values in zip(frame.planes, planes, strict=True):
        rows = np.zeros((plane.buffer_size // plane.line_size, plane.line_size // 2), np.uint16)
        rows[: plane.height, : plane.width] = values
        plane.update(rows.tobytes())
    return frame


def _reduced(changed: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Which values of a plane of `shape` belong to a changed pixel."""
    rows, columns = changed.shape[0] // shape[0], changed.shape[1] // shape[1]
    blocks = changed.reshape(shape[0], rows, shape[1], columns)
    return np.asarray(blocks.any(axis=(1, 3)))
