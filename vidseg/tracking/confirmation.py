"""Which tracks are to be believed: those whose score passes when it is averaged over time.

A false alarm that comes and goes passes the score in some frames alone, and following would show it
in all. So a track is shown where the mean score of its sightings passes: of those around, or of all
in its life, whichever is higher. What becomes sure and stays so is shown at once, and what has long
been sure may be weak for a while; but what is sure for a few frames among many weak ones is not
shown in these either.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from vidseg.structures.instances import Instances

AROUND = 5
"""Frames before and after that count as around."""
FORGET = 100
"""Frames after which a track that was not seen again is forgotten; trackers do so sooner."""


@dataclass(slots=True)
class _Life:
    """The scores of a track so far."""

    total: float = 0.0
    count: int = 0
    recent: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=AROUND + 1))
    """Number of the frame, and score, of the last sightings."""

    def add(self, number: int, score: float) -> None:
        self.total += score
        self.count += 1
        self.recent.append((number, score))

    def best_mean(self, number: int, coming: Sequence[float]) -> float:
        """The higher mean: around frame `number`, or of all; with the scores that are `coming`."""
        near = [*(score for at, score in self.recent if at >= number - AROUND), *coming]
        whole = (self.total + sum(coming)) / (self.count + len(coming))
        return max(whole, sum(near) / len(near)) if near else whole


class Trust:
    """Judges the tracks of one video, frame by frame."""

    def __init__(self, score: float) -> None:
        """Tracks are believed from this mean score on."""
        self._score = np.float32(score)
        self._lives: dict[int, _Life] = {}

    def believed(self, number: int, now: Instances, ahead: Sequence[Instances]) -> set[int]:
        """Ids of the tracks to be shown in frame `number`; call it for every frame in order.

        Args:
            now: the objects of that frame.
            ahead: those of the frames after it; `AROUND` of them count.
        """
        for name, score in _scores(now):
            self._lives.setdefault(name, _Life()).add(number, score)
        coming: dict[int, list[float]] = {}
        for instances in ahead[:AROUND]:
            for name, score in _scores(instances):
                coming.setdefault(name, []).append(score)
        since = number - FORGET
        self._lives = {n: life for n, life in self._lives.items() if life.recent[-1][0] > since}
        means = ((n, life.best_mean(number, coming.get(n, ()))) for n, life in self._lives.items())
        return {name for name, mean in means if np.float32(mean) >= self._score}


def _scores(instances: Instances) -> list[tuple[int, float]]:
    """Id and score of everything that is tracked."""
    pairs = zip(instances.ids.tolist(), instances.scores.tolist(), strict=True)
    return [(name, score) for name, score in pairs if name > 0]
