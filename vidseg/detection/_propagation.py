"""Mask propagation: objects of two keyframes moved into the frames between them.

Optical flow (`vidseg.video.analysis.optical_flow`) leads from each point of a frame to both
keyframes, where the masks are read. The two values are blended by the distance to each keyframe and
by how similar the pictures are where the flow leads: a large difference means that the point is
hidden there or that the flow is wrong. Boxes follow the edges of their masks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vidseg.detection._warping import Box, Floats, Rows, View, Views, mask_edges, mask_in, points
from vidseg.structures.boxes import clip_boxes
from vidseg.structures.instances import UNTRACKED, Instances
from vidseg.structures.mask_overlap import Shapes, best_pairs, mask_areas, mask_ious, shapes
from vidseg.structures.masks import MASK_THRESHOLD
from vidseg.video.analysis.optical_flow import (
    Flow,
    FlowFinder,
    Grey,
    compose,
    half,
    halved,
    warp_error,
)

MIN_MATCH_IOU = 0.25
"""Least IoU of an object, moved to the other keyframe, with the same object there."""
OTHER_CLASS_FACTOR = 0.7
"""Factor of the IoU where the classes differ."""
MAX_SHARE_LEFT = 0.2
"""An object has left if less than this share of it would lie in the other keyframe."""
QUARTER_WEIGHT_DIFFERENCE = 6.0
"""Picture difference, in levels of 0..255, that divides a keyframe's blending weight by four."""


class Keyframe(NamedTuple):
    """A keyframe: its reduced picture and its objects."""

    grey: Grey
    instances: Instances


class _Path(NamedTuple):
    """An object on its way from one keyframe to the next."""

    rows: Rows
    """Its row at each of them; None where it was not detected."""
    boxes: tuple[Box, Box]
    """Its box at each of them; moved there where it was not detected."""
    offsets: tuple[Box, Box]
    """From the edges of its mask to its box, at each."""
    shown: range
    """The frames between in which it is shown, counted from 1."""


class _Moved(NamedTuple):
    """Objects moved to the other keyframe."""

    shapes: Shapes
    """Empty boxes for objects that are out of sight there."""
    boxes: NDArray[np.float64]
    """(N, 4) their expected boxes, which may leave the frame."""


def propagate(
    last: Keyframe, greys: Sequence[Grey], following: Keyframe | None, finder: FlowFinder
) -> list[Instances]:
    """The objects in each frame of `greys` after a keyframe, untracked and marked `filled`.

    An object that only one keyframe shows appears in half of the frames between; in all of them
    if it leaves or enters through the edge of the frame, or without a `following` keyframe.
    """
    nothing = last.instances[:0]
    after = Keyframe(greys[-1], nothing) if following is None else following
    if not len(last.instances) and not len(after.instances):
        return [nothing for _ in greys]
    pictures = [last.grey, *greys, after.grey]
    back, ahead = _chain(pictures, finder), _chain(pictures[::-1], finder)[::-1]
    views = View(last.instances, back[-1]), View(after.instances, ahead[0])
    paths = _paths(views, len(greys))
    if following is None:
        paths = [path._replace(shown=range(1, len(greys) + 1)) for path in paths]
    found, small = [], [half(picture) for picture in pictures]
    for number in range(1, len(greys) + 1):
        share, here = number / (len(greys) + 1), small[number]
        weights = _weight(here, small[0], back[number]), _weight(here, small[-1], ahead[number])
        views = (
            View(last.instances, back[number], (1 - share) * weights[0]),
            View(after.instances, ahead[number], share * weights[1]),
        )
        found.append(_frame(views, [path for path in paths if number in path.shown], share))
    return found


def _chain(pictures: Sequence[Grey], finder: FlowFinder) -> list[Flow]:
    """The flow from each picture to the first one, step by step, at half their size."""
    flows = [np.zeros((*half(pictures[0]).shape, 2), np.float32)]
    for there, here in pairwise(pictures):
        flows.append(compose(halved(finder.between(here, there)), flows[-1]))
    return flows


def _weight(here: Grey, there: Grey, flow: Flow) -> Floats:
    """(h, w) blending weight of a keyframe at each point."""
    return np.asarray(
        (1 + warp_error(here, there, flow) / QUARTER_WEIGHT_DIFFERENCE) ** -2.0, np.float32
    )


def _paths(views: Views, count: int) -> list[_Path]:
    """Each object of two keyframes once. Each of the `views` is seen from the other keyframe."""
    boxes = [view.instances.boxes.astype(np.float64) for view in views]
    offsets = [_offsets(view.instances) for view in views]
    moved = _moved(views[0], views[1].flow), _moved(views[1], views[0].flow)
    pairs = _pairs(moved[0].shapes, *(view.instances for view in views))
    paths = [
        _Path(
            (i, j), (boxes[0][i], boxes[1][j]), (offsets[0][i], offsets[1][j]), range(1, count + 1)
        )
        for i, j in pairs
    ]
    middle = (count + 1) // 2  # both an object that goes and one that comes are shown there
    for i in sorted(set(range(len(boxes[0]))) - {i for i, _ in pairs}):
        end = count if _has_left(views[0].instances, moved[0], i) else middle
        both, offset = (boxes[0][i], moved[0].boxes[i]), offsets[0][i]
        paths.append(_Path((i, None), both, (offset, offset), range(1, end + 1)))
    for j in sorted(set(range(len(boxes[1]))) - {j for _, j in pairs}):
        start = 1 if _has_left(views[1].instances, moved[1], j) else count // 2 + 1
        both, offset = (moved[1].boxes[j], boxes[1][j]), offsets[1][j]
        paths.append(_Path((None, j), both, (offset, offset), range(start, count + 1)))
    return paths


def _moved(view: View, flow: Flow) -> _Moved:
    """The objects of a keyframe in the frame from which it is seen; `flow` leads there."""
    objects = view.instances
    side = objects.masks.shape[-1]
    boxes, seen = objects.boxes.astype(np.float64), np.zeros((len(objects), 4))
    masks = np.zeros_like(objects.masks)
    there = View(objects, flow)
    for row, box in enumerate(boxes):
        x, y = points(box, side)
        inside = objects.masks[row] >= MASK_THRESHOLD
        motion = there.motion(x, y)[inside if inside.any() else ...]
        box += np.tile(np.median(motion.reshape(-1, 2), axis=0), 2)
        edges = mask_edges((view, view), (row, None), box, objects.size)
        if edges is not None:
            seen[row], masks[row] = edges, mask_in((view, view), (row, None), edges, side)
    return _Moved(Shapes(seen, masks), boxes)


def _pairs(moved: Shapes, last: Instances, following: Instances) -> list[tuple[int, int]]:
    """Rows of both keyframes that are the same object, by mask IoU after moving."""
    worth = mask_ious(moved, shapes(following), following.size)
    worth *= np.where(last.labels[:, None] == following.labels[None, :], 1, OTHER_CLASS_FACTOR)
    rows, cols = best_pairs(worth, worth >= MIN_MATCH_IOU)
    return list(zip(rows.tolist(), cols.tolist(), strict=True))


def _has_left(objects: Instances, moved: _Moved, row: int) -> bool:
    """Whether almost nothing of the object lies in the frame that it was moved to."""
    one = np.array([row])
    area = mask_areas(shapes(objects[one]), objects.size)[0]
    there = Shapes(moved.shapes.boxes[one], moved.shapes.masks[one])
    return bool(mask_areas(there, objects.size)[0] < MAX_SHARE_LEFT * area)


def _offsets(objects: Instances) -> NDArray[np.float64]:
    """(N, 4) from the edges of each mask to its box."""
    offsets = np.zeros((len(objects), 4))
    still = View(objects, np.zeros((1, 1, 2), np.float32))
    for row, box in enumerate(objects.boxes.astype(np.float64)):
        edges = mask_edges((still, still), (row, None), box, objects.size)
        offsets[row] = 0 if edges is None else box - edges
    return offsets


def _frame(views: Views, paths: Sequence[_Path], share: float) -> Instances:
    """The objects in one frame, `share` of the way from the last keyframe."""
    size, side = views[0].instances.size, max(v.instances.masks.shape[-1] for v in views)
    rows, boxes, masks = [], [], []
    for path in paths:
        expected = (1 - share) * path.boxes[0] + share * path.boxes[1]
        edges = mask_edges(views, path.rows, expected, size)
        if edges is None:
            continue
        box = edges + (1 - share) * path.offsets[0] + share * path.offsets[1]
        box = clip_boxes(box.astype(np.float32)[None], size)[0]
        if (box[2:] - box[:2]).min() <= 0:
            continue
        rows.append(_score_and_label(views, path.rows, share))
        boxes.append(box)
        masks.append(mask_in(views, path.rows, box, side))
    if not rows:
        return replace(Instances.empty(size, side), names=views[0].instances.names)
    scores, labels = zip(*rows, strict=True)
    found = Instances(
        boxes=np.stack(boxes),
        masks=np.stack(masks),
        scores=np.array(scores, np.float32),
        labels=np.array(labels, np.int64),
        ids=np.full(len(rows), UNTRACKED, np.int64),
        size=size,
        filled=np.ones(len(rows), np.bool_),
        names=views[0].instances.names,
    )
    return found[np.argsort(-found.scores, kind="stable")]


def _score_and_label(views: Views, rows: Rows, share: float) -> tuple[float, int]:
    """The interpolated score, and the label of the higher score."""
    seen = [
        (float(view.instances.scores[row]), int(view.instances.labels[row]), part)
        for view, row, part in zip(views, rows, (1 - share, share), strict=True)
        if row is not None
    ]
    score = sum(score * part for score, _, part in seen) / sum(part for _, _, part in seen)
    return score, max(seen)[1]
