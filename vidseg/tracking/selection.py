"""Which of the tracked objects to show: some ids, one that is followed, or the one at a point."""

import logging
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeVar

import numpy as np

from vidseg.concurrency import closing_input
from vidseg.errors import OptionError, VidsegError
from vidseg.structures.instances import Instances
from vidseg.structures.mask_overlap import mask_areas, shapes
from vidseg.structures.masks import crop, full_mask

log = logging.getLogger("vidseg")

GONE = 30
"""Frames after which a followed object does not come back: a tracker's memory."""

T = TypeVar("T")
Follow = Literal["largest", "first"]
Point = tuple[float, float]
"""x, y in pixels of the frame."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was asked for; nothing at all is every object."""

    ids: tuple[int, ...] = ()
    follow: Follow | None = None
    """`largest` in view, or the `first` that came; one at a time."""
    at: Fraction | None = None
    """Seconds of the source at which an object is pointed at."""
    point: Point | None = None

    def __post_init__(self) -> None:
        """Raises OptionError: two ways at once, a point without its time, an id below 1."""
        if (self.at is None) != (self.point is None):
            raise OptionError("--at and --point belong together: a time, and the point x,y then.")
        if sum((bool(self.ids), self.follow is not None, self.at is not None)) > 1:
            raise OptionError("--id, --follow and --at choose objects each in its way; take one.")
        if any(number < 1 for number in self.ids):
            raise OptionError(f"Ids count from 1, got {min(self.ids)}.")
        if self.follow not in (None, "largest", "first"):
            raise OptionError(f"follow must be largest or first, got {self.follow}.")
        if self.at is not None and self.at < 0:
            raise OptionError(f"--at must not be negative, got {float(self.at):g}.")
        if self.point is not None and not all(0 <= value < np.inf for value in self.point):
            raise OptionError(f"--point must lie in the frame, got {_named(self.point)}.")

    def __bool__(self) -> bool:
        return bool(self.ids) or self.follow is not None or self.at is not None


def only(
    pairs: Iterable[tuple[T, Instances]], ids: Sequence[int]
) -> Generator[tuple[T, Instances], None, None]:
    """The objects of these tracks; says at the end which of them never came. Closes `pairs`."""
    missing, seen = set(ids), set[int]()
    with closing_input(pairs) as source:
        for moment, instances in source:
            seen |= set(instances.ids.tolist())
            yield moment, instances[np.isin(instances.ids, list(ids))]
    for number in sorted(missing - seen):
        known = f"ids were between {min(seen)} and {max(seen)}" if seen else "there were no objects"
        log.warning("No object had the id %d; %s.", number, known)


def followed(
    pairs: Iterable[tuple[T, Instances]], follow: Follow
) -> Generator[tuple[T, Instances], None, None]:
    """One object a frame at most: the largest or the first when one is chosen, and then that one
    until it is gone for good. Closes `pairs`.

    It is gone when it was away for `GONE` frames, or when a scene has ended: then all ids in view
    are new.
    """
    current, away, newest = 0, 0, 0
    with closing_input(pairs) as source:
        for moment, instances in source:
            ids = instances.ids
            there = bool((ids == current).any())
            away = 0 if there else away + 1
            fresh = bool(len(ids)) and int(ids.min()) > newest
            if len(ids) and not there and (not current or away > GONE or fresh):
                current, away = _chosen(instances, follow), 0
            newest = max(newest, int(ids.max(initial=0)))
            yield moment, instances[ids == current]


def _chosen(instances: Instances, follow: Follow) -> int:
    if follow == "first":
        return int(instances.ids.min())
    areas = mask_areas(shapes(instances), instances.size)
    return int(instances.ids[np.argmax(areas)])


def id_at(instances: Instances, point: Point, seconds: float) -> int:
    """The id of the object under a point of its frame: of several, the best one.

    Raises:
        OptionError: the point lies outside the frame.
        VidsegError: there is none; says what is near.
    """
    height, width = instances.size
    x, y = point
    if x >= width or y >= height:
        raise OptionError(
            f"The point {_named(point)} is outside the frame, which has {width} x {height} pixels."
        )
    for row in np.argsort(-instances.scores, kind="stable").tolist():
        rows, cols, mask = crop(instances, row)
        down, across = int(y) - rows.start, int(x) - cols.start
        if 0 <= down < mask.shape[0] and 0 <= across < mask.shape[1] and mask[down, across]:
            return int(instances.ids[row])
    raise VidsegError(
        f"There is no object at {_named(point)} at {seconds:g} s; {_nearest(instances, point)}."
    )


def _nearest(instances: Instances, point: Point) -> str:
    """What is near a point, in words."""
    best: tuple[float, int, int, int] | None = None
    for row in range(len(instances)):
        y, x = np.nonzero(full_mask(instances, row))
        if len(x):
            away = np.hypot(x + 0.5 - point[0], y + 0.5 - point[1])
            n = int(np.argmin(away))
            found = float(away[n]), row, int(x[n]), int(y[n])
            best = found if best is None else min(best, found)
    if best is None:
        return "nothing was found in that frame"
    away, row, x, y = best
    return f"the nearest one, with id {instances.ids[row]}, is {away:.0f} pixels away, at {x},{y}"


def _named(point: Point) -> str:
    return f"{point[0]:g},{point[1]:g}"
