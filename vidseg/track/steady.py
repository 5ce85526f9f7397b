"""Objects that neither flicker nor shimmer: track, fill gaps, smooth; each a stage of its own.

The stages look ahead: a frame is handed on when those after it have come that decide about it, so
that nothing lags behind. Ids end at scene cuts, so nothing is carried over one.
"""

from collections import deque
from collections.abc import Generator, Iterable
from contextlib import closing
from typing import TypeVar

from vidseg.instances import Found, Instances
from vidseg.stream import closing_input
from vidseg.track.gaps import Sighting, filled, sightings
from vidseg.track.smooth import smoothed
from vidseg.track.tracker import MaskTracker, Tracker

T = TypeVar("T")

FILL = 5
"""Frames that an object may be missed for and is filled in."""
RADIUS = 2
"""Frames before and after that smooth a frame."""


def steady(
    pairs: Iterable[Found],
    *,
    score: float = 0.5,
    fill: int = FILL,
    radius: int = RADIUS,
    tracker: Tracker | None = None,
) -> Generator[Found, None, None]:
    """The frames with tracked objects, gaps of up to `fill` frames filled, smoothed by `radius`.

    0 switches either off. `pairs` should hold the predictor's weak objects too, from a score of 0.1
    on: they continue tracks. What comes out passes `score` or continues a track that did; where
    there is a `tracker` of your own, `score` is its affair.

    Memory: `frames_ahead(fill, radius)` frames wait here beside the one handed out, 44 MB at 1080p
    by default, and the objects of some frames more. An error of `pairs` comes after all the frames
    before it; closing closes `pairs`.
    """
    found = track(pairs, MaskTracker(score=score) if tracker is None else tracker)
    found = fill_gaps(found, longest=fill) if fill else found
    return smooth(found, radius=radius) if radius else found


def frames_ahead(fill: int = FILL, radius: int = RADIUS) -> int:
    """How many frames `steady` has taken in beyond the one that it hands out."""
    return fill + radius


def track(pairs: Iterable[Found], tracker: Tracker) -> Generator[Found, None, None]:
    """The frames with the objects that the tracker shows, under its ids."""
    with closing_input(pairs) as found:
        for frame, instances in found:
            yield frame, tracker.update(frame, instances)


def fill_gaps(pairs: Iterable[Found], *, longest: int) -> Generator[Found, None, None]:
    """Adds what was missed for up to `longest` frames between sightings, see `track.gaps`."""
    before: dict[int, Sighting] = {}
    with closing(looking_ahead(pairs, longest)) as found:
        for number, ((frame, now), ahead) in enumerate(found):
            yield frame, filled(now, number, before, ahead, longest=longest)
            before |= sightings(number, now)
            before = {name: seen for name, seen in before.items() if number - seen.number < longest}


def smooth(
    pairs: Iterable[tuple[T, Instances]], *, radius: int
) -> Generator[tuple[T, Instances], None, None]:
    """Boxes and mask edges smoothed by `radius` frames before and after, see `track.smooth`."""
    past: deque[Instances] = deque(maxlen=radius + 1)
    with closing(looking_ahead(pairs, radius)) as found:
        for (frame, now), ahead in found:
            past.append(now)
            yield frame, smoothed([*past, *ahead], len(past) - 1)


def looking_ahead(
    pairs: Iterable[tuple[T, Instances]], count: int
) -> Generator[tuple[tuple[T, Instances], list[Instances]], None, None]:
    """Each pair with the objects of the `count` frames after it, fewer at the end.

    An error of `pairs` comes after all the pairs before it. Holds `count` frames.
    """
    waiting: deque[tuple[T, Instances]] = deque()
    with closing_input(pairs) as found:
        try:
            for pair in found:
                waiting.append(pair)
                del pair
                if len(waiting) > count:
                    yield waiting.popleft(), [instances for _, instances in waiting]
        except Exception:
            yield from _rest(waiting)
            raise
        yield from _rest(waiting)


def _rest(
    waiting: deque[tuple[T, Instances]],
) -> Generator[tuple[tuple[T, Instances], list[Instances]], None, None]:
    while waiting:
        yield waiting.popleft(), [instances for _, instances in waiting]
