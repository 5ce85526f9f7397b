"""The class of a track: the one with the most votes, each detection weighted by its score."""

from collections.abc import Generator, Iterable
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from vidseg.concurrency import closing_input
from vidseg.structures.instances import Instances

T = TypeVar("T")


class ClassVotes:
    """The class votes of every track of one video."""

    def __init__(self) -> None:
        self._votes: dict[int, dict[int, float]] = {}

    def vote(self, instances: Instances) -> NDArray[np.int64]:
        """(N,) the label of each object's track, after these objects have voted.

        An untracked object keeps its own label; a filled object has no vote.
        """
        columns = (instances.ids, instances.labels, instances.scores, instances.filled)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        for track_id, label, score, filled in rows:
            if track_id > 0 and not filled:
                votes = self._votes.setdefault(track_id, {})
                votes[label] = votes.get(label, 0.0) + score
        pairs = zip(instances.ids.tolist(), instances.labels.tolist(), strict=True)
        return np.array([self._winner(track_id, label) for track_id, label in pairs], np.int64)

    def keep(self, ids: NDArray[np.int64]) -> None:
        """Forget all other tracks."""
        known = (track_id for track_id in ids.tolist() if track_id in self._votes)
        self._votes = {track_id: self._votes[track_id] for track_id in known}

    def _winner(self, track_id: int, label: int) -> int:
        """The label with the most votes; of equals the lower one. `label` without any vote."""
        votes = self._votes.get(track_id)
        return max(votes, key=lambda label: (votes[label], -label)) if votes else label


def vote_classes(
    pairs: Iterable[tuple[T, Instances]],
) -> Generator[tuple[T, Instances], None, None]:
    """The same objects, each with the class that its track was detected as most so far."""
    votes = ClassVotes()
    with closing_input(pairs) as source:
        for frame, instances in source:
            yield frame, replace(instances, labels=votes.vote(instances))
