"""Objects that were missed for a few frames, put back between their sightings before and after."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vidseg.structures.instances import UNTRACKED, Instances
from vidseg.structures.mask_overlap import mask_areas, shapes, shared_areas

HIDDEN = 0.5
"""Share of a filled mask from which another object seems to stand before it."""


class Sighting(NamedTuple):
    """Where a track was seen: row `row` of `instances`, the objects of frame `number`."""

    number: int
    instances: Instances
    row: int

    def alone(self) -> Instances:
        """The object by itself."""
        return self.instances[self.row : self.row + 1]


def sightings(number: int, instances: Instances) -> dict[int, Sighting]:
    """Id to sighting of every track in frame `number`."""
    names = enumerate(instances.ids.tolist())
    return {name: Sighting(number, instances, row) for row, name in names if name > 0}


def filled(
    now: Instances,
    number: int,
    before: Mapping[int, Sighting],
    ahead: Sequence[Instances],
    *,
    longest: int,
) -> Instances:
    """The objects of frame `number` and those that it misses, marked `filled`.

    `before` holds the last sighting of each track, `ahead` the objects of the next frames. Box and
    mask change evenly from one sighting to the other, at most `longest` missed frames apart. Where
    another tracked object covers more than half of what would be filled in, it is hidden and stays
    away.
    """
    missing = set(before) - set(now.ids.tolist())
    tracked = now[now.ids != UNTRACKED]
    added = []
    for name in sorted(missing):
        after = _next_sighting(name, number, ahead)
        if after is not None and after.number - before[name].number <= longest + 1:
            between = _between(before[name], after, number)
            if not _hidden(between, tracked):
                added.append(between)
    return joined(now, added)


def _next_sighting(name: int, number: int, ahead: Sequence[Instances]) -> Sighting | None:
    for later, instances in enumerate(ahead, number + 1):
        rows = np.flatnonzero(instances.ids == name)
        if len(rows):
            return Sighting(later, instances, int(rows[0]))
    return None


def _between(before: Sighting, after: Sighting, number: int) -> Instances:
    """The object as it may have been in frame `number`, on its way from sighting to sighting."""
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


def _hidden(one: Instances, others: Instances) -> bool:
    """Whether an object of `others` covers most of `one`."""
    covered = shared_areas(shapes(one), shapes(others), one.size)
    area = mask_areas(shapes(one), one.size)[0]
    return bool(covered.max(initial=0) > HIDDEN * area)


def joined(now: Instances, added: Iterable[Instances]) -> Instances:
    """The objects of `now` and those `added` to them."""
    parts = [part for part in (now, *added) if len(part)]
    if len(parts) < 2:
        return parts[0] if parts else now
    names = [field.name for field in fields(now) if field.name != "size"]
    columns = {name: np.concatenate([getattr(p, name) for p in parts]) for name in names}
    return replace(now, **columns)
