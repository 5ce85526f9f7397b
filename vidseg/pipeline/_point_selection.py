"""The object at a point, at a time in the middle: it is to be shown before that time too.

So the input is searched up to there, and everything found waits without its pictures, some 40 KB a
frame; then the pictures are read again from the first on. Ids are given once, so they agree.
"""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import islice

from vidseg.concurrency import closing_input
from vidseg.errors import VidsegError
from vidseg.pipeline.search import Search
from vidseg.structures.frame import Frame
from vidseg.structures.instances import Found, Instances
from vidseg.tracking.selection import id_at
from vidseg.video.decoding.reader import read_frames
from vidseg.video.info import VideoInfo


def pointed_at(
    known: Iterable[Found],
    info: VideoInfo,
    search: Search,
    *,
    start: Fraction | None,
    keep_going: bool,
) -> tuple[int, Iterator[Found]]:
    """The id of the object that `search` points at, and all frames of `known` from the first on.

    Raises:
        OptionError: the point is outside the frame.
        VidsegError: there is no object, or no frame at that time.
    """
    at, point = search.chosen.at, search.chosen.point
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
            f"{info.path} shows no frame at {float(at):g} s; give --at a time in what is made."
        )
    found = id_at(search.selectable(there), point, float(at))
    frames = read_frames(info, start=start, keep_going=keep_going)
    return found, _again(frames, passed, rest)


def _again(
    frames: Iterator[Frame], passed: list[Instances], rest: Iterator[Found]
) -> Iterator[Found]:
    with closing_input(rest):
        with closing_input(frames) as again:
            yield from zip(islice(again, len(passed)), passed, strict=True)
        passed.clear()
        yield from rest
