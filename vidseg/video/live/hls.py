"""An HLS stream in a folder, for any web server: a playlist and the last few segments."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from threading import Event

from av import Packet
from av.error import FFmpegError

from vidseg.atomic_output import check_output, output_error
from vidseg.errors import OutputError
from vidseg.structures.frame import Frame
from vidseg.video.codecs import choose_codec
from vidseg.video.encoding.encoder import VideoEncoder
from vidseg.video.live.output import Show
from vidseg.video.live.recording import USUAL_RATE, live_info
from vidseg.video.pyav_versions import open_output

PLAYLIST_NAME = "live.m3u8"
SEGMENT_NAME = "live%06d.ts"
SEGMENT_PATTERN = re.compile(r"live\d{6,}\.ts")
SEGMENT_SECONDS = 2
KEPT_SEGMENTS = 6
"""Segments in the playlist; older ones are deleted."""
MAX_KEYFRAME_STEP = 600
"""Frames between keyframes, which in fact come by time."""


class HlsFolder:
    """Writes `live.m3u8` and its segments into a folder while frames come."""

    def __init__(self, folder: str | Path, *, force: bool = False) -> None:
        self.folder, self._force = Path(folder), force

    def check(self) -> None:
        """Raises OutputError, OutputExistsError: it cannot be written to, or is not empty."""
        check_output(self.folder, (), force=self._force, folder=True)

    @contextmanager
    def open(self, stop: Event) -> Iterator[Show]:
        """Makes the folder; at the end the playlist says that the stream has ended."""
        with self._errors_named(), ExitStack() as stack:
            self._prepare()
            segments: _Segments | None = None

            def show(frame: Frame) -> None:
                nonlocal segments
                if segments is None:
                    segments = _Segments(self.folder, frame)
                    stack.callback(segments.close)
                with self._errors_named():
                    segments.add(frame)

            yield show
            if segments is not None:
                segments.finish()

    def _prepare(self) -> None:
        """Makes the folder; what an earlier stream left in it goes, other files stay."""
        self.folder.mkdir(exist_ok=True)
        for path in list(self.folder.iterdir()):
            if path.name == PLAYLIST_NAME or SEGMENT_PATTERN.fullmatch(path.name):
                path.unlink(missing_ok=True)

    @contextmanager
    def _errors_named(self) -> Iterator[None]:
        try:
            yield
        except (FFmpegError, OSError) as error:
            if isinstance(error, OutputError):
                raise
            raise output_error(self.folder, error) from error


class _Segments:
    """The open stream."""

    def __init__(self, folder: Path, first: Frame) -> None:
        options = {
            "hls_time": str(SEGMENT_SECONDS),
            "hls_list_size": str(KEPT_SEGMENTS),
            "hls_flags": "delete_segments+temp_file+independent_segments",
            "hls_segment_filename": str(folder / SEGMENT_NAME),
        }
        self._container = open_output(str(folder / PLAYLIST_NAME), "hls", options)
        encoding = choose_codec("live.mp4", "h264", 23, "veryfast")
        live = {"tune": "zerolatency", "forced-idr": "1", "g": str(MAX_KEYFRAME_STEP)}
        encoding = replace(encoding, options={**encoding.options, **live})
        self._encoder = VideoEncoder(self._container, live_info(folder, first), encoding)
        self._next_key = first.time

    def add(self, frame: Frame) -> None:
        key = frame.time >= self._next_key
        if key:
            self._next_key = frame.time + Fraction(SEGMENT_SECONDS)
        lasting = replace(frame, duration=1 / USUAL_RATE)
        self._mux(self._encoder.encode(lasting, keyframe=key))

    def finish(self) -> None:
        self._mux(self._encoder.flush())

    def close(self) -> None:
        self._encoder.close()
        self._container.close()

    def _mux(self, packets: list[Packet]) -> None:
        for packet in packets:
            packet.time_base = self._encoder.unit
            self._container.mux_one(packet)
