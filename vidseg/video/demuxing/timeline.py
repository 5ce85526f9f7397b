"""When the frames of a video stream are shown, read from its packets without decoding them."""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

from vidseg.video.demuxing.container import READ_ERRORS
from vidseg.video.pyav_versions import ratio

COMMON_RATES = tuple(
    Fraction(base * 1000, divisor)
    for base in (12, 15, 24, 25, 30, 48, 50, 60, 90, 100, 120, 240)
    for divisor in (1000, 1001)
)


@dataclass(frozen=True, slots=True)
class Timeline:
    """The packets of one stream; all times are its ticks unless said otherwise."""

    stamps: tuple[int, ...]
    """Presentation times of the frames that will be shown, ascending."""
    keys: tuple[int, ...]
    """Presentation times of the frames that decoding can start at, ascending."""
    shown: int
    """How many frames will be shown; more than `stamps` has where packets carry no time."""
    last_duration: int
    """How long the last frame is shown; 0 where the container does not say."""
    end: Fraction
    """Seconds, by the container's clock, at which the last of all streams ends."""
    broken: bool
    """The container broke off with an error, or packets are marked as damaged."""

    @property
    def exact(self) -> bool:
        """Every frame has a time of its own."""
        return len(self.stamps) == self.shown

    def key_before(self, stamp: int) -> int | None:
        """The last frame at or before `stamp` that decoding can start at."""
        found = bisect_right(self.keys, stamp)
        return self.keys[found - 1] if found else None


def from_first_keyframe(packets: Iterable[Any], *, after: int | None = None) -> Iterator[Any]:
    """`packets` of one video stream from the first key frame on (the first at or after `after`).

    Frames shown before that key frame lean on what came before it and are left out.
    """
    first = None
    for packet in packets:
        if first is None:
            late = after is None or packet.pts is None or packet.pts >= after
            if not (packet.is_keyframe and late):
                continue
            first = packet
        if packet.pts is None or first.pts is None or packet.pts >= first.pts:
            yield packet


def judged(packets: Iterable[Any]) -> Iterator[tuple[Any, bool]]:
    """Each packet, and whether it is damaged.

    Where two transport streams were joined, the last packets before the seam are marked as corrupt
    though nothing is missing; the mark comes up to one packet early (libavformat's parser).
    """
    window: deque[Any] = deque()
    for packet in packets:
        window.append(packet)
        if len(window) > 2:
            yield window[0], _damaged(window)
            window.popleft()
    while window:
        yield window[0], _damaged(window)
        window.popleft()


def _damaged(window: deque[Any]) -> bool:
    if not window[0].is_corrupt:
        return False
    return not any(_is_seam(before, after) for before, after in pairwise(window))


def _is_seam(before: Any, after: Any) -> bool:
    """A new start right after, with no time left out."""
    if not after.is_keyframe or before.dts is None or after.dts is None:
        return False
    return after.dts - before.dts <= 1.5 * (before.duration or 0)


def is_shown(packet: Any, codec: str) -> bool:
    """Whether a frame comes out for `packet`: not empty, inside the edit list, not hidden."""
    if packet.size == 0 or packet.is_discard:
        return False
    return codec != "vp8" or bool(bytes(packet)[0] & 0x10)  # RFC 6386 section 9.1, show_frame


class Scan:
    """Collects what one pass over the packets tells."""

    def __init__(self, codec: str) -> None:
        self.codec = codec
        self.durations: dict[int, int] = {}
        self.keys: list[int] = []
        self.shown = 0
        self.end = Fraction(0)
        self.broken = False

    def note_end(self, packet: Any) -> None:
        """How far any stream reaches."""
        stamp = packet.pts if packet.pts is not None else packet.dts
        if stamp is not None and packet.time_base:
            self.end = max(self.end, (stamp + (packet.duration or 0)) * packet.time_base)

    def note_frame(self, packet: Any, damaged: bool) -> None:
        """One packet of the stream itself."""
        self.broken |= damaged
        if not is_shown(packet, self.codec):
            return
        self.shown += 1
        if packet.pts is not None:
            self.durations[packet.pts] = packet.duration or 0
            if packet.is_keyframe:
                self.keys.append(packet.pts)

    def timeline(self) -> Timeline:
        stamps = tuple(sorted(self.durations))
        return Timeline(
            stamps=stamps,
            keys=tuple(sorted(self.keys)),
            shown=self.shown,
            last_duration=self.durations[stamps[-1]] if stamps else 0,
            end=self.end,
            broken=self.broken,
        )


def scan(container: Any, stream: Any) -> Timeline:
    """One pass over all packets of an open container; it is at its end afterwards."""
    found = Scan(stream.codec.canonical_name)

    def packets() -> Iterator[Any]:
        for packet in container.demux():
            if packet.size:
                found.note_end(packet)
                if packet.stream_index == stream.index:
                    yield packet

    try:
        for packet, damaged in judged(from_first_keyframe(packets())):
            found.note_frame(packet, damaged)
    except READ_ERRORS:
        found.broken = True
    return found.timeline()


def has_times(timeline: Timeline, container: Any, stream: Any) -> bool:
    """Whether the packets tell when frames are shown; AVI tells only the order of coding."""
    return timeline.exact and not is_reordered(container, stream)


def is_reordered(container: Any, stream: Any) -> bool:
    """Whether its packets carry the order of coding in place of times."""
    return "avi" in container.format.name and bool(stream.codec_context.has_b_frames)


def find_rate(
    timeline: Timeline, stream: Any, *, timed: bool, gaps: bool = False
) -> tuple[Fraction, bool]:
    """(frames a second, whether it is constant); a tick of rounding off the grid is constant.

    With `gaps` frames may be missing, so that places on the grid stay empty.
    """
    announced = _announced(stream)
    if len(timeline.stamps) < 2 or not timed:
        return announced[0], True
    unit = ratio(stream.time_base) or Fraction(1)
    off_grid = _off_sparse_grid if gaps else _off_grid
    for rate in announced:
        if off_grid(timeline, rate, unit) < 1e-3:
            return rate, True
    span = (timeline.stamps[-1] - timeline.stamps[0]) * unit
    measured = Fraction(len(timeline.stamps) - 1) / span
    for rate in [*map(_snap, announced), *announced, *COMMON_RATES, _snap(measured)]:
        if off_grid(timeline, rate, unit) <= 1.001:
            return rate, True
    return measured.limit_denominator(100000), False


def _announced(stream: Any) -> list[Fraction]:
    """What the container says, best guess first; a bare elementary stream has only its own word."""
    rates = (stream.average_rate, stream.guessed_rate, stream.base_rate)
    bare = stream.container.format.name in ("h264", "hevc", "vvc", "mpegvideo", "m4v", "obu")
    own = stream.codec_context.framerate if bare else None
    return [rate for rate in map(ratio, (own, *rates)) if rate] or [Fraction(25)]


def _off_grid(timeline: Timeline, rate: Fraction, unit: Fraction) -> float:
    """Largest distance, in ticks, between a frame and its place at a constant rate."""
    stamps = np.array(timeline.stamps, np.float64)
    grid = stamps[0] + np.arange(len(stamps)) / float(rate * unit)
    return float(np.abs(stamps - grid).max())


def _off_sparse_grid(timeline: Timeline, rate: Fraction, unit: Fraction) -> float:
    """The same where places may be empty; infinite where most frames are not one place apart."""
    stamps = np.array(timeline.stamps, np.float64)
    step = 1 / float(rate * unit)
    if abs(np.median(np.diff(stamps)) - step) > max(1.0, 0.05 * step):
        return float("inf")
    grid = stamps[0] + np.rint((stamps - stamps[0]) / step) * step
    return float(np.abs(stamps - grid).max())


def _snap(rate: Fraction) -> Fraction:
    """The common rate that `rate` is a rounding of, as far as one is near."""
    nearest = min(COMMON_RATES, key=lambda common: abs(common - rate))
    return nearest if abs(nearest / rate - 1) < Fraction(1, 10000) else rate
