"""The exact frame rate of a timeline."""

from fractions import Fraction

import numpy as np
from av.video.stream import VideoStream

from vidseg.video.demuxing.container import time_base
from vidseg.video.demuxing.timeline import Timeline
from vidseg.video.pyav_versions import ratio

COMMON_RATES = tuple(
    Fraction(base * 1000, divisor)
    for base in (12, 15, 24, 25, 30, 48, 50, 60, 90, 100, 120, 240)
    for divisor in (1000, 1001)
)
MAX_ROUNDING_TICKS = 1.001
"""Ticks by which a container's rounding may move a frame of a constant rate."""
MAX_ROUNDING_SHARE = 0.25
"""The same as a share of the time between two frames, for rates that nothing announces."""
RAW_STREAMS = ("h264", "hevc", "vvc", "mpegvideo", "m4v", "obu")
"""Bare streams, without a container around them."""


def find_rate(
    timeline: Timeline, stream: VideoStream, *, timed: bool, damaged: bool = False
) -> tuple[Fraction, bool]:
    """(frames a second, whether the rate is constant), despite timestamps rounded to ticks.

    In a `damaged` file frames may be missing, so that places on the grid of times stay empty. So
    do the places of frames that have no timestamp of their own.
    """
    announced = _announced_rates(stream)
    if len(timeline.times) < 2 or not timed:
        return announced[0], True
    unit = time_base(stream)
    distance = _distance_from_grid if timeline.exact else _distance_with_unknown_times
    distance = _distance_from_sparse_grid if damaged else distance
    for rate in announced:
        if distance(timeline, rate, unit) < 1e-3:
            return rate, True
    span = int(timeline.times[-1] - timeline.times[0]) * unit
    measured = Fraction(timeline.count - 1) / span
    for rate in [*map(_snapped, announced), *announced]:
        if distance(timeline, rate, unit) <= MAX_ROUNDING_TICKS:
            return rate, True
    for rate in [*COMMON_RATES, _snapped(measured)]:
        most = min(MAX_ROUNDING_TICKS, MAX_ROUNDING_SHARE / float(rate * unit))
        if distance(timeline, rate, unit) <= most:
            return rate, True
    return measured.limit_denominator(100000) or measured, False  # 0: a frame in days


def _announced_rates(stream: VideoStream) -> list[Fraction]:
    """What the container announces, best guess first; a bare stream has only its own word."""
    rates = (stream.average_rate, stream.guessed_rate, stream.base_rate)
    own = stream.codec_context.framerate if stream.container.format.name in RAW_STREAMS else None
    return [rate for rate in map(ratio, (own, *rates)) if rate] or [Fraction(25)]


def _distance_from_grid(timeline: Timeline, rate: Fraction, unit: Fraction) -> float:
    """Largest distance, in ticks, between a frame and its place at a constant rate."""
    times = timeline.times.astype(np.float64)
    grid = times[0] + np.arange(len(times)) / float(rate * unit)
    return float(np.abs(times - grid).max())


def _distance_with_unknown_times(timeline: Timeline, rate: Fraction, unit: Fraction) -> float:
    """The same if exactly the frames without a timestamp of their own leave places empty."""
    step = 1 / float(rate * unit)
    places = round(float(timeline.times[-1] - timeline.times[0]) / step) + 1
    if not len(timeline.times) <= places <= timeline.count:
        return float("inf")
    return _distance_from_sparse_grid(timeline, rate, unit)


def _distance_from_sparse_grid(timeline: Timeline, rate: Fraction, unit: Fraction) -> float:
    """The same if places may be empty; infinite where most frames are not one place apart."""
    times = timeline.times.astype(np.float64)
    step = 1 / float(rate * unit)
    if abs(np.median(np.diff(times)) - step) > max(1.0, 0.05 * step):
        return float("inf")
    grid = times[0] + np.rint((times - times[0]) / step) * step
    return float(np.abs(times - grid).max())


def _snapped(rate: Fraction) -> Fraction:
    """The common rate that `rate` is a rounding of, if one is near."""
    nearest = min(COMMON_RATES, key=lambda common: abs(common - rate))
    return nearest if abs(nearest / rate - 1) < Fraction(1, 10000) else rate
