"""Encodes RGB frames to packets with exact times, in the colours of the source."""

import math
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av import Packet, VideoCodecContext, VideoStream
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.format import VideoFormat
from av.video.frame import PictureType
from av.video.reformatter import VideoReformatter

from vidseg.cpu_budget import codec_threads
from vidseg.errors import OutputError
from vidseg.structures.frame import Frame, Image
from vidseg.video.codecs import Encoding
from vidseg.video.color import (
    MATRIX_NAMES,
    PRIMARIES_NAMES,
    RANGE_NAMES,
    SWS_ACCURATE_RND,
    SWS_AREA,
    SWS_FULL_CHR_H_INP,
    SWS_MATRICES,
    TRANSFER_NAMES,
    matrix,
)
from vidseg.video.encoding._deep_frames import DeepFrames, is_deep, keeps_source
from vidseg.video.encoding._hardware_encoders import available_encoding
from vidseg.video.encoding._svt_av1 import tamed_svt
from vidseg.video.info import UNKNOWN_COLOR, Color, VideoInfo

SDR_COLOR = Color(matrix="bt709", range="tv", primaries="bt709", transfer="bt709")
TO_YUV_FLAGS = SWS_AREA | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP
"""The settings of swscale that lose least on the way to 4:2:0, as fast as its default."""

ENCODERS_WITH_THREAD_COUNT = ("libx264", "libvpx-vp9", "prores_ks")
"""Encoders that get a number of threads; the others choose for themselves."""

FEW_THREADS = 2
"""With so few, x264 needs no thread that looks ahead: 25 MB less at 1080p, and the same bytes."""

MAX_TIMESCALE = 2**31 - 1
"""Ticks per second: containers store the number in 31 bits."""


class VideoEncoder:
    """Encodes the frames of one video stream of an open output container."""

    def __init__(self, container: OutputContainer, info: VideoInfo, encoding: Encoding) -> None:
        self._info = info
        self._shape, self._aspect = encoded_shape(info, encoding)
        self._size = self._shape[0] + self._shape[0] % 2, self._shape[1] + self._shape[1] % 2
        encoding = available_encoding(encoding, self._size)
        deep = is_deep(info, encoding)
        self._format = encoding.deep_pixel_format if deep else encoding.pixel_format
        self.unit = encoder_unit(info)
        keeps = keeps_source(info, encoding)
        self._deep = DeepFrames(info, self._format, self._to_yuv) if keeps else None
        self._color = output_color(info, keeps_hdr=keeps)
        self._matrix = matrix(info) if self._color.matrix == UNKNOWN_COLOR else self._color.matrix
        self._scaler = VideoReformatter()
        self.count = 0
        self._first: Fraction | None = None
        self._last = -1
        self._durations: dict[int, int] = {}
        added = container.add_stream(
            encoding.encoder, rate=info.rate, options=dict(encoding.options)
        )
        assert isinstance(added, VideoStream)
        self.stream = added
        self._open(encoding)

    def _open(self, encoding: Encoding) -> None:
        context = self.stream.codec_context
        context.height, context.width = self._size
        context.pix_fmt = self._format
        context.time_base = self.unit
        context.thread_type = "AUTO"  # PyAV's default makes x264 cut every frame into slices
        if encoding.encoder in ENCODERS_WITH_THREAD_COUNT:
            context.thread_count = codec_threads()
        if encoding.encoder == "libx264" and codec_threads() <= FEW_THREADS:
            context.options = {**context.options, "x264-params": "sync-lookahead=0"}
        context.sample_aspect_ratio = self._aspect
        context.colorspace = _code(MATRIX_NAMES, self._color.matrix, 2)
        context.color_range = _code(RANGE_NAMES, self._color.range, 0)
        context.color_primaries = _code(PRIMARIES_NAMES, self._color.primaries, 2)
        context.color_trc = _code(TRANSFER_NAMES, self._color.transfer, 2)
        if encoding.alpha and encoding.codec == "vp9":
            self.stream.metadata["alpha_mode"] = "1"  # by which decoders know that there is more
        if encoding.tag is not None:
            context.codec_tag = encoding.tag
        with tamed_svt() if encoding.codec == "av1" else nullcontext():
            _open_context(context, encoding, self._info)

    def encode(self, frame: Frame, *, keyframe: bool = False) -> list[Packet]:
        """The packets that are ready after `frame`, which becomes a `keyframe`; their times start
        at the first frame."""
        if self._first is None:
            self._first = frame.time
        at = max(round((frame.time - self._first) / self.unit), self._last + 1)
        self._last = at
        self.count += 1
        self._durations[at] = max(round(frame.duration / self.unit), 1)
        converted = self._convert(frame)
        converted.pts, converted.time_base = at, self.unit
        if keyframe:
            converted.pict_type = PictureType.I
        return list(self._with_durations(self.stream.encode(converted)))

    def flush(self) -> list[Packet]:
        """The packets that the encoder still holds."""
        return list(self._with_durations(self.stream.encode(None)))

    def finalize(self, path: Path) -> None:
        """Do nothing: the closed file at `path` is complete."""

    def _with_durations(self, packets: list[Packet]) -> Iterator[Packet]:
        for packet in packets:
            packet.duration = self._durations.pop(packet.pts, 1) if packet.pts is not None else 1
            yield packet

    def close(self) -> None:
        """Stop decoding the source, if its frames were needed."""
        if self._deep is not None:
            self._deep.close()

    def _convert(self, frame: Frame) -> av.VideoFrame:
        if self._deep is not None:
            image = _letterbox(frame.image, self._size)
            converted = self._deep.compose(replace(frame, image=image))
        else:
            fitted = fit(frame.image, self._info.size, self._shape, self._size)
            rgb = "rgb24" if fitted.shape[2] == 3 else "rgba"
            converted = self._to_yuv(av.VideoFrame.from_numpy_buffer(fitted, rgb))
        converted.pict_type = 0
        self._tag(converted)
        return converted

    def _tag(self, frame: av.VideoFrame) -> None:
        """Tag a frame with the colours of the stream: ProRes takes them from there."""
        frame.colorspace = _code(MATRIX_NAMES, self._color.matrix, 2)
        frame.color_range = _code(RANGE_NAMES, self._color.range, 0)
        frame.color_primaries = _code(PRIMARIES_NAMES, self._color.primaries, 2)
        frame.color_trc = _code(TRANSFER_NAMES, self._color.transfer, 2)

    def _to_yuv(self, rgb: av.VideoFrame) -> av.VideoFrame:
        return self._scaler.reformat(
            rgb,
            format=self._format,
            interpolation=TO_YUV_FLAGS,
            dst_colorspace=SWS_MATRICES[self._matrix],
            dst_color_range=_code(RANGE_NAMES, self._color.range, 1),
            threads=1,
        )


def _open_context(context: VideoCodecContext, encoding: Encoding, info: VideoInfo) -> None:
    try:
        context.open()
    except FFmpegError as error:
        raise OutputError(
            f"{encoding.codec} cannot encode {context.width}x{context.height} pixels at "
            f"{float(info.rate):g} frames per second ({error.strerror}); choose another `codec`."
        ) from error


def output_color(info: VideoInfo, *, keeps_hdr: bool = False) -> Color:
    """The colour tags of the output: those of the source, but never a matrix that was not used."""
    if info.hdr and not keeps_hdr:
        return SDR_COLOR
    color = info.color
    if info.kind == "video" and VideoFormat(info.pixel_format).is_rgb:
        color = replace(color, range="tv")  # RGB is full range; some players cannot show such YUV
    if color.matrix == UNKNOWN_COLOR or color.matrix in SWS_MATRICES:
        return color
    return replace(color, matrix=matrix(info))


def _code(names: Mapping[int, str], name: str, unknown: int) -> int:
    return next((code for code, known in names.items() if known == name), unknown)


def encoder_unit(info: VideoInfo) -> Fraction:
    """Seconds per tick: one frame at a constant rate, else the unit of the source."""
    if info.constant_rate:
        return 1 / info.rate
    return Fraction(1, timescale(info.time_base, Fraction(0)))


def timescale(unit: Fraction, offset: Fraction) -> int:
    """Ticks per second in which every multiple of `unit` and `offset` is a whole number.

    If that exceeds `MAX_TIMESCALE`, `offset` is rounded to about 10 microseconds.
    """
    exact = math.lcm(unit.denominator, offset.denominator)
    if exact <= MAX_TIMESCALE:
        return exact
    return unit.denominator * -(-90000 // unit.denominator)


def encoded_shape(info: VideoInfo, encoding: Encoding) -> tuple[tuple[int, int], Fraction]:
    """((height, width), pixel aspect) of the encoded frame.

    H.264 and HEVC store the pixel aspect themselves, MP4 and MOV store it for all codecs. PyAV
    cannot set it elsewhere; there the frame is made wider or higher instead.
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
    """An image of `size` stretched to `scaled`, then padded to `padded` by repeating its edges.

    All sizes are (height, width). An image of another size is fitted into `size` first, with black
    bars (transparent ones if it has 4 channels) where the aspect differs.
    """
    if image.shape[:2] == size == padded:
        return np.ascontiguousarray(image)
    image = _letterbox(image, size)
    if size != scaled:
        image = _scale(image, scaled)
    size = scaled
    extra = [(0, after - before) for before, after in zip(size, padded, strict=True)]
    return np.ascontiguousarray(np.pad(image, [*extra, (0, 0)], mode="edge"))


def _letterbox(image: Image, size: tuple[int, int]) -> Image:
    """An image fitted into `size` with bars; one of that size as it is."""
    if image.shape[:2] == size:
        return image
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
