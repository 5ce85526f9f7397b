"""Chains of tracking stages, as tests and benchmarks use them."""

from collections.abc import Generator, Iterable

from vidseg.structures.instances import Found
from vidseg.tracking.class_votes import vote_classes
from vidseg.tracking.mask_tracker import MaskTracker
from vidseg.tracking.stages import assign_ids, drop_untracked, shown_tracks, track
from vidseg.tracking.tracker import Tracker


def tracked(pairs: Iterable[Found], tracker: Tracker | None = None) -> Generator[Found, None, None]:
    """The objects that the tracker alone puts in tracks, with voted classes."""
    return vote_classes(drop_untracked(track(pairs, tracker or MaskTracker())))


def displayed(
    pairs: Iterable[Found], *, score: float = 0.5, fill: int = 5, radius: int = 2
) -> Generator[Found, None, None]:
    """All stages, as a command displays the objects by default."""
    return shown_tracks(assign_ids(pairs, score=score, fill=fill), radius=radius)
