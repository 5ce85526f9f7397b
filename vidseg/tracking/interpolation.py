"""Gap filling: objects missed for a few frames, interpolated between their sightings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vidseg.structures.instances import UNTRACKED, Instances, concatenate
from vidseg.structures.mask_overlap import mask_areas, shapes, shared_areas

MAX_COVERED_SHARE = 0.5
"""An interpolated mask covered by another object beyond this share counts as hidden by it."""


class Sighting(NamedTuple):
    """A track seen in frame `number`: row `row` of that frame's `instances`."""

    number: int
    instances: Instances
    row: int

    def alone(self) -> Instances:
        """The object by itself, as `Instances` of one row."""
        return self.instances[self.row : self.row + 1]


def sightings(number: int, instances: Instances) -> dict[int, Sighting]:
    """Track id to sighting, for every tracked object of frame `number`."""
    rows = enumerate(instances.ids.tolist())
    return {track_id: Sighting(number, instances, row) for row, track_id in rows if track_id > 0}


def fill_missed(
    now: Instances,
    number: int,
    before: Mapping[int, Sighting],
    ahead: Sequence[Instances],
    *,
    longest: int,
) -> Instances:
    """The objects of frame `number`, plus those missed in it, marked `filled`.

    `before` holds the last sighting of each track, `ahead` the objects of the next frames. Box,
    mask and score change linearly from one sighting to the next, over at most `longest` missed
    frames. An object that another tracked object would mostly cover is hidden, and not added.
    """
    missing = set(before) - set(now.ids.tolist())
    tracked = now[now.ids != UNTRACKED]
    added = []
    for track_id in sorted(missing):
        after = _next_sighting(track_id, number, ahead)
        if after is not None and after.number - before[track_id].number <= longest + 1:
            one = _interpolated(before[track_id], after, number)
            if not _is_hidden(one, tracked):
                added.append(one)
    return concatenate([now, *added])


def _next_sighting(track_id: int, number: int, ahead: Sequence[Instances]) -> Sighting | None:
    for later, instances in enumerate(ahead, number + 1):
        rows = np.flatnonzero(instances.ids == track_id)
        if len(rows):
            return Sighting(later, instances, int(rows[0]))
    return None


def _interpolated(before: Sighting, after: Sighting, number: int) -> Instances:
    """The object in frame `number`, on its way from one sighting to the next."""
    share = (number - before.number) / (after.number - before.number)
    a, b = before.alone(), after.alone()

    def mix(a: NDArray, b: NDArray) -> NDArray:
        return (1 - share) * a + share * b

    return replace(
        b,
        boxes=mix(a.boxes, b.boxes).astype(np.float32),
        masks=mix(a.masks, b.masks).round().astype(np.uint8),
        scores=mix(a.scores, b.scores).astype(np.float32),
        filled=np.ones(1, np.bool_),
    )


def _is_hidden(one: Instances, others: Instances) -> bool:
    """Whether an object of `others` covers most of `one`."""
    covered = shared_areas(shapes(one), shapes(others), one.size)
    area = mask_areas(shapes(one), one.size)[0]
    return bool(covered.max(initial=0) > MAX_COVERED_SHARE * area)
