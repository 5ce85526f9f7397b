"""RGB frames in, coded packets out, on exact times and in the source's own colours."""

import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter

from vidseg.frame import Frame, Image
from vidseg.video.codecs import Encoding
from vidseg.video.info import Color, VideoInfo

SDR = Color(matrix="bt709", range="tv", primaries="bt709", transfer="bt709")
SCALING = Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP
"""Least loss on the way to 4:2:0 of swscale's settings, at the speed of its default."""

# ffmpeg's names for the code points of ITU-T H.273, tables 2 to 4
MATRICES = {"bt709": 1, "fcc": 4, "bt470bg": 5, "smpte170m": 6, "smpte240m": 7, "bt2020nc": 9}
RANGES = {"tv": 1, "pc": 2}
PRIMARIES = {
    "bt709": 1, "bt470m": 4, "bt470bg": 5, "smpte170m": 6, "smpte240m": 7, "film": 8,
    "bt2020": 9, "smpte428": 10, "smpte431": 11, "smpte432": 12, "ebu3213": 22,
}  # fmt: skip
TRANSFERS = {
    "bt709": 1, "bt470m": 4, "gamma22": 4, "bt470bg": 5, "gamma28": 5, "smpte170m": 6,
    "smpte240m": 7, "linear": 8, "log100": 9, "log316": 10, "iec61966-2-4": 11, "bt1361e": 12,
    "iec61966-2-1": 13, "bt2020-10": 14, "bt2020-12": 15, "smpte2084": 16, "smpte428": 17,
    "arib-std-b67": 18,
}  # fmt: skip
SWSCALE = {
    "bt709": Colorspace.ITU709, "fcc": Colorspace.FCC, "bt470bg": Colorspace.ITU601,
    "smpte170m": Colorspace.ITU601, "smpte240m": Colorspace.SMPTE240M,
    "bt2020nc": Colorspace.BT2020,
}  # fmt: skip

LARGEST_TIMESCALE = 2**31 - 1


class VideoEncoder:
    """Codes the frames of one video stream of an open output container."""

    def __init__(self, container: Any, info: VideoInfo, encoding: Encoding) -> None:
        self._info, self._format = info, encoding.pixel_format
        self._size = info.size[0] + info.size[0] % 2, info.size[1] + info.size[1] % 2
        self.unit = encoder_unit(info)
        self._color = SDR if info.hdr else info.color
        self._scaler = VideoReformatter()
        self.count = 0
        self._first: Fraction | None = None
        self._last = -1
        self._durations: dict[int, int] = {}
        self.stream = container.add_stream(
            encoding.encoder, rate=info.rate, options=dict(encoding.options)
        )
        self._open(encoding)

    def _open(self, encoding: Encoding) -> None:
        context = self.stream.codec_context
        context.height, context.width = self._size
        context.pix_fmt = self._format
        context.time_base = self.unit
        context.thread_type = "AUTO"  # PyAV's default makes x264 cut every picture into slices
        context.sample_aspect_ratio = self._info.pixel_aspect
        context.colorspace = MATRICES.get(self._color.matrix, 2)
        context.color_range = RANGES.get(self._color.range, 0)
        context.color_primaries = PRIMARIES.get(self._color.primaries, 2)
        context.color_trc = TRANSFERS.get(self._color.transfer, 2)
        if encoding.tag is not None:
            context.codec_tag = encoding.tag
        context.open()

    def encode(self, frame: Frame) -> list[Any]:
        """The packets that are ready after `frame`; their times count from the first frame."""
        if self._first is None:
            self._first = frame.time
        at = max(round((frame.time - self._first) / self.unit), self._last + 1)
        self._last = at
        self.count += 1
        self._durations[at] = max(round(frame.duration / self.unit), 1)
        picture = self._convert(frame.image)
        picture.pts, picture.time_base = at, self.unit
        return list(self._timed(self.stream.encode(picture)))

    def flush(self) -> list[Any]:
        """The packets that the encoder still holds."""
        return list(self._timed(self.stream.encode(None)))

    def seal(self, path: Path) -> None:
        """Nothing is left to do once the file is closed."""

    def _timed(self, packets: list[Any]) -> Iterator[Any]:
        for packet in packets:
            packet.duration = self._durations.pop(packet.pts, 1)
            yield packet

    def _convert(self, image: Image) -> Any:
        fitted = fit(image, self._info.size, self._size)
        picture = self._scaler.reformat(
            av.VideoFrame.from_numpy_buffer(fitted, "rgb24"),
            format=self._format,
            interpolation=SCALING,
            dst_colorspace=SWSCALE[_matrix(self._info)],
            dst_color_range=RANGES.get(self._color.range, 1),
            threads=1,
        )
        picture.pict_type = 0
        return picture


def _matrix(info: VideoInfo) -> str:
    if info.hdr:
        return SDR.matrix
    if info.color.matrix in SWSCALE:
        return info.color.matrix
    return "bt709" if info.size[0] >= 720 else "smpte170m"


def encoder_unit(info: VideoInfo) -> Fraction:
    """Seconds a tick: one frame at a constant rate, the source's own unit at a variable one."""
    if info.constant_rate:
        return 1 / info.rate
    return Fraction(1, timescale(info.time_base, Fraction(0)))


def timescale(unit: Fraction, offset: Fraction) -> int:
    """Ticks a second that hold every multiple of `unit` and `offset` exactly.

    Where that is more than containers can count, `offset` is rounded to about 10 microseconds.
    """
    exact = math.lcm(unit.denominator, offset.denominator)
    if exact <= LARGEST_TIMESCALE:
        return exact
    return unit.denominator * -(-90000 // unit.denominator)


def fit(image: Image, size: tuple[int, int], padded: tuple[int, int] | None = None) -> Image:
    """`image` scaled into `size`, black bars where the shape differs, edges repeated to `padded`.

    An image that is of the wanted size already comes back as it is.
    """
    padded = padded or size
    if image.shape[:2] == size == padded:
        return np.ascontiguousarray(image)
    if image.shape[:2] != size:
        image = _letterbox(image, size)
    extra = [(0, after - before) for before, after in zip(size, padded, strict=True)]
    return np.ascontiguousarray(np.pad(image, [*extra, (0, 0)], mode="edge"))


def _letterbox(image: Image, size: tuple[int, int]) -> Image:
    scale = min(size[0] / image.shape[0], size[1] / image.shape[1])
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    box = np.zeros((*size, 3), np.uint8)
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24")
    scaled = frame.reformat(width=width, height=height, interpolation=Interpolation.AREA)
    box[top : top + height, left : left + width] = scaled.to_ndarray()
    return box
