"""Objects that are missed, held where they were last seen: what hides people must fail safe.

`vidseg.tracking.interpolation` fills a miss in only where the object is seen again soon after.
Here it is not
known whether it will be: a lost track stays for some frames, once where it was last seen and once
where it would be by now at its last speed. What is shown at a wrong place is no harm to what hides.
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

STEADY = 0.5
"""Share of the last step in a track's speed; the rest is that of the steps before."""


class _Last(NamedTuple):
    """Where a track was last seen."""

    number: int
    """Index of the frame."""
    one: Instances
    """The object by itself."""
    speed: NDArray[np.float64]
    """(2,) pixels that its centre moved by each frame, across and down."""


class Hold:
    """Adds the objects of tracks lost at most `longest` frames ago; frames come in order.

    Objects without a track cannot be told from each other, and are not held.
    """

    def __init__(self, longest: int) -> None:
        self.longest = longest
        self._last: dict[int, _Last] = {}

    def update(self, frame: Instant, now: Instances) -> Instances:
        """The objects of this frame, and those held, marked `filled`."""
        seen = sightings(frame.index, now)
        lost = {name: last for name, last in self._last.items() if name not in seen}
        kept = {n: last for n, last in lost.items() if frame.index - last.number <= self.longest}
        places = [place for last in kept.values() for place in _places(last, frame.index)]
        new = {n: self._sighted(n, frame.index, sight.alone()) for n, sight in seen.items()}
        self._last = kept | new
        return concatenate([now, *places])

    def _sighted(self, name: int, index: int, one: Instances) -> _Last:
        before = self._last.get(name)
        if before is None or index <= before.number:
            return _Last(index, one, np.zeros(2))
        step = (_centre(one) - _centre(before.one)) / (index - before.number)
        return _Last(index, one, STEADY * step + (1 - STEADY) * before.speed)


def _places(last: _Last, index: int) -> Iterator[Instances]:
    """The object where it was last seen and, if it moved, where it may be now."""
    held = replace(last.one, filled=np.ones(1, np.bool_))
    yield held
    way = last.speed * (index - last.number)
    if np.abs(way).max() >= 1:
        yield replace(
            held, boxes=clip_boxes(held.boxes + np.tile(way, 2).astype(np.float32), held.size)
        )


def _centre(one: Instances) -> NDArray[np.float64]:
    x0, y0, x1, y1 = one.boxes[0]
    return np.array([(x0 + x1) / 2, (y0 + y1) / 2], np.float64)
