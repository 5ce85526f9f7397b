"""Tracking as a chain of generators over (frame, objects) pairs.

    assign_ids    track ─► fill_gaps, with track confirmation     every object: what is saved
    shown_tracks  drop_untracked ─► vote_classes ─► smooth        what is displayed

Stages look ahead: a frame waits until the later frames that decide about it have arrived, so the
output has no lag. A scene cut ends all tracks, so nothing carries over a cut.
"""

from collections import deque
from collections.abc import Generator, Iterable
from contextlib import closing
from typing import TypeVar

import numpy as np

from vidseg.concurrency import closing_input
from vidseg.errors import VidsegError
from vidseg.structures.instances import UNTRACKED, Found, Instances
from vidseg.tracking._smoothing import smoothed
from vidseg.tracking.class_votes import vote_classes
from vidseg.tracking.confirmation import NEAR_FRAMES, TrackConfirmation
from vidseg.tracking.interpolation import Sighting, fill_missed, sightings
from vidseg.tracking.mask_tracker import MaskTracker
from vidseg.tracking.tracker import Tracker

T = TypeVar("T")

DEFAULT_FILL_FRAMES = 5
"""Longest gap, in frames, that is filled between two sightings of a track."""
DEFAULT_SMOOTHING_RADIUS = 2
"""Frames before and after that smooth a frame."""
TRACKING_RULES_VERSION = 2
"""Bump this when the stages give other results. Saved ids of another version are recomputed."""


def assign_ids(
    pairs: Iterable[Found],
    *,
    score: float,
    fill: int,
    tracker: Tracker | None = None,
    near: int = NEAR_FRAMES,
) -> Generator[Found, None, None]:
    """Every frame with all its objects, as they are saved.

    Objects of confirmed tracks carry their ids, all others are `UNTRACKED`. Gaps of up to `fill`
    frames in confirmed tracks are filled (0: none). Classes stay as detected. Pass the weak objects
    of the predictor too, from a score of 0.1 on: they continue tracks.

    Args:
        score: lowest mean score of a confirmed track, see `vidseg.tracking.confirmation`.
        tracker: assigns the ids; None is a new `MaskTracker`.
        near: how many of the next frames help to confirm a track. With 0, and `fill` 0, each frame
            is handed out at once.

    An error of `pairs` arrives after all frames before it; closing the generator closes `pairs`.
    Holds `frames_ahead(fill, 0)` frames.
    """
    tracks = track(pairs, MaskTracker(score=score) if tracker is None else tracker)
    return fill_gaps(tracks, longest=fill, confirmation=TrackConfirmation(score), near=near)


def shown_tracks(
    pairs: Iterable[tuple[T, Instances]], *, radius: int
) -> Generator[tuple[T, Instances], None, None]:
    """The tracked objects of `assign_ids`, as they are displayed.

    Each gets the class that its track was detected as most so far, and is smoothed over `radius`
    frames before and after (0: not at all).
    """
    tracked = vote_classes(drop_untracked(pairs))
    return smooth(tracked, radius=radius) if radius else tracked


def without_tracks(
    pairs: Iterable[tuple[T, Instances]], *, keep_filled: bool = False
) -> Generator[tuple[T, Instances], None, None]:
    """The detections of `assign_ids` again: no ids and no filled gaps.

    `keep_filled` keeps the objects marked `filled`: with keyframes, that mark also means objects
    moved between keyframes.
    """
    with closing_input(pairs) as source:
        for frame, instances in source:
            detected = instances if keep_filled else instances[~instances.filled]
            yield frame, detected.with_ids(np.full(len(detected), UNTRACKED, np.int64))


def frames_ahead(fill: int = DEFAULT_FILL_FRAMES, radius: int = DEFAULT_SMOOTHING_RADIUS) -> int:
    """How many frames the stages have read beyond the one that they hand out."""
    return max(fill, NEAR_FRAMES) + radius


def track(pairs: Iterable[Found], tracker: Tracker) -> Generator[Found, None, None]:
    """The frames with all their objects, under the ids that `tracker` assigns.

    Raises VidsegError: the tracker left out objects, or used an id twice in a frame.
    """
    with closing_input(pairs) as source:
        for frame, instances in source:
            tracked = tracker.update(frame, instances)
            _check_tracked(tracker, instances, tracked)
            yield frame, tracked


def _check_tracked(tracker: Tracker, given: Instances, tracked: Instances) -> None:
    name = type(tracker).__name__
    if not isinstance(tracked, Instances):
        raise VidsegError(f"{name}.update must return vidseg.Instances, got {tracked!r}.")
    ids = tracked.ids[tracked.ids != UNTRACKED]
    if len(tracked) != len(given):
        raise VidsegError(
            f"{name}.update returned {len(tracked)} of {len(given)} objects; it must return all, "
            f"with the id {UNTRACKED} for those without a track."
        )
    if len(np.unique(ids)) != len(ids) or ids.min(initial=1) < 1:
        raise VidsegError(
            f"{name}.update returned the ids {tracked.ids.tolist()}; ids start at 1 and occur once "
            "in a frame."
        )


def fill_gaps(
    pairs: Iterable[Found],
    *,
    longest: int,
    confirmation: TrackConfirmation | None = None,
    near: int = NEAR_FRAMES,
) -> Generator[Found, None, None]:
    """Add objects that were missed for up to `longest` frames between two sightings.

    With `confirmation`, tracks that are not confirmed become `UNTRACKED` and are not filled; both
    decisions look at the same frames ahead, `near` of them at least. See
    `vidseg.tracking.interpolation`.
    """
    before: dict[int, Sighting] = {}
    ahead_frames = max(longest, near) if confirmation else longest
    with closing(look_ahead(pairs, ahead_frames)) as source:
        for number, ((frame, now), ahead) in enumerate(source):
            kept, known = now, before
            if confirmation is not None:
                confirmed = confirmation.confirmed(number, now, ahead)
                kept = _keep_ids(now, confirmed)
                known = {track: seen for track, seen in before.items() if track in confirmed}
            yield frame, fill_missed(kept, number, known, ahead, longest=longest)
            before |= sightings(number, kept)
            before = {i: seen for i, seen in before.items() if number - seen.number < longest}


def _keep_ids(instances: Instances, track_ids: set[int]) -> Instances:
    """The same objects; those of other tracks become `UNTRACKED`."""
    ids = [i if i in track_ids else UNTRACKED for i in instances.ids.tolist()]
    return instances.with_ids(np.array(ids, np.int64))


def drop_untracked(
    pairs: Iterable[tuple[T, Instances]],
) -> Generator[tuple[T, Instances], None, None]:
    """The tracked objects only."""
    with closing_input(pairs) as source:
        for frame, instances in source:
            yield frame, instances[instances.ids != UNTRACKED]


def smooth(
    pairs: Iterable[tuple[T, Instances]], *, radius: int
) -> Generator[tuple[T, Instances], None, None]:
    """Boxes and masks smoothed over `radius` frames before and after; see `_smoothing`."""
    past: deque[Instances] = deque(maxlen=radius + 1)
    with closing(look_ahead(pairs, radius)) as source:
        for (frame, now), ahead in source:
            past.append(now)
            yield frame, smoothed([*past, *ahead], len(past) - 1)


def look_ahead(
    pairs: Iterable[tuple[T, Instances]], count: int
) -> Generator[tuple[tuple[T, Instances], list[Instances]], None, None]:
    """Each pair with the objects of the next `count` frames; fewer at the end.

    An error of `pairs` arrives after all pairs before it. Holds `count` frames.
    """
    waiting: deque[tuple[T, Instances]] = deque()
    with closing_input(pairs) as source:
        try:
            for pair in source:
                waiting.append(pair)
                del pair  # a frame handed out must not stay alive here
                if len(waiting) > count:
                    yield waiting.popleft(), [instances for _, instances in waiting]
        except Exception:
            yield from _drained(waiting)
            raise
        yield from _drained(waiting)


def _drained(
    waiting: deque[tuple[T, Instances]],
) -> Generator[tuple[tuple[T, Instances], list[Instances]], None, None]:
    while waiting:
        yield waiting.popleft(), [instances for _, instances in waiting]
