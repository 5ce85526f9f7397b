"""Objects that neither flicker nor shimmer: track, fill gaps, smooth; each a stage of its own.

All of them look ahead, and so need no lag: a frame is handed on when the frames that decide about
it have come. Ids end at scene cuts, so nothing is carried over one.
"""

from collections import deque
from collections.abc import Generator, Iterable
from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from vidseg.frame import Frame
from vidseg.instances import Instances
from vidseg.overlap import mask_areas, shapes, shared_areas
from vidseg.smooth import smoothed
from vidseg.stream import closing_input
from vidseg.track import MaskTracker, Tracker

Found = tuple[Frame, Instances]

FILL = 5
"""Frames that an object may be missed for and is filled in."""
RADIUS = 2
"""Frames before and after that smooth a frame."""
HIDDEN = 0.5
"""Share of a filled mask from which another object seems to stand before it."""


def steady(
    pairs: Iterable[Found],
    *,
    score: float = 0.5,
    fill: int = FILL,
    radius: int = RADIUS,
    tracker: Tracker | None = None,
) -> Generator[Found, None, None]:
    """The frames with tracked objects, gaps of up to `fill` frames filled, smoothed by `radius`.

    0 switches either off. The predictor's weak objects should be among those given, from a score
    of 0.1 on: they continue tracks. Memory: at most `frames_ahead(fill, radius)` frames and one in
    the caller's hands, and the objects of a few frames more. Closing it closes `pairs`.
    """
    found = track(pairs, MaskTracker(score=score) if tracker is None else tracker)
    found = fill_gaps(found, longest=fill) if fill else found
    return smooth(found, radius=radius) if radius else found


def frames_ahead(fill: int = FILL, radius: int = RADIUS) -> int:
    """How many frames later than it came a frame leaves `steady`."""
    return fill + radius


def track(pairs: Iterable[Found], tracker: Tracker) -> Generator[Found, None, None]:
    """The frames with their objects named by the tracker."""
    with closing_input(pairs) as found:
        for frame, instances in found:
            yield frame, tracker.update(frame, instances)


def fill_gaps(pairs: Iterable[Found], *, longest: int) -> Generator[Found, None, None]:
    """Adds objects between two sightings at most `longest` missed frames apart, marked `filled`.

    Box and mask change evenly from one sighting to the other. Where another object covers more
    than half of what would be filled in, it is hidden and stays away. Holds `longest` frames.
    """
    waiting: deque[Found] = deque()
    last: dict[int, tuple[int, Instances]] = {}
    with closing_input(pairs) as found:
        for number, (frame, instances) in enumerate(found):
            for row, name in enumerate(instances.ids.tolist()):
                now = instances[row : row + 1]
                if name in last and 1 < number - last[name][0] <= longest + 1:
                    _fill(waiting, last[name][1], now, number - last[name][0])
                if name > 0:
                    last[name] = number, now
            last = {name: seen for name, seen in last.items() if number - seen[0] <= longest}
            waiting.append((frame, instances))
            if len(waiting) > longest:
                yield waiting.popleft()
        yield from waiting


def smooth(pairs: Iterable[Found], *, radius: int) -> Generator[Found, None, None]:
    """Boxes and mask edges smoothed over `radius` frames before and after; holds `radius` frames.

    Every frame counts by how far away it is; motion at constant speed stays as it was.
    """
    past: deque[Instances] = deque(maxlen=radius)
    waiting: deque[Found] = deque()

    def first() -> Found:
        frame, instances = waiting.popleft()
        ahead = [later for _, later in waiting]
        past.append(instances)
        return frame, smoothed([*past, *ahead], len(past) - 1)

    with closing_input(pairs) as found:
        for pair in found:
            waiting.append(pair)
            if len(waiting) > radius:
                yield first()
        while waiting:
            yield first()


def _fill(waiting: deque[Found], before: Instances, after: Instances, apart: int) -> None:
    """Adds an object to the last `apart - 1` frames, seen `before` them and `after` them."""
    for step in range(1, apart):
        frame, others = waiting[step - apart]
        added = _between(before, after, step / apart)
        if not _hidden(added, others):
            waiting[step - apart] = frame, _joined(others, added)


def _between(before: Instances, after: Instances, share: float) -> Instances:
    """One object on its way, 0 for `before` to 1 for `after`."""

    def mix(a: NDArray, b: NDArray) -> NDArray:
        return ((1 - share) * a + share * b).round(4)

    return replace(
        after,
        boxes=mix(before.boxes, after.boxes).astype(np.float32),
        masks=mix(before.masks, after.masks).round().astype(np.uint8),
        scores=mix(before.scores, after.scores).astype(np.float32),
        filled=np.ones(1, np.bool_),
    )


def _hidden(one: Instances, others: Instances) -> bool:
    """Whether an object of `others` covers most of `one`."""
    covered = shared_areas(shapes(one), shapes(others[~others.filled]), one.size)
    area = mask_areas(shapes(one), one.size)[0]
    return bool(covered.max(initial=0) > HIDDEN * area)


def _joined(a: Instances, b: Instances) -> Instances:
    names = (field.name for field in fields(a) if field.name != "size")
    return replace(a, **{n: np.concatenate([getattr(a, n), getattr(b, n)]) for n in names})
