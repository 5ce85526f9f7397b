"""Identities over time: which object of this frame is which of the last ones.

Tracks move on at constant speed (`vidseg.tracking._kalman`) and meet the objects of the next frame
by
how far their masks overlap. Sure objects choose first, then the weak ones among the tracks left
over, as in ByteTrack (Zhang et al. 2022, https://arxiv.org/abs/2110.06864): a weak object is never
a new track, but it keeps a known one alive. A track that is lost for longer is found again by its
colours near where it may have gone.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vidseg.structures.frame import Frame
from vidseg.structures.instances import UNTRACKED, Instances
from vidseg.structures.mask_overlap import Shapes, best_pairs, mask_ious, shapes
from vidseg.tracking._appearance import LEVELS, Looks, blended, likeness, looks_of
from vidseg.tracking._kalman import Motion, box_sizes, corrected, joined, moved, start
from vidseg.tracking.class_votes import Votes
from vidseg.video.analysis.scene_cuts import CutFinder

Rows = NDArray[np.intp]

LEAST = 0.1
"""Objects at or below this score are not looked at, whatever else a predictor or a file keeps."""
SURE_IOU = 0.2
"""Least overlap of a track, moved on, with a sure object."""
WEAK_IOU = 0.35
"""Least overlap with a weak object."""
DOUBLE_IOU = 0.7
"""A weak object that overlaps a sure one this much is the same thing under another class."""
OTHER_CLASS = 0.7
"""What an overlap counts for where the classes differ."""
STALE = 0.02
"""How much less an overlap counts for each frame that the track has been missed."""
ALIKE = 0.8
"""Least likeness of colours of an object with the lost track that it is taken for."""
REACH, STRIDE = 1.0, 0.15
"""How far from its expected place it may be, in its own sizes: at first, and more for every frame
missed; and its way since then on top, for it may have turned."""
OLDER = 0.1
"""How much each frame missed counts against a track, against one size of distance."""
LARGER = 1.6
"""How much larger it may be."""
NEW_LOOKS = 0.1
"""Share of its newest colours in what a track looks like."""
PATIENCE = 3
"""Frames that a track is remembered for each sighting, until they reach its `memory`."""


class Tracker(Protocol):
    """Gives the objects of a video their ids, frame by frame. One tracker serves one video."""

    def update(self, frame: Frame, instances: Instances) -> Instances:
        """The objects to show, with `ids` from 1; frames come in order."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Tracks:
    """What is known of N tracks; row i of everything is the same track."""

    ids: NDArray[np.int64]
    motion: Motion
    masks: NDArray[np.uint8]
    """(N, M, M) as last seen."""
    looks: Looks
    labels: NDArray[np.int64]
    """(N,) as voted so far."""
    last: NDArray[np.int64]
    """(N,) index of the frame of the last sighting."""
    sightings: NDArray[np.int64]
    """(N,) how many there were."""

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, rows: NDArray[np.bool_] | Rows) -> _Tracks:
        return _Tracks(*(getattr(self, f.name)[rows] for f in fields(self)))

    def shapes(self) -> Shapes:
        return Shapes(self.motion.boxes, self.masks)


class MaskTracker:
    """Follows objects by their masks, their motion and their colours; for one video."""

    def __init__(self, *, score: float = 0.5, memory: int = 30) -> None:
        """Objects from `score` on start tracks; a track is given up `memory` frames after it was
        last seen, and sooner while it has been seen but a few times."""
        self._score, self._memory = score, memory
        self._cuts = CutFinder()
        self._tracks = _nothing()
        self._votes = Votes()
        self._next_id = 1
        self._index = 0

    def update(self, frame: Frame, instances: Instances) -> Instances:
        """The objects that are sure (from `score` on) or continue a track, in the order given,
        with ids, and each with the class that its track was seen as most.

        A scene cut ends all tracks. Ids are never given again.
        """
        named = instances.with_ids(self.identify(frame, instances))
        shown = named[named.ids > 0]
        labels = dict(zip(self._tracks.ids.tolist(), self._tracks.labels.tolist(), strict=True))
        return replace(shown, labels=np.array([labels[i] for i in shown.ids.tolist()], np.int64))

    def identify(self, frame: Frame, instances: Instances) -> NDArray[np.int64]:
        """(N,) the ids of the same objects, `UNTRACKED` for weak ones that continue no track.

        Call this or `update` for a frame, not both.
        """
        if self._cuts.is_cut(frame.image):
            self._tracks = _nothing()
        self._move_on(frame.index)
        order = _order(instances)
        order = order[instances.scores[order] > np.float32(min(LEAST, self._score))]
        objects = instances[order]
        looks = looks_of(frame.image, objects)
        rows, found = self._associate(objects, looks)
        born = _others(len(objects), found)
        born = born[objects.scores[born] >= self._score]
        seen = self._seen(objects[found], looks[found], rows)
        new = self._born(objects[born], looks[born])
        missed = self._tracks[_others(len(self._tracks), rows)]
        self._tracks = _joined(seen, new, missed)
        ids = np.full(len(instances), UNTRACKED, np.int64)
        ids[order[found]] = seen.ids
        ids[order[born]] = new.ids
        return ids

    def _move_on(self, index: int) -> None:
        """Forgets what was lost for too long and moves the others to frame `index`."""
        tracks, frames = self._tracks, max(index - self._index, 1)
        missed = index - tracks.last
        tracks = tracks[missed <= np.minimum(self._memory, PATIENCE * tracks.sightings)]
        lost = tracks.last < self._index
        self._tracks = replace(tracks, motion=moved(tracks.motion, frames, lost))
        self._votes.keep(tracks.ids)
        self._index = index

    def _associate(self, objects: Instances, looks: Looks) -> tuple[Rows, Rows]:
        """Rows of tracks and the rows of the objects that they were seen as."""
        tracks = self._tracks
        ious = mask_ious(tracks.shapes(), shapes(objects), objects.size)
        ious *= np.where(tracks.labels[:, None] == objects.labels[None, :], 1, OTHER_CLASS)
        ious *= 1 / (1 + STALE * (self._index - 1 - tracks.last[:, None]))
        sure = objects.scores >= self._score
        pairs = best_pairs(ious, sure[None, :] & (ious >= SURE_IOU))
        weak = self._weak(objects, sure)
        pairs = _also(pairs, ious, weak[None, :] & (ious >= WEAK_IOU))
        left = _others(len(tracks), pairs[0])
        free = _others(len(objects), pairs[1])
        free = free[sure[free]]
        near = _nearness(tracks[left], objects[free], looks[free], self._index)
        more = best_pairs(near, near > 0)
        return np.append(pairs[0], left[more[0]]), np.append(pairs[1], free[more[1]])

    def _weak(self, objects: Instances, sure: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(N,) objects that are not sure, nor a sure one over again."""
        shape = shapes(objects)
        weak = np.flatnonzero(~sure)
        some = Shapes(shape.boxes[weak], shape.masks[weak])
        others = Shapes(shape.boxes[sure], shape.masks[sure])
        double = mask_ious(some, others, objects.size).max(axis=1, initial=0) > DOUBLE_IOU
        chosen = np.zeros(len(objects), bool)
        chosen[weak[~double]] = True
        return chosen

    def _seen(self, objects: Instances, looks: Looks, rows: Rows) -> _Tracks:
        """The tracks `rows` after they were seen as `objects`."""
        tracks = self._tracks[rows]
        return _Tracks(
            tracks.ids,
            corrected(tracks.motion, objects.boxes),
            objects.masks,
            blended(tracks.looks, looks, NEW_LOOKS),
            self._votes.vote(objects.with_ids(tracks.ids)),
            np.full(len(rows), self._index, np.int64),
            tracks.sightings + 1,
        )

    def _born(self, objects: Instances, looks: Looks) -> _Tracks:
        """A new track for each object."""
        n = len(objects)
        ids = np.arange(self._next_id, self._next_id + n)
        self._next_id += n
        return _Tracks(
            ids,
            start(objects.boxes),
            objects.masks,
            looks,
            self._votes.vote(objects.with_ids(ids)),
            np.full(n, self._index, np.int64),
            np.ones(n, np.int64),
        )


def _others(count: int, rows: Rows) -> Rows:
    """The rows of so many that are not among `rows`."""
    left = np.ones(count, np.bool_)
    left[rows] = False
    return np.flatnonzero(left)


def _joined(*parts: _Tracks) -> _Tracks:
    """All tracks in one; the empty ones may have masks of any size."""
    some = [part for part in parts if len(part)]
    if not some:
        return parts[0]
    columns = {
        f.name: np.concatenate([getattr(part, f.name) for part in some])
        for f in fields(_Tracks)
        if f.name != "motion"
    }
    return _Tracks(**columns, motion=joined([part.motion for part in some]))


def _order(instances: Instances) -> Rows:
    """Rows from the best score on, of equals from the left, so that input order never matters."""
    return np.lexsort([*instances.boxes.T[::-1], instances.labels, -instances.scores])


def _also(
    pairs: tuple[Rows, Rows], worth: NDArray[np.float64], allowed: NDArray[np.bool_]
) -> tuple[Rows, Rows]:
    """The pairs and more of them, among the rows and columns that they leave over."""
    allowed = allowed.copy()
    allowed[pairs[0]] = False
    allowed[:, pairs[1]] = False
    more = best_pairs(worth, allowed)
    return np.concatenate([pairs[0], more[0]]), np.concatenate([pairs[1], more[1]])


def _nearness(tracks: _Tracks, objects: Instances, looks: Looks, index: int) -> NDArray[np.float64]:
    """(T, N) 0..1 how well each object fits each track in place, size, class and colours.

    An object may be far smaller than the track was, since it may be hidden in part.
    """
    missed = (index - tracks.last).astype(np.float64)
    sizes = np.sqrt(tracks.motion.usual.prod(axis=1)).clip(min=1)
    speeds = np.linalg.norm(tracks.motion.drift, axis=1)
    height, width = objects.size
    expected = _centres(tracks.motion.boxes).clip(0, (width, height))
    gaps = np.linalg.norm(expected[:, None] - _centres(objects.boxes)[None], axis=2)
    reach = (REACH + STRIDE * missed) * sizes + missed * speeds
    alike = likeness(tracks.looks, looks)
    fits = (gaps < reach[:, None]) & (alike >= ALIKE)
    fits &= box_sizes(objects.boxes)[None, :] < LARGER * sizes[:, None]
    fits &= tracks.labels[:, None] == objects.labels[None, :]
    return np.where(fits, alike / (1 + gaps / sizes[:, None] + OLDER * missed[:, None]), 0)


def _centres(boxes: NDArray[np.floating]) -> NDArray[np.float64]:
    return (boxes[:, :2] + boxes[:, 2:]).astype(np.float64) / 2


def _nothing() -> _Tracks:
    empty, none = Instances.empty((0, 0)), np.zeros(0, np.int64)
    looks = np.zeros((0, LEVELS**3))
    return _Tracks(none, start(empty.boxes), empty.masks, looks, none, none, none)
