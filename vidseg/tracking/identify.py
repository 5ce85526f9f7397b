"""Objects with the ids of their tracks: everything that was found, as it is saved, and of that what
is shown."""

from collections.abc import Generator, Iterable
from typing import TypeVar

import numpy as np

from vidseg.concurrency import closing_input
from vidseg.structures.instances import UNTRACKED, Found, Instances
from vidseg.tracking.class_votes import voted
from vidseg.tracking.confirmation import Trust
from vidseg.tracking.mask_tracker import MaskTracker
from vidseg.tracking.stages import fill_gaps, named, smooth, tracks_of

T = TypeVar("T")

RULES = 2
"""Counts up where other objects would be followed or shown: ids saved under others are not kept."""


def identified(pairs: Iterable[Found], *, score: float, fill: int) -> Generator[Found, None, None]:
    """Every frame with all its objects: those of tracks to be shown under their ids, with gaps of
    up to `fill` frames filled, the others `UNTRACKED`.

    Classes are as they were found. An error of `pairs` comes after all the frames before it;
    closing closes `pairs`. Holds `frames_ahead(fill, 0)` frames.
    """
    return fill_gaps(named(pairs, MaskTracker(score=score)), longest=fill, trust=Trust(score))


def settled(
    pairs: Iterable[tuple[T, Instances]], *, radius: int
) -> Generator[tuple[T, Instances], None, None]:
    """What is to be shown of `identified` frames: the objects of tracks, each of the class that its
    track was seen as most so far, smoothed by `radius` frames."""
    found = voted(tracks_of(pairs))
    return smooth(found, radius=radius) if radius else found


def untracked(
    pairs: Iterable[tuple[T, Instances]], *, filled: bool = False
) -> Generator[tuple[T, Instances], None, None]:
    """The same frames with what was found in them, without tracks; with what was `filled` in, if
    that is wanted, as for what was moved between keyframes."""
    with closing_input(pairs) as found:
        for frame, instances in found:
            real = instances if filled else instances[~instances.filled]
            yield frame, real.with_ids(np.full(len(real), UNTRACKED, np.int64))
