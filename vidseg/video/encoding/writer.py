"""Writes videos: exact frames and times, everything else of the source, complete or not at all."""

import logging
import math
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Protocol, TypeVar

import numpy as np
from av import Packet
from av.error import FFmpegError

from vidseg.atomic_output import atomic_output, output_error
from vidseg.errors import FrameError, OutputError, VidsegError
from vidseg.remote.paths import as_path
from vidseg.structures.frame import Frame
from vidseg.video.codecs import Encoding, choose_codec
from vidseg.video.encoding._deep_frames import keeps_source, source_bits
from vidseg.video.encoding._gif import GifEncoder
from vidseg.video.encoding._image_writer import PhotoFolderWriter, PhotoWriter
from vidseg.video.encoding._joined_segments import JoinedSegments
from vidseg.video.encoding._spherical import reserve_mark, write_mark
from vidseg.video.encoding._stream_copier import StreamCopier
from vidseg.video.encoding.encoder import MAX_TIMESCALE, VideoEncoder, timescale
from vidseg.video.info import VideoInfo
from vidseg.video.pyav_versions import open_input, open_output

log = logging.getLogger("vidseg")

MAX_QUEUED_FRAMES = 1
"""Frames that may wait while the encoder works on another; 2 are no faster."""

S = TypeVar("S")


class Sink(Protocol):
    """Takes the frames of an output in order; the output exists when the block ends well."""

    def __enter__(self: S) -> S: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None: ...

    def write(self, frame: Frame) -> None:
        """Add a frame. Its image must not change afterwards."""
        ...


def open_writer(
    path: str | Path,
    info: VideoInfo,
    *,
    encoding: Encoding | None = None,
    start: Fraction | None = None,
    end: Fraction | None = None,
    force: bool = False,
) -> Sink:
    """The sink for a target of this name: a video, a GIF, one photo, or a folder of photos.

    Raises OptionError for a suffix that cannot be written, and for one photo of several frames.
    """
    encoding = encoding or choose_codec(path)
    _warn_of_lost_depth(info, encoding)
    if encoding.output == "photo":
        return PhotoWriter(path, info, force=force)
    if encoding.output == "folder":
        return PhotoFolderWriter(path, info, alpha=encoding.alpha, force=force)
    return VideoWriter(path, info, encoding=encoding, start=start, end=end, force=force)


def _warn_of_lost_depth(info: VideoInfo, encoding: Encoding) -> None:
    """Say that 10-bit or HDR video becomes 8-bit SDR, and how it would not."""
    bits = source_bits(info)
    if keeps_source(info, encoding) or encoding.depth == 8 or not (info.hdr or bits > 8):
        return
    lost = (
        "HDR, which is tone-mapped" if info.hdr else f"in {bits} bits per channel, of which 8 stay"
    )
    can_keep = encoding.output == "video" and not encoding.deep_pixel_format
    hint = "; `codec='hevc'` (or av1, prores) would keep it" if can_keep else ""
    log.warning("%s is %s%s.", info.path, lost, hint)


class VideoWriter:
    """Writes frames to a video file, with audio, subtitles, chapters and tags of `info.path`.

    Every frame keeps its time. Second 0 is the start of the source, or `start` if that is given.
    `start` and `end` are seconds of the source, `end` is exclusive; the frames must lie between
    them. Copied streams are cut at the nearest packet.

    Encoding runs on one thread beside the caller. Memory holds at most `MAX_QUEUED_FRAMES + 1`
    frames and those that the encoder looks ahead.

    Raises OutputError if the file cannot be written; nothing is left behind then.
    """

    def __init__(
        self,
        path: str | Path,
        info: VideoInfo,
        *,
        encoding: Encoding,
        start: Fraction | None = None,
        end: Fraction | None = None,
        force: bool = False,
        segments: Sequence[Path] = (),
    ) -> None:
        """With `segments`, videos of this very encoding, their packets are taken in place of the
        pictures that are written."""
        self._segments = segments
        self._path, self._info, self._encoding = as_path(path), info, encoding
        self._start, self._end, self._force = start, end, force
        self._stack = ExitStack()
        self._jobs: deque[Future[None]] = deque()
        self._copier: StreamCopier | None = None
        self._mark = b""
        self._offset: Fraction | None = None
        self._unit = Fraction(1)
        self._written = self._muxed = 0
        self._complete = False

    def __enter__(self) -> "VideoWriter":
        with ExitStack() as stack, self._mapped_errors():
            self._part = stack.enter_context(atomic_output(self._path, force=self._force))
            container = self._encoding.container
            self._output = open_output(str(self._part), container, _container_options(container))
            stack.callback(self._abandon)
            self._encoder = self._new_encoder()
            stack.callback(self._encoder.close)
            self._open_copier(stack)
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="vidseg-write")
            stack.callback(self._pool.shutdown, wait=True, cancel_futures=True)
            self._stack = stack.pop_all()
        return self

    def write(self, frame: Frame) -> None:
        """Hand a frame to the encoder. Its image must not change afterwards.

        Raises:
            FrameError: the image is not (H, W, 3) uint8, or (H, W, 4) for an encoding with alpha.
            OutputError: an earlier frame could not be encoded or written.
        """
        channels = 4 if self._encoding.alpha else 3
        image = np.asarray(frame.image)
        if image.ndim != 3 or image.shape[2] != channels or image.dtype != np.uint8:
            found = f"{image.shape} {image.dtype}"
            raise FrameError(f"A frame must be (height, width, {channels}) uint8, got {found}.")
        self._written += 1
        self._jobs.append(self._pool.submit(self._encode, frame))
        with self._mapped_errors():
            while len(self._jobs) > MAX_QUEUED_FRAMES:
                self._jobs.popleft().result()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        if error is not None:
            return self._stack.__exit__(kind, error, trace)
        with self._stack, self._mapped_errors():
            self._finish()
        return None

    def _new_encoder(self) -> VideoEncoder | GifEncoder | JoinedSegments:
        if self._segments:
            return JoinedSegments(self._output, self._info, self._segments)
        encoder = GifEncoder if self._encoding.codec == "gif" else VideoEncoder
        return encoder(self._output, self._info, self._encoding)

    def _open_copier(self, stack: ExitStack) -> None:
        if self._info.kind != "video" or self._encoding.container == "gif":
            return
        self._copier = StreamCopier(self._info, self._output, self._encoding.container)
        stack.callback(self._copier.close)
        self._copier.copy_tags(self._encoder.stream, self._info.stream)
        self._mark = reserve_mark(self._encoder.stream, self._info, self._encoding.container)

    def _encode(self, frame: Frame) -> None:
        if self._offset is None:
            self._begin(frame)
        self._mux(self._encoder.encode(frame))

    def _begin(self, first: Frame) -> None:
        """Fix second 0 and the tick of the container, which depend on the first frame's time."""
        zero = self._start or Fraction(0)
        if self._start is not None and zero <= first.time < zero + 1 / self._info.rate:
            zero = first.time  # no gap before a cut's first frame
        self._offset = first.time - zero
        self._unit = Fraction(1, timescale(self._encoder.unit, self._offset))
        self._encoder.stream.time_base = self._unit
        if self._encoding.container in ("mp4", "mov"):
            self._output.container_options["movie_timescale"] = str(self._movie_timescale())
        if self._copier is not None:
            self._copier.begin(self._start, self._end, zero)
            self._copier.copy_timecode(self._encoder.stream, self._info, first.index)

    def _movie_timescale(self) -> int:
        """Ticks per second of MP4's edit lists, which store offsets and lengths of the streams."""
        units = [stream.time_base for stream in self._output.streams if stream.time_base]
        exact = math.lcm(*(unit.denominator for unit in units))
        return exact if exact <= MAX_TIMESCALE else self._unit.denominator

    def _mux(self, packets: list[Packet]) -> None:
        for packet in packets:
            self._retime(packet)
            if self._copier is not None:
                self._copier.copy_until((packet.dts or 0) * self._unit)
            self._output.mux_one(packet)
            self._muxed += 1

    def _retime(self, packet: Packet) -> None:
        assert self._offset is not None
        ticks, offset = self._encoder.unit / self._unit, self._offset / self._unit
        packet.time_base = self._unit
        packet.pts = round((packet.pts or 0) * ticks + offset)
        packet.dts = round((packet.dts or 0) * ticks + offset)
        packet.duration = round((packet.duration or 0) * ticks)

    def _finish(self) -> None:
        while self._jobs:
            self._jobs.popleft().result()
        if self._written == 0:
            raise OutputError(f"There was no frame to write to {self._path}.")
        self._mux(self._encoder.flush())
        if self._copier is not None:
            self._copier.finish()
        index = self._encoder.stream.index
        self._output.close()
        self._encoder.finalize(self._part)
        write_mark(self._part, self._mark)
        self._verify(index)

    def _verify(self, index: int) -> None:
        """Count the packets of the finished file: encoders and disks may lose some silently."""
        with open_input(str(self._part), {}) as container:
            packets = container.demux(container.streams[index])
            found = sum(1 for packet in packets if packet.size)
        given = self._encoder.count
        if not given == self._muxed == found:
            raise OutputError(
                f"{self._path} holds {found} frames where {given} were written; it was deleted."
            )
        self._complete = True

    def _abandon(self) -> None:
        """Close the container; after a success it is closed already."""
        if not self._complete:
            with suppress(OSError):
                self._part.unlink()  # otherwise closing rewrites the whole file for faststart
        with suppress(FFmpegError, OSError):
            self._output.close()

    @contextmanager
    def _mapped_errors(self) -> Iterator[None]:
        try:
            yield
        except (FFmpegError, OSError) as error:
            if isinstance(error, VidsegError):
                raise
            raise output_error(self._path, error) from error


def _container_options(container: str) -> dict[str, str]:
    if container in ("mp4", "mov"):
        return {"movflags": "+faststart", "strict": "-2"}
    return {"strict": "-2"}
