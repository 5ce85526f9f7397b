"""Which tracked objects to show: given ids, one followed object, or the object at a point."""

import logging
from collections.abc import Collection, Generator, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from numbers import Integral
from typing import Literal, TypeVar

import numpy as np

from vidseg.concurrency import closing_input
from vidseg.errors import OptionError, VidsegError
from vidseg.structures.instances import Instances
from vidseg.structures.mask_overlap import mask_areas, shapes
from vidseg.structures.masks import crop, full_mask

log = logging.getLogger("vidseg")

GONE_AFTER_FRAMES = 30
"""Missed frames after which a followed object is gone: when `MaskTracker` ends a track."""

T = TypeVar("T")
Follow = Literal["largest", "first"]
Point = tuple[float, float]
"""x, y in pixels of the frame."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The objects to show; by default all of them."""

    ids: tuple[int, ...] = ()
    follow: Follow | None = None
    """One object at a time: the `largest` in view, or the `first` that appeared."""
    at: Fraction | None = None
    """Seconds of the source at which `point` lies on the object."""
    point: Point | None = None

    def __post_init__(self) -> None:
        """Raises OptionError: several ways to select, a point without its time, an id below 1."""
        if (self.at is None) != (self.point is None):
            raise OptionError(
                "`at` and `point` go together: give a time, and the point x,y at that time."
            )
        if sum((bool(self.ids), self.follow is not None, self.at is not None)) > 1:
            raise OptionError(
                "`ids`, `follow` and `at` each select objects; give only one of them."
            )
        wrong = [one for one in self.ids if not isinstance(one, Integral) or one < 1]
        if wrong:
            raise OptionError(f"Ids are whole numbers that start at 1, got {wrong[0]}.")
        if self.follow not in (None, "largest", "first"):
            raise OptionError(f"follow must be largest or first, got {self.follow}.")
        if self.at is not None and self.at < 0:
            raise OptionError(f"`at` must not be negative, got {float(self.at):g}.")
        if self.point is not None and not all(0 <= value < np.inf for value in self.point):
            raise OptionError(f"`point` must lie in the frame, got {_text(self.point)}.")

    def __bool__(self) -> bool:
        return bool(self.ids) or self.follow is not None or self.at is not None


def select_ids(
    pairs: Iterable[tuple[T, Instances]], ids: Sequence[int]
) -> Generator[tuple[T, Instances], None, None]:
    """The objects with these ids. Closes `pairs`, and warns about ids that never occurred."""
    missing, seen = set(ids), set[int]()
    with closing_input(pairs) as source:
        for moment, instances in source:
            seen |= set(instances.ids.tolist())
            yield moment, instances[np.isin(instances.ids, list(ids))]
    for number in sorted(missing - seen):
        log.warning(no_such_id(number, seen))


def no_such_id(number: int, seen: Collection[int]) -> str:
    """The warning about an id that no object had, while other objects had the ids `seen`."""
    known = f"ids were {min(seen)} to {max(seen)}" if seen else "no object was tracked"
    return f"No object had the id {number}; {known}."


def follow_one(
    pairs: Iterable[tuple[T, Instances]], follow: Follow
) -> Generator[tuple[T, Instances], None, None]:
    """At most one object per frame: the largest or the first, until it is gone; then the next.

    An object is gone when it was missed for more than `GONE_AFTER_FRAMES`, or when all ids in view
    are new, because a scene cut ended all tracks. Closes `pairs`.
    """
    current, missed, newest = 0, 0, 0
    with closing_input(pairs) as source:
        for moment, instances in source:
            ids = instances.ids
            in_view = bool((ids == current).any())
            missed = 0 if in_view else missed + 1
            all_new = bool(len(ids)) and int(ids.min()) > newest
            gone = not current or missed > GONE_AFTER_FRAMES or all_new
            if len(ids) and not in_view and gone:
                current, missed = _chosen_id(instances, follow), 0
            newest = max(newest, int(ids.max(initial=0)))
            yield moment, instances[ids == current]


def _chosen_id(instances: Instances, follow: Follow) -> int:
    if follow == "first":
        return int(instances.ids.min())
    areas = mask_areas(shapes(instances), instances.size)
    return int(instances.ids[np.argmax(areas)])


def id_at(instances: Instances, point: Point, seconds: float) -> int:
    """The id of the object under a point of its frame; of several, the one with the best score.

    Raises:
        OptionError: the point lies outside the frame.
        VidsegError: there is none; the message names the nearest object.
    """
    height, width = instances.size
    x, y = point
    if x >= width or y >= height:
        raise OptionError(
            f"The point {_text(point)} is outside the frame, which has {width} x {height} pixels."
        )
    for row in np.argsort(-instances.scores, kind="stable").tolist():
        rows, cols, mask = crop(instances, row)
        down, across = int(y) - rows.start, int(x) - cols.start
        if 0 <= down < mask.shape[0] and 0 <= across < mask.shape[1] and mask[down, across]:
            return int(instances.ids[row])
    raise VidsegError(
        f"There is no object at {_text(point)} at {seconds:g} s; {_nearest(instances, point)}."
    )


def _nearest(instances: Instances, point: Point) -> str:
    """The nearest object to a point, in words."""
    best: tuple[float, int, int, int] | None = None
    for row in range(len(instances)):
        y, x = np.nonzero(full_mask(instances, row))
        if len(x):
            distance = np.hypot(x + 0.5 - point[0], y + 0.5 - point[1])
            n = int(np.argmin(distance))
            found = float(distance[n]), row, int(x[n]), int(y[n])
            best = found if best is None else min(best, found)
    if best is None:
        return "nothing was found in that frame"
    distance, row, x, y = best
    return (
        f"the nearest one, with id {instances.ids[row]}, is {distance:.0f} pixels away, at {x},{y}"
    )


def _text(point: Point) -> str:
    return f"{point[0]:g},{point[1]:g}"
