"""Lost objects kept for some frames, because an effect that hides people must fail safe.

`vidseg.tracking.interpolation` fills a gap only if the object is detected again soon. Here that
does not matter: a lost track stays for some frames, both where it was last seen and where it would
be now at its last speed. Hiding one place too many does no harm.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vidseg.structures.boxes import clip_boxes
from vidseg.structures.frame import Instant
from vidseg.structures.instances import Instances, concatenate
from vidseg.tracking.interpolation import sightings

NEWEST_STEP_WEIGHT = 0.5
"""Weight of the newest step in the moving average of a track's speed."""


class _Last(NamedTuple):
    """The last sighting of a track."""

    number: int
    """Index of the frame."""
    one: Instances
    """The object by itself."""
    speed: NDArray[np.float64]
    """(2,) pixels per frame of its centre, x and y."""


class TrackHold:
    """Adds the objects of tracks that were lost at most `longest` frames ago.

    Frames must come in order. Untracked objects cannot be told apart, and are not held.
    """

    def __init__(self, longest: int) -> None:
        self.longest = longest
        self._last: dict[int, _Last] = {}

    def update(self, frame: Instant, now: Instances) -> Instances:
        """The objects of this frame, plus the held ones, marked `filled`."""
        seen = sightings(frame.index, now)
        lost = {i: last for i, last in self._last.items() if i not in seen}
        kept = {i: last for i, last in lost.items() if frame.index - last.number <= self.longest}
        places = [place for last in kept.values() for place in _places(last, frame.index)]
        new = {i: self._sighted(i, frame.index, sight.alone()) for i, sight in seen.items()}
        self._last = kept | new
        return concatenate([now, *places])

    def _sighted(self, track_id: int, index: int, one: Instances) -> _Last:
        before = self._last.get(track_id)
        if before is None or index <= before.number:
            return _Last(index, one, np.zeros(2))
        step = (_centre(one) - _centre(before.one)) / (index - before.number)
        return _Last(
            index, one, NEWEST_STEP_WEIGHT * step + (1 - NEWEST_STEP_WEIGHT) * before.speed
        )


def _places(last: _Last, index: int) -> Iterator[Instances]:
    """The object where it was last seen and, if it moved, also where it would be now."""
    held = replace(last.one, filled=np.ones(1, np.bool_))
    yield held
    moved = last.speed * (index - last.number)
    if np.abs(moved).max() >= 1:
        boxes = held.boxes + np.tile(moved, 2).astype(np.float32)
        yield replace(held, boxes=clip_boxes(boxes, held.size))


def _centre(one: Instances) -> NDArray[np.float64]:
    x0, y0, x1, y1 = one.boxes[0]
    return np.array([(x0 + x1) / 2, (y0 + y1) / 2], np.float64)
