"""Selects the object at a point, at a time in the middle of the input, to show it from the start.

The input is searched up to that time, and everything found waits without its pictures, some 40 KB a
frame; then the pictures are read again from the first. Ids are assigned once, so they agree.
"""

from collections.abc import Iterable, Iterator
from itertools import islice

from vidseg.concurrency import closing_input
from vidseg.errors import VidsegError
from vidseg.pipeline.search import Search
from vidseg.pipeline.stages import selectable
from vidseg.structures.frame import Frame
from vidseg.structures.instances import Found, Instances
from vidseg.structures.span import Span
from vidseg.tracking.selection import id_at
from vidseg.video.decoding.reader import read_frames
from vidseg.video.info import VideoInfo


def object_at_point(
    known: Iterable[Found], info: VideoInfo, search: Search, span: Span
) -> tuple[int, Iterator[Found]]:
    """The id of the object at the point of `search`, and all frames of `known` from the first.

    Raises:
        OptionError: the point is outside the frame.
        VidsegError: there is no object at the point, or no frame at that time.
    """
    at, point = search.selection.at, search.selection.point
    assert at is not None
    assert point is not None
    passed: list[Instances] = []
    there: Instances | None = None
    rest = iter(known)
    for frame, instances in rest:
        passed.append(instances)
        if frame.time > at:
            break
        over = bool(frame.duration) and frame.time + frame.duration <= at
        there = None if over else instances
    if there is None:
        raise VidsegError(
            f"{info.path} shows no frame at {float(at):g} s; give `at` a time inside the span."
        )
    found = id_at(selectable(search, there), point, float(at))
    frames = read_frames(
        info,
        start=span.start,
        keep_going=span.keep_going,
        keep_interlaced=span.keep_interlaced,
    )
    return found, _replayed(frames, passed, rest)


def _replayed(
    frames: Iterator[Frame], passed: list[Instances], rest: Iterator[Found]
) -> Iterator[Found]:
    with closing_input(rest):
        with closing_input(frames) as again:
            yield from zip(islice(again, len(passed)), passed, strict=True)
        passed.clear()
        yield from rest
