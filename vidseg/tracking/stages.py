"""Objects that neither flicker nor shimmer: track, fill gaps, smooth; each a stage of its own.

With the gaps it is decided which tracks are believed, for both look at the same frames ahead.

The stages look ahead: a frame is handed on when those after it have come that decide about it, so
that nothing lags behind. Ids end at scene cuts, so nothing is carried over one.
"""

from collections import deque
from collections.abc import Generator, Iterable
from contextlib import closing
from typing import TypeVar

import numpy as np

from vidseg.concurrency import closing_input
from vidseg.structures.instances import UNTRACKED, Found, Instances
from vidseg.tracking._smoothing import smoothed
from vidseg.tracking.class_votes import voted
from vidseg.tracking.confirmation import AROUND, Trust
from vidseg.tracking.interpolation import Sighting, filled, sightings
from vidseg.tracking.mask_tracker import MaskTracker, Tracker

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
    on: they continue tracks. A track comes out where its scores pass `score` in the mean, see
    `vidseg.tracking.confirmation`; where there is a `tracker` of your own, `score` is its affair.

    Memory: `frames_ahead(fill, radius)` frames wait here beside the one handed out, 44 MB at 1080p
    by default, and the objects of some frames more. An error of `pairs` comes after all the frames
    before it; closing closes `pairs`.
    """
    if tracker is None:
        known = fill_gaps(named(pairs, MaskTracker(score=score)), longest=fill, trust=Trust(score))
        found = voted(tracks_of(known))
    else:
        found = fill_gaps(track(pairs, tracker), longest=fill)
    return smooth(found, radius=radius) if radius else found


def frames_ahead(fill: int = FILL, radius: int = RADIUS) -> int:
    """How many frames `steady` has taken in beyond the one that it hands out."""
    return max(fill, AROUND) + radius


def track(pairs: Iterable[Found], tracker: Tracker) -> Generator[Found, None, None]:
    """The frames with the objects that the tracker shows, under its ids."""
    with closing_input(pairs) as found:
        for frame, instances in found:
            yield frame, tracker.update(frame, instances)


def named(pairs: Iterable[Found], tracker: MaskTracker) -> Generator[Found, None, None]:
    """The frames with all that was found, under the ids of its tracks."""
    with closing_input(pairs) as found:
        for frame, instances in found:
            yield frame, instances.with_ids(tracker.identify(frame, instances))


def fill_gaps(
    pairs: Iterable[Found], *, longest: int, trust: Trust | None = None
) -> Generator[Found, None, None]:
    """Adds what was missed for up to `longest` frames between sightings, see `track.gaps`. Tracks
    that `trust` does not believe get nothing added, and what was seen of them is `UNTRACKED`."""
    before: dict[int, Sighting] = {}
    with closing(looking_ahead(pairs, max(longest, AROUND) if trust else longest)) as found:
        for number, ((frame, now), ahead) in enumerate(found):
            shown, known = now, before
            if trust is not None:
                names = trust.believed(number, now, ahead)
                shown = _only(now, names)
                known = {name: seen for name, seen in before.items() if name in names}
            yield frame, filled(shown, number, known, ahead, longest=longest)
            before |= sightings(number, shown)
            before = {name: seen for name, seen in before.items() if number - seen.number < longest}


def _only(now: Instances, names: set[int]) -> Instances:
    """The same objects, those of other tracks `UNTRACKED`."""
    ids = [name if name in names else UNTRACKED for name in now.ids.tolist()]
    return now.with_ids(np.array(ids, np.int64))


def tracks_of(
    pairs: Iterable[tuple[T, Instances]],
) -> Generator[tuple[T, Instances], None, None]:
    """The objects of tracks alone."""
    with closing_input(pairs) as found:
        for frame, instances in found:
            yield frame, instances[instances.ids != UNTRACKED]


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
