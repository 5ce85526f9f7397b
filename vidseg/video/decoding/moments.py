"""A few frames, spread evenly over an input, without reading all of it where that can be."""

from bisect import bisect_right
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from typing import TypeVar

from vidseg.structures.frame import Frame
from vidseg.structures.span import Span
from vidseg.video.decoding.reader import Reader, read_frames
from vidseg.video.info import VideoInfo

T = TypeVar("T")

READ_ON_FRAMES = 30
"""Frames up to the next one that is needed which are read rather than skipped by opening anew."""
READ_THROUGH_FRAMES = 100
"""A video of so few frames is read from end to end, which is as fast as seeking in it."""


def read_moments(info: VideoInfo, span: Span, count: int) -> Iterator[Frame]:
    """At most `count` frames of the span in order, one from the middle of each of `count` parts.

    Of a video with keyframes, the keyframe nearest to the middle of a part is taken, so that two
    hours take seconds; a part without one is decoded up to its middle. Folders open the chosen
    photos only. Everything else, and short videos, are read once from end to end, holding at most 2
    `count` pictures.

    Raises DamagedInputError: a frame to be read is damaged, and the span does not keep going.
    """
    if info.kind == "folder":
        return _photos(info, span, count)
    short = info.frames is not None and info.frames <= READ_THROUGH_FRAMES
    if len(info.keyframes) > 1 and info.duration is not None and not short:
        return _sought(info, span, moment_times(info, span, count))
    total = info.frames if span.is_whole else None
    with closing(_reading(info, span)) as frames:
        return iter(_picked(frames, total, count))


def read_chosen(
    info: VideoInfo, indexes: Sequence[int], span: Span
) -> Generator[Frame, None, None]:
    """The frames of these ascending indexes; where it is worth it, those between are skipped.

    `span` says how to read, not what. Frames that are not there are left out.
    """
    if info.kind == "folder" and indexes:
        few = replace(info, photos=tuple(info.photos[index] for index in indexes))
        with closing(_reading(few, Span(keep_going=span.keep_going))) as frames:
            for frame in frames:
                yield replace(frame, index=indexes[frame.index])
        return
    for group in _between_keyframes(indexes, [each.number for each in info.keyframes]):
        wanted = {*group}
        reading = read_frames(
            info,
            first=group[0],
            stop=group[-1] + 1,
            keep_going=span.keep_going,
            keep_interlaced=span.keep_interlaced,
        )
        with closing(reading) as frames:
            yield from (frame for frame in frames if frame.index in wanted)


def _between_keyframes(
    indexes: Sequence[int], keyframes: Sequence[int]
) -> Generator[list[int], None, None]:
    """The indexes in groups: before each, a keyframe lies further on than is worth reading to."""
    group: list[int] = []
    for index in indexes:
        place = bisect_right(keyframes, index) - 1
        if group and place >= 0 and keyframes[place] - group[-1] > READ_ON_FRAMES:
            yield group
            group = []
        group.append(index)
    if group:
        yield group


def moment_times(info: VideoInfo, span: Span, count: int) -> list[Fraction]:
    """Times at which to start reading, in seconds, one in each of `count` parts of the span."""
    assert info.duration is not None
    begin = max(span.start or Fraction(0), info.start)
    end = min(span.end or info.duration, info.duration)
    part = (end - begin) / count
    keyframes = [each.pts * info.time_base - info.origin for each in info.keyframes]
    times: list[Fraction] = []
    for number in range(count if part > 0 else 0):
        middle = begin + part * (number + Fraction(1, 2))
        near = [time for time in keyframes if abs(time - middle) < part / 2]
        times.append(min(near, key=lambda time: abs(time - middle), default=middle))
    return times


def evenly(items: Sequence[T], count: int) -> list[T]:
    """At most `count` items from the middles of `count` equal parts, in order."""
    if len(items) <= count:
        return list(items)
    return [items[(2 * number + 1) * len(items) // (2 * count)] for number in range(count)]


def _sought(info: VideoInfo, span: Span, times: Iterable[Fraction]) -> Iterator[Frame]:
    last = -1
    for time in times:
        with closing(_reading(info, span.starting_at(time))) as frames:
            for frame in islice(frames, 1):
                if frame.index > last:
                    yield frame
                last = frame.index


def _photos(info: VideoInfo, span: Span, count: int) -> Iterator[Frame]:
    shown = [1 / info.rate * number for number in range(len(info.photos))]
    inside = [
        number
        for number, time in enumerate(shown)
        if (span.start or 0) <= time and (span.end is None or time < span.end)
    ]
    chosen = evenly(inside, count)
    few = replace(info, photos=tuple(info.photos[number] for number in chosen))
    with closing(_reading(few, Span(keep_going=span.keep_going))) as frames:
        for frame in frames:
            number = chosen[frame.index]
            yield replace(frame, index=number, time=shown[number])


def _picked(frames: Iterable[Frame], total: int | None, count: int) -> list[Frame]:
    """`count` of the `total` frames, evenly; only about so where the total is unknown."""
    if total is None:
        return evenly(_thinned(frames, count), count)
    wanted = {*evenly(range(total), count)}
    return [frame for number, frame in enumerate(frames) if number in wanted]


def _thinned(frames: Iterable[Frame], count: int) -> list[Frame]:
    """From `count` to 2 `count` frames at equal steps; all, where there are fewer."""
    kept: list[Frame] = []
    step = 1
    for number, frame in enumerate(frames):
        if number % step:
            continue
        kept.append(frame)
        if len(kept) == 2 * count:
            del kept[1::2]
            step *= 2
    return kept


def _reading(info: VideoInfo, span: Span) -> Reader:
    return read_frames(
        info,
        start=span.start,
        end=span.end,
        keep_going=span.keep_going,
        keep_interlaced=span.keep_interlaced,
    )
