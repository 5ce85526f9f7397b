"""Takes the packets of segments that were encoded apart, in the place of an encoder.

Each segment begins with a picture that needs none before it, so the segments follow one another as
they are. Only times are new: a segment tells in which order its pictures are shown, and the frames
that are written here tell when.
"""

from collections.abc import Generator, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from av import Packet, VideoStream
from av.container import OutputContainer

from vidseg.errors import OutputError
from vidseg.structures.frame import Frame
from vidseg.video.encoding.encoder import encoder_unit
from vidseg.video.info import VideoInfo
from vidseg.video.pyav_versions import open_input


class JoinedSegments:
    """Gives the packets of segments for the frames that they show; looks at no picture."""

    def __init__(
        self, container: OutputContainer, info: VideoInfo, segments: Sequence[Path]
    ) -> None:
        """Raises OutputError: the segments cannot follow one another."""
        self.unit, self.count = encoder_unit(info), 0
        self.stream = _stream_like(segments[0], container)
        self._delay = _check_alike(segments)
        self._shown = _packets(segments)
        self._waiting: tuple[int, Packet] | None = None
        self._times: list[tuple[int, int]] = []
        self._given = 0
        self._first: Fraction | None = None

    def encode(self, frame: Frame) -> list[Packet]:
        """The packets that are ready after `frame`; their times start at the first frame."""
        if self._first is None:
            self._first = frame.time
        last = self._times[-1][0] if self._times else -1
        at = max(round((frame.time - self._first) / self.unit), last + 1)
        self._times.append((at, max(round(frame.duration / self.unit), 1)))
        self.count += 1
        return list(self._ready())

    def flush(self) -> list[Packet]:
        """The packets that are left: those for which no frame was written, too."""
        left = list(self._ready())
        while (following := self._next()) is not None:
            left.append(following[1])
        return left

    def finalize(self, path: Path) -> None:
        """Do nothing: the closed file at `path` is complete."""

    def close(self) -> None:
        self._shown.close()

    def _ready(self) -> Iterator[Packet]:
        """Packets of frames whose times are known, in the order of the segments."""
        while (following := self._next()) is not None:
            number, packet = following
            if number >= len(self._times):
                self._waiting = following
                return
            packet.pts, packet.duration = self._times[number]
            before = self._given - self._delay
            packet.dts = self._times[before][0] if before >= 0 else self._times[0][0] + before
            packet.time_base, packet.stream = self.unit, self.stream
            self._given += 1
            yield packet

    def _next(self) -> tuple[int, Packet] | None:
        following, self._waiting = self._waiting, None
        return following or next(self._shown, None)


class _Look(NamedTuple):
    """What all segments must have in common, and how their pictures are ordered."""

    format: tuple[object, ...]
    numbers: list[int]
    """Place of each packet's picture in the order of being shown."""


def _stream_like(segment: Path, container: OutputContainer) -> VideoStream:
    with open_input(str(segment), {}) as source:
        template = source.streams.video[0]
        stream = container.add_stream_from_template(template, opaque=True)
        if "alpha_mode" in template.metadata:  # by which decoders know that there is more
            stream.metadata["alpha_mode"] = template.metadata["alpha_mode"]
    assert isinstance(stream, VideoStream)
    return stream


def _check_alike(segments: Sequence[Path]) -> int:
    """How many packets a picture may come before the time at which it is shown.

    Raises OutputError: the segments are not of one encoder with one set of options.
    """
    first, delay = _look(segments[0]), 0
    for segment in segments:
        look = _look(segment)
        if look.format != first.format:
            raise OutputError(
                "The segments of the video are not encoded alike, as by unlike machines; leave "
                "--parallel-encode out."
            )
        delay = max([delay, *(place - number for place, number in enumerate(look.numbers))])
    return delay


def _look(segment: Path) -> _Look:
    with open_input(str(segment), {}) as source:
        stream = source.streams.video[0]
        context = stream.codec_context
        facts = (context.name, context.pix_fmt, context.width, context.height)
        pts = [packet.pts for packet in source.demux(stream) if packet.size]
        return _Look((*facts, context.extradata), _places(pts))


def _places(pts: Sequence[int | None]) -> list[int]:
    order = sorted(range(len(pts)), key=lambda place: pts[place] or 0)
    places = [0] * len(order)
    for shown, place in enumerate(order):
        places[place] = shown
    return places


def _packets(segments: Sequence[Path]) -> Generator[tuple[int, Packet], None, None]:
    """The packets of all segments with the number of the frame that each shows."""
    before = 0
    for segment in segments:
        numbers = _look(segment).numbers
        with open_input(str(segment), {}) as source:
            packets = (p for p in source.demux(source.streams.video[0]) if p.size)
            for number, packet in zip(numbers, packets, strict=True):
                yield before + number, packet
        before += len(numbers)
