"""RGB frames in, coded packets out, on exact times and in the source's own colours."""

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.video.format import VideoFormat
from av.video.reformatter import VideoReformatter

from vidseg.cpu_budget import codec_threads
from vidseg.structures.frame import Frame, Image
from vidseg.video.codecs import Encoding
from vidseg.video.color import (
    ACCURATE_RND,
    AREA,
    FULL_CHR_H_INP,
    MATRICES,
    PRIMARIES,
    RANGES,
    SWSCALE,
    TRANSFERS,
    matrix,
)
from vidseg.video.encoding._hardware_encoders import available
from vidseg.video.info import UNKNOWN, Color, VideoInfo

SDR = Color(matrix="bt709", range="tv", primaries="bt709", transfer="bt709")
SCALING = AREA | ACCURATE_RND | FULL_CHR_H_INP
"""Least loss on the way to 4:2:0 of swscale's settings, at the speed of its default."""

THREADED = ("libx264", "libvpx-vp9", "prores_ks")
"""Encoders that are told how many threads to have; the others choose for themselves."""

LARGEST_TIMESCALE = 2**31 - 1


class VideoEncoder:
    """Codes the frames of one video stream of an open output container."""

    def __init__(self, container: Any, info: VideoInfo, encoding: Encoding) -> None:
        self._info = info
        self._shape, self._aspect = shape(info, encoding)
        self._size = self._shape[0] + self._shape[0] % 2, self._shape[1] + self._shape[1] % 2
        encoding = available(encoding, self._size)
        self._format = encoding.pixel_format
        self.unit = encoder_unit(info)
        self._color = output_color(info)
        self._matrix = matrix(info) if self._color.matrix == UNKNOWN else self._color.matrix
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
        if encoding.encoder in THREADED:
            context.thread_count = codec_threads()
        context.sample_aspect_ratio = self._aspect
        context.colorspace = _code(MATRICES, self._color.matrix, 2)
        context.color_range = _code(RANGES, self._color.range, 0)
        context.color_primaries = _code(PRIMARIES, self._color.primaries, 2)
        context.color_trc = _code(TRANSFERS, self._color.transfer, 2)
        if encoding.alpha and encoding.codec == "vp9":
            self.stream.metadata["alpha_mode"] = "1"  # by which decoders know that there is more
        if encoding.tag is not None:
            context.codec_tag = encoding.tag
        with _quiet_svt() if encoding.codec == "av1" else nullcontext():
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
        fitted = fit(image, self._info.size, self._shape, self._size)
        picture = self._scaler.reformat(
            av.VideoFrame.from_numpy_buffer(fitted, "rgb24" if fitted.shape[2] == 3 else "rgba"),
            format=self._format,
            interpolation=SCALING,
            dst_colorspace=SWSCALE[self._matrix],
            dst_color_range=_code(RANGES, self._color.range, 1),
            threads=1,
        )
        picture.pict_type = 0
        return picture


@contextmanager
def _quiet_svt() -> Iterator[None]:
    """Keep SVT's notes off stderr: it reads this variable when its first encoder opens, and there
    is no other way."""
    given = os.environ.get("SVT_LOG")
    os.environ.setdefault("SVT_LOG", "1")  # errors only
    try:
        yield
    finally:
        if given is None:
            del os.environ["SVT_LOG"]


def output_color(info: VideoInfo) -> Color:
    """The tags of the output: the source's own, but never a matrix that was not used."""
    if info.hdr:
        return SDR
    color = info.color
    if info.kind == "video" and VideoFormat(info.pixel_format).is_rgb:
        color = replace(color, range="tv")  # RGB is always full; not every player shows YUV that is
    if color.matrix == UNKNOWN or color.matrix in SWSCALE:
        return color
    return replace(color, matrix=matrix(info))


def _code(names: Mapping[int, str], name: str, unknown: int) -> int:
    return next((code for code, known in names.items() if known == name), unknown)


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


def shape(info: VideoInfo, encoding: Encoding) -> tuple[tuple[int, int], Fraction]:
    """((height, width), pixel aspect) of the coded picture.

    H.264 and HEVC carry the shape of a pixel themselves, MP4 and MOV do so for all codecs. PyAV
    cannot set it in others; there the picture is made wider or higher instead.
    """
    aspect, (height, width) = info.pixel_aspect, info.size
    if encoding.codec in ("h264", "hevc") or encoding.container in ("mp4", "mov"):
        return info.size, aspect
    if aspect > 1:
        return (height, round(width * aspect)), Fraction(1)
    return (round(height / aspect), width), Fraction(1)


def fit(
    image: Image, size: tuple[int, int], scaled: tuple[int, int], padded: tuple[int, int]
) -> Image:
    """An image of `size` stretched to `scaled`, its edges repeated to `padded`.

    All sizes are (height, width). An image of another size is put into `size` first, with black
    bars (transparent ones where it has 4 channels) where the shape differs.
    """
    if image.shape[:2] == size == padded:
        return np.ascontiguousarray(image)
    if image.shape[:2] != size:
        image = _letterbox(image, size)
    if size != scaled:
        image = _scale(image, scaled)
    size = scaled
    extra = [(0, after - before) for before, after in zip(size, padded, strict=True)]
    return np.ascontiguousarray(np.pad(image, [*extra, (0, 0)], mode="edge"))


def _letterbox(image: Image, size: tuple[int, int]) -> Image:
    scale = min(size[0] / image.shape[0], size[1] / image.shape[1])
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    box = np.zeros((*size, image.shape[2]), np.uint8)
    box[top : top + height, left : left + width] = _scale(image, (height, width))
    return box


def _scale(image: Image, size: tuple[int, int]) -> Image:
    smaller = size[0] * size[1] < image.shape[0] * image.shape[1]
    method = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return cv2.resize(image, size[::-1], interpolation=method).astype(np.uint8, copy=False)
