"""The default tracker: masks, motion and colours decide which object continues which track.

Tracks move on at constant speed (`vidseg.tracking._kalman`) and are matched to the objects of the
next frame by mask IoU. Confident objects are matched first, then weak ones to the tracks left over,
as in ByteTrack (Zhang et al. 2022, https://arxiv.org/abs/2110.06864): a weak object never starts a
track but keeps one alive. A track lost for longer is recovered by its colours, near the place where
it is expected.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from vidseg.structures.frame import Frame
from vidseg.structures.instances import UNTRACKED, Instances
from vidseg.structures.mask_overlap import Shapes, best_pairs, mask_ious, shapes
from vidseg.tracking._appearance import (
    COLOR_BINS,
    Histograms,
    blended,
    histograms,
    similarity,
)
from vidseg.tracking._kalman import (
    Motion,
    box_sizes,
    concatenated,
    corrected,
    initial_motion,
    predicted,
)
from vidseg.tracking.class_votes import ClassVotes
from vidseg.tracking.looks import Looker

Rows = NDArray[np.intp]

MIN_SCORE = 0.1
"""Objects at or below this score are ignored, whatever else a predictor or a file keeps."""
MIN_IOU_CONFIDENT = 0.2
"""Least mask IoU of a track, moved on, with a confident object."""
MIN_IOU_WEAK = 0.35
"""Least mask IoU with a weak object."""
DUPLICATE_IOU = 0.7
"""A weak object that overlaps a confident one more than this is the same thing in another class."""
OTHER_CLASS_FACTOR = 0.7
"""Factor of the IoU where the classes differ."""
IOU_DECAY_PER_FRAME = 0.02
"""How much less an IoU counts for each frame that the track was missed."""
MIN_COLOR_SIMILARITY = 0.8
"""Least colour similarity of an object with the lost track that it recovers."""
REACH_SIZES, REACH_SIZES_PER_FRAME = 1.0, 0.15
"""How far from the expected place a track is recovered, in its own sizes: at first, and more for
every missed frame. The distance travelled at its last speed is added, for it may have turned."""
MISSED_FRAME_COST = 0.1
"""Cost of each missed frame when tracks compete for an object; one size of distance costs 1."""
MAX_SIZE_RATIO = 1.6
"""How much larger than its track a recovered object may be."""
NEW_COLORS_WEIGHT = 0.1
"""Weight of the newest colours in the moving average of a track."""
MISSED_FRAMES_PER_SIGHTING = 3
"""A new track survives this many missed frames per sighting, up to `max_missed_frames`."""


@dataclass(frozen=True, slots=True, eq=False)
class _Tracks:
    """N tracks; row i of every array is the same track."""

    ids: NDArray[np.int64]
    motion: Motion
    masks: NDArray[np.uint8]
    """(N, M, M) as last seen."""
    colors: Histograms
    labels: NDArray[np.int64]
    """(N,) by the votes so far."""
    last_seen: NDArray[np.int64]
    """(N,) index of the frame of the last sighting."""
    sightings: NDArray[np.int64]
    """(N,) number of sightings."""

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, rows: NDArray[np.bool_] | Rows) -> _Tracks:
        return _Tracks(*(getattr(self, f.name)[rows] for f in fields(self)))

    def shapes(self) -> Shapes:
        return Shapes(self.motion.boxes, self.masks)


class MaskTracker:
    """Tracks objects by mask IoU, motion and colours. One tracker serves one video."""

    def __init__(self, *, score: float = 0.5, max_missed_frames: int = 30) -> None:
        """Objects with at least `score` are confident and start tracks. A track ends when it was
        missed for more than `max_missed_frames`, or sooner while it has few sightings."""
        self._score, self._max_missed_frames = score, max_missed_frames
        self._looker = Looker()
        self._tracks = _no_tracks()
        self._votes = ClassVotes()
        self._next_id = 1
        self._index = 0

    def update(self, frame: Frame, instances: Instances) -> Instances:
        """The same objects with ids: `UNTRACKED` for weak ones that continue no track.

        A scene cut ends all tracks. Ids are never reused.
        """
        looks = self._looker.look(frame, instances)
        if looks.cut:
            self._tracks = _no_tracks()
        self._move_on(frame.index)
        order = _best_first(instances)
        order = order[instances.scores[order] > np.float32(min(MIN_SCORE, self._score))]
        objects = instances[order]
        colors = histograms(looks.colors[order])
        rows, matched = self._match(objects, colors)
        new = _others(len(objects), matched)
        new = new[objects.scores[new] >= self._score]
        continued = self._continued(objects[matched], colors[matched], rows)
        started = self._started(objects[new], colors[new])
        missed = self._tracks[_others(len(self._tracks), rows)]
        self._tracks = _concatenated(continued, started, missed)
        ids = np.full(len(instances), UNTRACKED, np.int64)
        ids[order[matched]] = continued.ids
        ids[order[new]] = started.ids
        return instances.with_ids(ids)

    def _move_on(self, index: int) -> None:
        """End tracks that were missed for too long, and move the others on to frame `index`."""
        tracks, frames = self._tracks, max(index - self._index, 1)
        missed = index - tracks.last_seen
        allowed = np.minimum(self._max_missed_frames, MISSED_FRAMES_PER_SIGHTING * tracks.sightings)
        tracks = tracks[missed <= allowed]
        lost = tracks.last_seen < self._index
        self._tracks = replace(tracks, motion=predicted(tracks.motion, frames, lost))
        self._votes.keep(tracks.ids)
        self._index = index

    def _match(self, objects: Instances, colors: Histograms) -> tuple[Rows, Rows]:
        """Rows of the matched tracks, and the rows of the objects that they match."""
        tracks = self._tracks
        ious = mask_ious(tracks.shapes(), shapes(objects), objects.size)
        ious *= np.where(tracks.labels[:, None] == objects.labels[None, :], 1, OTHER_CLASS_FACTOR)
        ious *= 1 / (1 + IOU_DECAY_PER_FRAME * (self._index - 1 - tracks.last_seen[:, None]))
        confident = objects.scores >= self._score
        pairs = best_pairs(ious, confident[None, :] & (ious >= MIN_IOU_CONFIDENT))
        weak = self._weak(objects, confident)
        pairs = _with_more(pairs, ious, weak[None, :] & (ious >= MIN_IOU_WEAK))
        left = _others(len(tracks), pairs[0])
        free = _others(len(objects), pairs[1])
        free = free[confident[free]]
        fit = _recovery_fit(tracks[left], objects[free], colors[free], self._index)
        more = best_pairs(fit, fit > 0)
        return np.append(pairs[0], left[more[0]]), np.append(pairs[1], free[more[1]])

    def _weak(self, objects: Instances, confident: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(N,) objects that are not confident and no duplicate of a confident one."""
        shape = shapes(objects)
        weak = np.flatnonzero(~confident)
        some = Shapes(shape.boxes[weak], shape.masks[weak])
        others = Shapes(shape.boxes[confident], shape.masks[confident])
        duplicate = mask_ious(some, others, objects.size).max(axis=1, initial=0) > DUPLICATE_IOU
        chosen = np.zeros(len(objects), bool)
        chosen[weak[~duplicate]] = True
        return chosen

    def _continued(self, objects: Instances, colors: Histograms, rows: Rows) -> _Tracks:
        """The tracks `rows` after they were seen as `objects`."""
        tracks = self._tracks[rows]
        return _Tracks(
            tracks.ids,
            corrected(tracks.motion, objects.boxes),
            objects.masks,
            blended(tracks.colors, colors, NEW_COLORS_WEIGHT),
            self._votes.vote(objects.with_ids(tracks.ids)),
            np.full(len(rows), self._index, np.int64),
            tracks.sightings + 1,
        )

    def _started(self, objects: Instances, colors: Histograms) -> _Tracks:
        """A new track for each object."""
        n = len(objects)
        ids = np.arange(self._next_id, self._next_id + n)
        self._next_id += n
        return _Tracks(
            ids,
            initial_motion(objects.boxes),
            objects.masks,
            colors,
            self._votes.vote(objects.with_ids(ids)),
            np.full(n, self._index, np.int64),
            np.ones(n, np.int64),
        )


def _others(count: int, rows: Rows) -> Rows:
    """The rows 0..count - 1 that are not in `rows`."""
    left = np.ones(count, np.bool_)
    left[rows] = False
    return np.flatnonzero(left)


def _concatenated(*parts: _Tracks) -> _Tracks:
    """All tracks in one; an empty part may have masks of another size."""
    some = [part for part in parts if len(part)]
    if not some:
        return parts[0]
    columns = {
        f.name: np.concatenate([getattr(part, f.name) for part in some])
        for f in fields(_Tracks)
        if f.name != "motion"
    }
    return _Tracks(**columns, motion=concatenated([part.motion for part in some]))


def _best_first(instances: Instances) -> Rows:
    """Rows by falling score; ties by label, then box, so that the input order never matters."""
    return np.lexsort([*instances.boxes.T[::-1], instances.labels, -instances.scores])


def _with_more(
    pairs: tuple[Rows, Rows], worth: NDArray[np.float64], allowed: NDArray[np.bool_]
) -> tuple[Rows, Rows]:
    """The pairs, and more pairs among the rows and columns that they leave over."""
    allowed = allowed.copy()
    allowed[pairs[0]] = False
    allowed[:, pairs[1]] = False
    more = best_pairs(worth, allowed)
    return np.concatenate([pairs[0], more[0]]), np.concatenate([pairs[1], more[1]])


def _recovery_fit(
    tracks: _Tracks, objects: Instances, colors: Histograms, index: int
) -> NDArray[np.float64]:
    """(T, N) 0..1 how well each object fits each lost track in place, size, class and colours.

    An object may be far smaller than its track was, since it may be partly hidden.
    """
    missed = (index - tracks.last_seen).astype(np.float64)
    sizes = np.sqrt(tracks.motion.usual_size.prod(axis=1)).clip(min=1)
    speeds = np.linalg.norm(tracks.motion.drift, axis=1)
    height, width = objects.size
    expected = _centres(tracks.motion.boxes).clip(0, (width, height))
    gaps = np.linalg.norm(expected[:, None] - _centres(objects.boxes)[None], axis=2)
    reach = (REACH_SIZES + REACH_SIZES_PER_FRAME * missed) * sizes + missed * speeds
    alike = similarity(tracks.colors, colors)
    fits = (gaps < reach[:, None]) & (alike >= MIN_COLOR_SIMILARITY)
    fits &= box_sizes(objects.boxes)[None, :] < MAX_SIZE_RATIO * sizes[:, None]
    fits &= tracks.labels[:, None] == objects.labels[None, :]
    cost = 1 + gaps / sizes[:, None] + MISSED_FRAME_COST * missed[:, None]
    return np.where(fits, alike / cost, 0)


def _centres(boxes: NDArray[np.floating]) -> NDArray[np.float64]:
    return (boxes[:, :2] + boxes[:, 2:]).astype(np.float64) / 2


def _no_tracks() -> _Tracks:
    empty, none = Instances.empty((0, 0)), np.zeros(0, np.int64)
    colors = np.zeros((0, COLOR_BINS))
    return _Tracks(none, initial_motion(empty.boxes), empty.masks, colors, none, none, none)
