"""Which class a track is of: the one it was seen as most, weighted by score."""

from collections.abc import Generator, Iterable
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from vidseg.concurrency import closing_input
from vidseg.structures.instances import Instances

T = TypeVar("T")


class Votes:
    """The votes of every track for its class."""

    def __init__(self) -> None:
        self._votes: dict[int, dict[int, float]] = {}

    def vote(self, instances: Instances) -> NDArray[np.int64]:
        """(N,) the class of each object's track, after a vote by each object of one.

        An object without a track keeps its own class; a filled one has no vote.
        """
        rows = zip(
            *(column.tolist() for column in (instances.ids, instances.labels, instances.scores)),
            instances.filled.tolist(),
            strict=True,
        )
        for track, label, score, filled in rows:
            if track > 0 and not filled:
                votes = self._votes.setdefault(track, {})
                votes[label] = votes.get(label, 0.0) + score
        pairs = zip(instances.ids.tolist(), instances.labels.tolist(), strict=True)
        return np.array([self._winner(track, label) for track, label in pairs], np.int64)

    def keep(self, ids: NDArray[np.int64]) -> None:
        """Forget the other tracks."""
        known = (track for track in ids.tolist() if track in self._votes)
        self._votes = {track: self._votes[track] for track in known}

    def _winner(self, track: int, label: int) -> int:
        votes = self._votes.get(track)
        return max(votes, key=lambda label: (votes[label], -label)) if votes else label


def voted(pairs: Iterable[tuple[T, Instances]]) -> Generator[tuple[T, Instances], None, None]:
    """The same objects, each of the class that its track was seen as most so far."""
    votes = Votes()
    with closing_input(pairs) as found:
        for frame, instances in found:
            yield frame, replace(instances, labels=votes.vote(instances))
