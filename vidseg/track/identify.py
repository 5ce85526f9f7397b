"""Objects with the ids of their tracks: everything that was found, as it is saved, and of that what
is shown."""

from collections.abc import Generator, Iterable
from dataclasses import replace
from typing import TypeVar

import numpy as np

from vidseg.instances import UNTRACKED, Found, Instances
from vidseg.stream import closing_input
from vidseg.track.steady import fill_gaps, smooth, tracks_of
from vidseg.track.tracker import MaskTracker
from vidseg.track.trust import Trust
from vidseg.track.votes import Votes

T = TypeVar("T")


def identified(pairs: Iterable[Found], *, score: float, fill: int) -> Generator[Found, None, None]:
    """Every frame with all its objects: those of tracks to be shown under their ids, with gaps of
    up to `fill` frames filled, the others `UNTRACKED`.

    Classes are as they were found. An error of `pairs` comes after all the frames before it;
    closing closes `pairs`. Holds `frames_ahead(fill, 0)` frames.
    """
    return fill_gaps(_named(pairs, MaskTracker(score=score)), longest=fill, trust=Trust(score))


def settled(
    pairs: Iterable[tuple[T, Instances]], *, radius: int
) -> Generator[tuple[T, Instances], None, None]:
    """What is to be shown of `identified` frames: the objects of tracks, each of the class that its
    track was seen as most so far, smoothed by `radius` frames."""
    voted = _voted(pairs)
    return smooth(voted, radius=radius) if radius else voted


def untracked(
    pairs: Iterable[tuple[T, Instances]], *, filled: bool = False
) -> Generator[tuple[T, Instances], None, None]:
    """The same frames with what was found in them, without tracks; with what was `filled` in, if
    that is wanted, as for what was moved between keyframes."""
    with closing_input(pairs) as found:
        for frame, instances in found:
            real = instances if filled else instances[~instances.filled]
            yield frame, real.with_ids(np.full(len(real), UNTRACKED, np.int64))


def _named(pairs: Iterable[Found], tracker: MaskTracker) -> Generator[Found, None, None]:
    """The same objects with the ids of their tracks."""
    with closing_input(pairs) as found:
        for frame, instances in found:
            yield frame, instances.with_ids(tracker.identify(frame, instances))


def _voted(pairs: Iterable[tuple[T, Instances]]) -> Generator[tuple[T, Instances], None, None]:
    votes = Votes()
    with closing_input(tracks_of(pairs)) as found:
        for frame, shown in found:
            yield frame, replace(shown, labels=votes.vote(shown))
