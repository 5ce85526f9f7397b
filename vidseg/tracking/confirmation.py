"""Track confirmation: a track is shown while its mean score reaches the score threshold.

A false positive that comes and goes passes the threshold in single frames only, but tracking would
show it in all of them. So the mean decides: over the frames nearby, or over the track's whole life
so far, whichever is higher. A track that becomes confident and stays so is shown at once, and one
that has long been confident may be weak for a while. A track that is confident in a few frames
among many weak ones is not shown.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from vidseg.structures.instances import Instances

NEAR_FRAMES = 5
"""Frames before and after that count as nearby."""
FORGET_AFTER_FRAMES = 100
"""Frames after which the scores of a lost track are dropped; trackers give it up sooner."""


@dataclass(slots=True)
class _ScoreHistory:
    """The scores of one track so far."""

    total: float = 0.0
    count: int = 0
    recent: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=NEAR_FRAMES + 1))
    """Frame number and score of the last sightings."""

    def add(self, number: int, score: float) -> None:
        self.total += score
        self.count += 1
        self.recent.append((number, score))

    def best_mean(self, number: int, coming: Sequence[float]) -> float:
        """The higher of two means, near frame `number` and of all; both include `coming`."""
        near = [*(score for at, score in self.recent if at >= number - NEAR_FRAMES), *coming]
        overall = (self.total + sum(coming)) / (self.count + len(coming))
        return max(overall, sum(near) / len(near)) if near else overall


class TrackConfirmation:
    """Decides frame by frame which tracks of one video are shown."""

    def __init__(self, score: float) -> None:
        """`score` is the lowest mean score of a confirmed track."""
        self._score = np.float32(score)
        self._histories: dict[int, _ScoreHistory] = {}

    def confirmed(self, number: int, now: Instances, ahead: Sequence[Instances]) -> set[int]:
        """Ids of the tracks to show in frame `number`; call it for every frame in order.

        Args:
            now: the objects of that frame.
            ahead: the objects of the next frames; `NEAR_FRAMES` of them count.
        """
        for track_id, score in _scores_by_id(now):
            self._histories.setdefault(track_id, _ScoreHistory()).add(number, score)
        coming: dict[int, list[float]] = {}
        for instances in ahead[:NEAR_FRAMES]:
            for track_id, score in _scores_by_id(instances):
                coming.setdefault(track_id, []).append(score)
        since = number - FORGET_AFTER_FRAMES
        self._histories = {i: h for i, h in self._histories.items() if h.recent[-1][0] > since}
        means = ((i, h.best_mean(number, coming.get(i, ()))) for i, h in self._histories.items())
        return {track_id for track_id, mean in means if np.float32(mean) >= self._score}


def _scores_by_id(instances: Instances) -> list[tuple[int, float]]:
    """Id and score of every tracked object."""
    pairs = zip(instances.ids.tolist(), instances.scores.tolist(), strict=True)
    return [(track_id, score) for track_id, score in pairs if track_id > 0]
