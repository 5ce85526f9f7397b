"""The index and time of each decoded frame; single bad timestamps are mended."""

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from av import VideoFrame

from vidseg.video.decoding._decoder import Decoding
from vidseg.video.demuxing import avi
from vidseg.video.info import VideoInfo

MAX_HELD_FRAMES = 16
"""Decoded frames in a row that wait for a good timestamp; more are placed at the frame rate."""


class TimedFrame(NamedTuple):
    """A decoded frame with its place in the source."""

    number: int
    """Its index in the source."""
    time: Fraction
    """Seconds after the start of the source."""
    duration: Fraction
    frame: VideoFrame


class _Stamped(NamedTuple):
    """A frame as the container describes it."""

    number: int
    time: Fraction | None
    duration: Fraction
    frame: VideoFrame


def timed_frames(
    info: VideoInfo,
    decoding: Decoding,
    frames: Iterator[VideoFrame],
    first: int,
    *,
    keep_going: bool,
) -> Iterator[TimedFrame]:
    """`frames` of `decoding`, the first of which has the index `first`.

    Without `keep_going` it ends before the first lost frame.
    """
    stamped = _stamped(info, decoding, frames, first, keep_going)
    mended = _Mender(1 / info.rate).mend(stamped)
    return _lasting(info, _counted_by_time(info, decoding, mended))


def _stamped(
    info: VideoInfo,
    decoding: Decoding,
    frames: Iterator[VideoFrame],
    first: int,
    keep_going: bool,
) -> Iterator[_Stamped]:
    lost = decoding.lost
    for count, frame in enumerate(frames, first):
        missing = lost.before(frame.pts if info.timed else None)
        if missing and not keep_going:
            return
        number, duration = count + missing, 1 / info.rate
        if not info.timed:
            yield _Stamped(number, info.start + number / info.rate, duration, frame)
            continue
        duration = (frame.duration or 0) * info.time_base or duration
        time = None
        if frame.pts is not None:
            time = frame.pts * info.time_base - info.origin + avi.delay(info, lost.without_pts)
        yield _Stamped(number, time, duration, frame)


class _Mender:
    """Keeps every good timestamp and places bad ones evenly between their good neighbours.

    Bad are missing and doubled ones, and one that is earlier than the frame before. Where the next
    one is early too, timestamps start anew (joined files): they go on one frame later.
    """

    def __init__(self, step: Fraction) -> None:
        self._step = step
        self._shift = Fraction(0)
        self._last: Fraction | None = None
        """Time of the last frame that was handed out."""
        self._held: list[_Stamped] = []
        """Frames with bad timestamps."""
        self._early: int | None = None
        """Which of them is earlier than the frame before."""

    def mend(self, frames: Iterator[_Stamped]) -> Iterator[TimedFrame]:
        """The same frames with times that grow."""
        for frame in frames:
            time = None if frame.time is None else frame.time + self._shift
            if time is not None and self._last is not None and time < self._last:
                if self._early is None:
                    self._early = len(self._held)
                else:
                    time = yield from self._start_anew(frame.time or Fraction(0))
            if time is not None and (self._last is None or time > self._last):
                yield from self._release(time)
                self._last = time
                yield TimedFrame(frame.number, time, frame.duration, frame.frame)
            else:
                self._held.append(frame)
                if len(self._held) > MAX_HELD_FRAMES:
                    yield from self._release(None)
        yield from self._release(None)

    def _start_anew(self, time: Fraction) -> Iterator[TimedFrame]:
        """Shift from the first early frame on; the shifted `time` of the next one."""
        held, at = self._held, self._early or 0
        self._held = held[:at]
        yield from self._release(None)
        first = held[at].time
        if first is not None and self._last is not None:
            self._shift = self._last + self._step - first
        for frame in held[at:]:
            self._last = (self._last or Fraction(0)) + self._step
            yield TimedFrame(frame.number, self._last, frame.duration, frame.frame)
        return time + self._shift

    def _release(self, until: Fraction | None) -> Iterator[TimedFrame]:
        """The held frames, evenly before `until` or, with None, at the frame rate."""
        held, self._held, self._early = self._held, [], None
        if not held:
            return
        step = self._step
        if self._last is None:
            self._last = -step if until is None else until - (len(held) + 1) * step
        elif until is not None:
            step = (until - self._last) / (len(held) + 1)
        for frame in held:
            self._last += step
            yield TimedFrame(frame.number, self._last, frame.duration, frame.frame)


def _counted_by_time(
    info: VideoInfo, decoding: Decoding, frames: Iterator[TimedFrame]
) -> Iterator[TimedFrame]:
    """Indexes that count missing frames by their times, where packets are missing."""
    before, skipped = None, 0
    for frame in frames:
        number = frame.number + skipped
        if before and decoding.lost.packets_missing and info.timed and info.constant_rate:
            by_time = before.number + round((frame.time - before.time) * info.rate)
            skipped, number = skipped + max(by_time - number, 0), max(by_time, number)
        before = frame._replace(number=number)
        yield before


def _lasting(info: VideoInfo, frames: Iterator[TimedFrame]) -> Iterator[TimedFrame]:
    """Each frame lasts until the next one, if no frame is missing between; the last, to the end."""
    held = None
    for frame in frames:
        if held is not None:
            follows = frame.number == held.number + 1
            yield held._replace(duration=frame.time - held.time) if follows else held
        held = frame
    if held is not None:
        is_last = info.frames is not None and held.number == info.frames - 1
        if is_last and info.duration is not None and info.duration > held.time:
            held = held._replace(duration=info.duration - held.time)
        yield held
