"""One connection to a live source: a camera, a network stream, a pipe of a video or of raw frames.

Each gives its pictures as they arrive, and ends where the source ends; a connection that breaks
raises InputError.
"""

import os
import select
import sys
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from threading import Event
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

import cv2
import numpy as np
from av import VideoFrame
from av.container import InputContainer
from av.error import ExitError, FFmpegError, InvalidDataError
from av.video.reformatter import VideoReformatter

from vidseg.errors import InputError, OptionError
from vidseg.structures.frame import Image
from vidseg.video.color import HDR_TRANSFERS, frame_color, to_rgb
from vidseg.video.demuxing.container import DEMUXERS, choose_stream
from vidseg.video.info import VideoInfo
from vidseg.video.pyav_versions import Readable, open_input, ratio

STREAM_PROTOCOLS = ("http", "https", "rtsp", "rtsps", "rtmp", "rtmps", "rtp", "udp", "srt", "tcp")
"""Beginnings of URLs that are streams."""
STREAM_DEMUXERS = (*DEMUXERS, "hls", "rtsp", "sdp", "rtp", "mpjpeg")
ALLOWED_PROTOCOLS = (*STREAM_PROTOCOLS, "tls", "crypto", "httpproxy")
"""Protocols that a stream may lead to: no local files, whatever a playlist says."""
QUICK_START_OPTIONS = {"analyzeduration": "1000000", "probesize": "500000"}
"""Of a demuxer: it looks at most a second and 500 kB ahead for what streams there are. What it read
meanwhile comes at once, and is dropped."""
POLL_SECONDS = 0.2
"""How long a read of a pipe waits before it looks whether it should stop."""
RAW_CHANNELS = {"rgb24": 3, "bgr24": 3, "gray": 1, "yuv420p": None, "nv12": None}
"""Pixel format of raw frames to its interleaved channels; None: luma, then chroma at half size."""


class StreamEndedError(InputError):
    """A stream without a known length ended; it may go on."""


class Picture(NamedTuple):
    """One picture of a live source."""

    time: Fraction | None
    """Seconds by the source's own clock; None if it has none."""
    image: Image
    """(H, W, 3) uint8 RGB."""


Connect = Callable[[Event], Generator[Picture, None, None]]
"""Opens a connection and gives its pictures; ends soon after the event is set."""


@dataclass(frozen=True, slots=True)
class RawFrames:
    """How the frames of a raw pipe are laid out."""

    size: tuple[int, int]
    """(height, width)"""
    rate: Fraction | None = None
    """Frames a second; None: each frame has the time of its arrival."""
    pixel_format: str = "rgb24"

    def __post_init__(self) -> None:
        """Raises OptionError: a size, rate or pixel format that cannot be."""
        height, width = self.size
        if height < 1 or width < 1:
            raise OptionError(f"Raw frames need a size of at least 1x1, got {width}x{height}.")
        if self.rate is not None and self.rate <= 0:
            raise OptionError(f"The rate of raw frames must be positive, got {self.rate}.")
        if self.pixel_format not in RAW_CHANNELS:
            known = ", ".join(RAW_CHANNELS)
            raise OptionError(f"Raw frames cannot be {self.pixel_format!r}; use one of {known}.")
        if RAW_CHANNELS[self.pixel_format] is None and (height % 2 or width % 2):
            raise OptionError(f"{self.pixel_format} needs even sides, got {width}x{height}.")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a frame as a uint8 array."""
        (height, width), channels = self.size, RAW_CHANNELS[self.pixel_format]
        if channels is None:
            return (height * 3 // 2, width)
        return (height, width) if channels == 1 else (height, width, channels)


def is_stream(name: str) -> bool:
    """Whether `name` is the URL of a network stream."""
    scheme, separator, _ = name.partition("://")
    return bool(separator) and scheme.lower() in STREAM_PROTOCOLS


def without_password(url: str) -> str:
    """The URL as it may be shown. Raises OptionError: it is not valid."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise OptionError(f"The URL of the source is not valid: {error}.") from error
    if parts.password is None:
        return url
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username}:***@{host}"))


def camera(name: str | int) -> Connect:
    """The camera with this number, or under this device file."""

    def connect(stop: Event) -> Generator[Picture, None, None]:
        device = Path(f"/dev/video{name}" if isinstance(name, int) else name)
        if sys.platform == "linux" and not device.exists():
            raise InputError(f"There is no camera {name}: {device} does not exist.")
        capture = cv2.VideoCapture(name)
        try:
            if not capture.isOpened():
                raise InputError(f"The camera {name} cannot be opened; is it in use?")
            capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
            while not stop.is_set():
                there, image = capture.read()
                if not there:
                    raise InputError(f"The camera {name} gives no more pictures.")
                yield Picture(None, cv2.cvtColor(image, cv2.COLOR_BGR2RGB).astype(np.uint8))
        finally:
            capture.release()

    return connect


def stream(url: str, *, timeout: float) -> Connect:
    """A network stream; silence of `timeout` seconds breaks the connection.

    A stream whose length is known, in seconds or bytes, ends at its end; any other that ends raises
    StreamEndedError.
    """
    shown = without_password(url)

    def connect(stop: Event) -> Generator[Picture, None, None]:
        options = {
            **QUICK_START_OPTIONS,
            "protocol_whitelist": ",".join(ALLOWED_PROTOCOLS),
            "format_whitelist": ",".join(STREAM_DEMUXERS),
        }
        if url.lower().startswith("rtsp"):
            options["rtsp_transport"] = "tcp"  # over UDP, lost packets smear the picture
        try:
            with open_input(url, options, timeout=timeout) as container:
                yield from _decoded(container, shown, stop)
                endless = not _has_known_end(container)
        except (FFmpegError, OSError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{shown}: {_reason(error, timeout)}.") from error
        if endless and not stop.is_set():
            raise StreamEndedError(f"{shown} ended.")

    return connect


def video_pipe(descriptor: int) -> Connect:
    """A video that is piped in, as MPEG-TS, Matroska or fragmented MP4; by its file descriptor."""

    def connect(stop: Event) -> Generator[Picture, None, None]:
        options = {**QUICK_START_OPTIONS, "format_whitelist": ",".join(DEMUXERS)}
        try:
            with open_input(_Pipe(descriptor, stop), options) as container:
                yield from _decoded(container, "The piped video", stop)
        except FFmpegError as error:
            if stop.is_set():
                return
            raise InputError(
                f"What is piped in cannot be read as a video ({error.strerror}); pipe MPEG-TS, "
                "Matroska or fragmented MP4, or give the size of bare frames: --raw WIDTHxHEIGHT."
            ) from error

    return connect


def raw_pipe(descriptor: int, raw: RawFrames) -> Connect:
    """Frames without a container that are piped in; by the file descriptor."""

    def connect(stop: Event) -> Generator[Picture, None, None]:
        pipe, size, count = _Pipe(descriptor, stop), int(np.prod(raw.shape)), 0
        to_image = _ToImage()
        while len(data := pipe.read_exactly(size)) == size:
            array = np.frombuffer(data, np.uint8).reshape(raw.shape)
            frame = VideoFrame.from_ndarray(array, raw.pixel_format)
            yield Picture(None if raw.rate is None else count / raw.rate, to_image(frame))
            count += 1
        if not count and not stop.is_set():
            raise InputError(f"Nothing was piped in that is a frame of {size} bytes.")

    return connect


class _Pipe(Readable):
    """Reads a pipe in steps that end when `stop` is set."""

    def __init__(self, descriptor: int, stop: Event) -> None:
        self._descriptor, self._stop = descriptor, stop

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; none at the end."""
        while not self._stop.is_set():
            if (
                sys.platform == "win32"
                or select.select([self._descriptor], [], [], POLL_SECONDS)[0]
            ):
                return os.read(self._descriptor, size)
        return b""

    def read_exactly(self, size: int) -> bytearray:
        """`size` bytes; fewer at the end."""
        data = bytearray()
        while len(data) < size and (more := self.read(size - len(data))):
            data += more
        return data


def _decoded(container: InputContainer, name: str, stop: Event) -> Iterator[Picture]:
    """The pictures of the video that players would show; what cannot be decoded is left out."""
    video = choose_stream(container, Path(name))
    video.thread_type = "SLICE"  # threads that take a frame each would hold some back
    to_image = _ToImage(ratio(video.sample_aspect_ratio))
    unit = ratio(video.time_base) or Fraction(1)
    for packet in container.demux(video):
        if stop.is_set():
            return
        try:
            frames = packet.decode()
        except InvalidDataError:  # lost on the way; the decoder goes on at the next keyframe
            continue
        for frame in frames:
            if not frame.is_corrupt:
                yield Picture(None if frame.pts is None else frame.pts * unit, to_image(frame))


class _ToImage:
    """Converts decoded frames to RGB with square pixels."""

    def __init__(self, pixel_aspect: Fraction | None = None) -> None:
        """`pixel_aspect` is width : height of a stored pixel, square if unknown."""
        self._aspect = pixel_aspect or Fraction(1)
        self._scaler = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> Image:
        color = frame_color(frame)
        info = VideoInfo(
            Path(),
            "video",
            (frame.height, frame.width),
            Fraction(1),
            constant_rate=False,
            frames=None,
            duration=None,
            color=color,
            hdr=color.transfer in HDR_TRANSFERS,
        )
        size = frame.height, round(frame.width * self._aspect)
        return to_rgb(frame, info, size, self._scaler)


def _has_known_end(container: InputContainer) -> bool:
    """Whether it is a file on a server, rather than a stream that may go on."""
    playlist = container.format.name == "hls"  # whose own bytes say nothing about the stream
    known_size = (container.size or 0) > 0  # PyAV 18 says a negative number, PyAV 19 None
    return container.duration is not None or (known_size and not playlist)


def _reason(error: FFmpegError | OSError, timeout: float) -> str:
    if isinstance(error, ExitError):
        return f"no answer within {timeout:g} s"
    return str(error.strerror or error)
