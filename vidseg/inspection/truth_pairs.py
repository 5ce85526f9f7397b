"""Annotated tracks beside those that were found: which is which in every frame.

In each evaluated frame, true and found objects of a class are paired for the highest sum of IoU;
a pair needs `MIN_PAIR_IOU`. These pairs are for looking: the measures of tracks are TrackEval's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from vidseg.evaluation.clips import Clip, MaskTrack
from vidseg.evaluation.trackeval_sequence import overlaps
from vidseg.structures.mask_overlap import best_pairs

MIN_PAIR_IOU = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class TruePairs:
    """One annotated track; row i of every array is the same frame."""

    track: MaskTrack
    frames: NDArray[np.int64]
    """(N,) evaluated frames in which it is annotated, ascending."""
    ids: NDArray[np.int64]
    """(N,) id of the found track that it is paired with; 0 where it was missed."""
    ious: NDArray[np.float64]
    """(N,) IoU with that track; 0 where it was missed."""
    nearest: NDArray[np.int64]
    """(N,) id of the found track of its class that overlaps it most, paired or not; 0 for none."""

    @property
    def found(self) -> int:
        """Frames in which it was found."""
        return int(np.count_nonzero(self.ids))

    @property
    def found_ids(self) -> list[int]:
        """The ids that it was found under, in order; one more after each switch."""
        return [number for number, _ in groupby(self.ids[self.ids > 0].tolist())]


@dataclass(frozen=True, slots=True)
class Paired:
    true: list[TruePairs]
    unmatched: dict[int, int]
    """Id of a found track to its frames without a true object."""


@dataclass(slots=True)
class _Columns:
    frames: list[int] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    ious: list[float] = field(default_factory=list)
    nearest: list[int] = field(default_factory=list)


def pair_with_truth(clip: Clip, found: Mapping[int, MaskTrack]) -> Paired:
    """The annotated tracks of a clip, and `found` ones by id."""
    columns = [_Columns() for _ in clip.tracks]
    unmatched = dict.fromkeys(found, 0)
    for frame in clip.counted:
        _pair_frame(clip.tracks, found, frame, columns, unmatched)
    true = [
        TruePairs(
            track,
            np.array(each.frames, np.int64),
            np.array(each.ids, np.int64),
            np.array(each.ious, np.float64),
            np.array(each.nearest, np.int64),
        )
        for track, each in zip(clip.tracks, columns, strict=True)
        if each.frames
    ]
    return Paired(true, unmatched)


def _pair_frame(
    tracks: Sequence[MaskTrack],
    found: Mapping[int, MaskTrack],
    frame: int,
    columns: Sequence[_Columns],
    unmatched: dict[int, int],
) -> None:
    here = [number for number, track in enumerate(tracks) if frame in track.masks]
    seen = [number for number, track in found.items() if frame in track.masks]
    shared = overlaps(
        [tracks[number].masks[frame] for number in here],
        [found[number].masks[frame] for number in seen],
    )
    alike = [[tracks[t].number == found[f].number for f in seen] for t in here]
    shared = np.where(np.array(alike, bool).reshape(shared.shape), shared, 0.0)
    rows, cols = best_pairs(shared, shared >= MIN_PAIR_IOU)
    pairs = dict(zip(rows.tolist(), cols.tolist(), strict=True))
    for row, number in enumerate(here):
        col = pairs.get(row)
        nearest = int(shared[row].argmax()) if seen and shared[row].max() > 0 else None
        columns[number].frames.append(frame)
        columns[number].ids.append(0 if col is None else seen[col])
        columns[number].ious.append(0.0 if col is None else float(shared[row, col]))
        columns[number].nearest.append(0 if nearest is None else seen[nearest])
    for col in {*range(len(seen))} - {*pairs.values()}:
        unmatched[seen[col]] += 1
