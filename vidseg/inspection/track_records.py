"""What was found in a video as columns of numbers: every track over time, without pictures.

An object takes some 30 bytes a frame.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vidseg.structures.frame import Instant
from vidseg.structures.instances import UNTRACKED, Instances
from vidseg.structures.masks import crop


@dataclass(frozen=True, slots=True, eq=False)
class TrackRecord:
    """One object over time; row i of every array is the same frame."""

    id: int
    label: int
    """Of most of its frames."""
    positions: NDArray[np.int64]
    """(N,) places of its frames in `VideoRecord.indexes`, ascending."""
    scores: NDArray[np.float32]
    """(N,) 0..1; nan where none is known."""
    areas: NDArray[np.int64]
    """(N,) pixels of the mask."""
    boxes: NDArray[np.float32]
    """(N, 4) xyxy in pixels."""
    filled: NDArray[np.bool_]
    """(N,) True where the object was moved from other frames, not detected."""

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def best_row(self) -> int:
        """The frame that shows the track best: detected, confident, and large, but no outlier."""
        scores = np.nan_to_num(self.scores, nan=1.0).astype(np.float64)
        areas = np.minimum(self.areas, np.percentile(self.areas, 75))
        worth = scores * np.sqrt(areas) * np.where(self.filled, 0.01, 1.0)
        return int(worth.argmax())

    @property
    def best_position(self) -> int:
        return int(self.positions[self.best_row])

    def visible_spans(self) -> list[tuple[int, int]]:
        """(first, last) positions of the frames in a row in which the track is shown."""
        breaks = [0, *(np.flatnonzero(np.diff(self.positions) > 1) + 1).tolist(), len(self)]
        return [
            (int(self.positions[start]), int(self.positions[end - 1]))
            for start, end in pairwise(breaks)
        ]


@dataclass(frozen=True, slots=True, eq=False)
class VideoRecord:
    """The frames of a video, or of a part of it, and the tracks in them."""

    size: tuple[int, int]
    """(height, width) of the first frame."""
    names: Mapping[int, str]
    """Label to class name."""
    indexes: NDArray[np.int64]
    """(F,) frame numbers in the source, ascending."""
    times: NDArray[np.float64]
    """(F,) seconds."""
    end: float
    """Seconds at which the last frame ends."""
    counts: dict[int, NDArray[np.int64]]
    """Label to how many objects each frame has, (F,)."""
    coverage: NDArray[np.float32]
    """(F,) share of the frame's pixels that belong to an object."""
    tracks: list[TrackRecord]
    """In the order in which they appear."""
    untracked: int = 0
    """Objects without a track, in all frames together."""

    def name_of(self, track: TrackRecord) -> str:
        return self.names.get(track.label, str(track.label))


@dataclass(slots=True)
class _Rows:
    """The columns of a track as they grow."""

    positions: array[int] = field(default_factory=lambda: array("q"))
    scores: array[float] = field(default_factory=lambda: array("f"))
    areas: array[int] = field(default_factory=lambda: array("q"))
    boxes: array[float] = field(default_factory=lambda: array("f"))
    filled: array[int] = field(default_factory=lambda: array("b"))
    labels: Counter[int] = field(default_factory=Counter)

    def finished(self, number: int) -> TrackRecord:
        return TrackRecord(
            number,
            self.labels.most_common(1)[0][0],
            np.array(self.positions, np.int64),
            np.array(self.scores, np.float32),
            np.array(self.areas, np.int64),
            np.array(self.boxes, np.float32).reshape(-1, 4),
            np.array(self.filled, np.bool_),
        )


class Recorder:
    """Takes the frames of a video one after another; `record` is what came of them."""

    def __init__(self, names: Mapping[int, str]) -> None:
        self._names = names
        self._size = (1, 1)
        self._indexes, self._times = array("q"), array("d")
        self._end = 0.0
        self._coverage = array("f")
        self._counts: dict[int, dict[int, int]] = {}
        self._tracks: dict[int, _Rows] = {}
        self._untracked = 0

    def add(self, moment: Instant, instances: Instances) -> None:
        """The next frame with the objects that are shown in it."""
        position = len(self._indexes)
        if not position:
            self._size = instances.size
        self._indexes.append(moment.index)
        self._times.append(float(moment.time))
        self._end = float(moment.time + moment.duration)
        covered = np.zeros(instances.size, np.bool_)
        for row, one in enumerate(instances):
            rows, cols, mask = crop(instances, row)
            covered[rows, cols] |= mask
            here = self._counts.setdefault(one.label, {})
            here[position] = here.get(position, 0) + 1
            if one.id is None or one.id == UNTRACKED:
                self._untracked += 1
                continue
            track = self._tracks.setdefault(one.id, _Rows())
            track.positions.append(position)
            track.scores.append(one.score)
            track.areas.append(int(np.count_nonzero(mask)))
            track.boxes.extend(one.box)
            track.filled.append(one.filled)
            track.labels[one.label] += 1
        self._coverage.append(float(covered.mean()) if len(instances) else 0.0)

    def record(self) -> VideoRecord:
        """Everything so far."""
        frames = len(self._indexes)
        return VideoRecord(
            self._size,
            self._names,
            np.array(self._indexes, np.int64),
            np.array(self._times, np.float64),
            self._end,
            {label: _dense(here, frames) for label, here in sorted(self._counts.items())},
            np.array(self._coverage, np.float32),
            [rows.finished(number) for number, rows in self._tracks.items()],
            self._untracked,
        )


def _dense(counts: Mapping[int, int], frames: int) -> NDArray[np.int64]:
    whole = np.zeros(frames, np.int64)
    whole[list(counts)] = list(counts.values())
    return whole
