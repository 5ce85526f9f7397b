"""Objects of two keyframes moved into the frames between them.

Each point of a frame between is followed by optical flow (`vidseg.video.analysis.optical_flow`) to
both keyframes, and the
masks are read there: from the last keyframe forward, from the next one backward. The two are mixed
by how near the keyframes are, and by how like the pictures are where the flow leads, which tells
where a point is hidden or the flow lost. A box follows the edges of its mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vidseg.detection._warping import Box, Floats, Rows, View, Views, mask_edges, mask_in, points
from vidseg.structures.boxes import clip_boxes
from vidseg.structures.instances import UNTRACKED, Instances
from vidseg.structures.mask_overlap import Shapes, best_pairs, mask_areas, mask_ious, shapes
from vidseg.structures.masks import THRESHOLD
from vidseg.video.analysis.optical_flow import (
    Flow,
    FlowFinder,
    Grey,
    compose,
    half,
    halved,
    warp_error,
)

SAME = 0.25
"""Least overlap of an object, moved from keyframe to keyframe, with the same object there."""
OTHER_CLASS = 0.7
"""What an overlap counts for where the classes differ."""
LEFT = 0.2
"""Of an object that has left, less than this share would be seen at the other keyframe."""
DOUBT = 6.0
"""Difference of the pictures, in levels of 0..255, that quarters a keyframe's say."""


class Key(NamedTuple):
    """A keyframe: its reduced picture and its objects."""

    grey: Grey
    instances: Instances


class _Way(NamedTuple):
    """An object between two keyframes."""

    rows: Rows
    """Its row at each of them; None where it was not found."""
    path: tuple[Box, Box]
    """Its box at each of them, moved there where it was not found."""
    offsets: tuple[Box, Box]
    """From the edges of its mask to its box, at each."""
    shown: range
    """Frames between, from 1."""


class _Placed(NamedTuple):
    """Objects moved to another frame."""

    shapes: Shapes
    """Boxes of no size for what is not to be seen there."""
    boxes: NDArray[np.float64]
    """(N, 4) where their boxes would be, also outside the frame."""


def between(
    last: Key, greys: Sequence[Grey], following: Key | None, finder: FlowFinder
) -> list[Instances]:
    """The objects in each of the frames `greys` after a keyframe, untracked, marked `filled`.

    What only one of two keyframes shows is shown half of the way to the other; all of it while it
    leaves or enters through the edge of the frame. Without a `following` keyframe, all the way.
    """
    nothing = Instances.empty(last.instances.size, last.instances.masks.shape[-1])
    after = Key(greys[-1], nothing) if following is None else following
    if not len(last.instances) and not len(after.instances):
        return [nothing for _ in greys]
    pictures = [last.grey, *greys, after.grey]
    back, ahead = _chain(pictures, finder), _chain(pictures[::-1], finder)[::-1]
    views = View(last.instances, back[-1]), View(after.instances, ahead[0])
    ways = _ways(views, len(greys))
    if following is None:
        ways = [way._replace(shown=range(1, len(greys) + 1)) for way in ways]
    found, small = [], [half(picture) for picture in pictures]
    for number in range(1, len(greys) + 1):
        share, here = number / (len(greys) + 1), small[number]
        weights = _weight(here, small[0], back[number]), _weight(here, small[-1], ahead[number])
        views = (
            View(last.instances, back[number], (1 - share) * weights[0]),
            View(after.instances, ahead[number], share * weights[1]),
        )
        found.append(_frame(views, [way for way in ways if number in way.shown], share))
    return found


def _chain(pictures: Sequence[Grey], finder: FlowFinder) -> list[Flow]:
    """The flow from each picture to the first one, step by step, at half their size."""
    flows = [np.zeros((*half(pictures[0]).shape, 2), np.float32)]
    for there, here in pairwise(pictures):
        flows.append(compose(halved(finder.between(here, there)), flows[-1]))
    return flows


def _weight(here: Grey, there: Grey, flow: Flow) -> Floats:
    """(h, w) how much a keyframe is to be believed."""
    return np.asarray((1 + warp_error(here, there, flow) / DOUBT) ** -2.0, np.float32)


def _ways(views: Views, count: int) -> list[_Way]:
    """Every object of two keyframes once; each is viewed from the other one."""
    boxes = [view.instances.boxes.astype(np.float64) for view in views]
    offsets = [_offsets(view.instances) for view in views]
    placed = _placed(views[0], views[1].flow), _placed(views[1], views[0].flow)
    pairs = _pairs(placed[0].shapes, *(view.instances for view in views))
    ways = [
        _Way(
            (i, j), (boxes[0][i], boxes[1][j]), (offsets[0][i], offsets[1][j]), range(1, count + 1)
        )
        for i, j in pairs
    ]
    middle = (count + 1) // 2  # in the middle, what comes and what goes
    for i in sorted(set(range(len(boxes[0]))) - {i for i, _ in pairs}):
        end = count if _has_left(views[0].instances, placed[0], i) else middle
        path, still = (boxes[0][i], placed[0].boxes[i]), offsets[0][i]
        ways.append(_Way((i, None), path, (still, still), range(1, end + 1)))
    for j in sorted(set(range(len(boxes[1]))) - {j for _, j in pairs}):
        start = 1 if _has_left(views[1].instances, placed[1], j) else count // 2 + 1
        path, still = (placed[1].boxes[j], boxes[1][j]), offsets[1][j]
        ways.append(_Way((None, j), path, (still, still), range(start, count + 1)))
    return ways


def _placed(view: View, drift: Flow) -> _Placed:
    """The objects of a keyframe in the frame from which it is viewed; `drift` leads there."""
    objects = view.instances
    side = objects.masks.shape[-1]
    boxes, seen = objects.boxes.astype(np.float64), np.zeros((len(objects), 4))
    masks = np.zeros_like(objects.masks)
    there = View(objects, drift)
    for row, box in enumerate(boxes):
        x, y = points(box, side)
        inside = objects.masks[row] >= THRESHOLD
        ways = there.motion(x, y)[inside if inside.any() else ...]
        box += np.tile(np.median(ways.reshape(-1, 2), axis=0), 2)
        edges = mask_edges((view, view), (row, None), box, objects.size)
        if edges is not None:
            seen[row], masks[row] = edges, mask_in((view, view), (row, None), edges, side)
    return _Placed(Shapes(seen, masks), boxes)


def _pairs(moved: Shapes, last: Instances, following: Instances) -> list[tuple[int, int]]:
    """Rows of both keyframes that are the same objects, by how far they overlap once moved."""
    worth = mask_ious(moved, shapes(following), following.size)
    worth *= np.where(last.labels[:, None] == following.labels[None, :], 1, OTHER_CLASS)
    rows, cols = best_pairs(worth, worth >= SAME)
    return list(zip(rows.tolist(), cols.tolist(), strict=True))


def _has_left(objects: Instances, placed: _Placed, row: int) -> bool:
    """Whether hardly anything of the object is in the frame that it was moved to."""
    one = np.array([row])
    area = mask_areas(shapes(objects[one]), objects.size)[0]
    there = Shapes(placed.shapes.boxes[one], placed.shapes.masks[one])
    return bool(mask_areas(there, objects.size)[0] < LEFT * area)


def _offsets(objects: Instances) -> NDArray[np.float64]:
    """(N, 4) from the edges of each mask to its box."""
    offsets = np.zeros((len(objects), 4))
    still = View(objects, np.zeros((1, 1, 2), np.float32))
    for row, box in enumerate(objects.boxes.astype(np.float64)):
        edges = mask_edges((still, still), (row, None), box, objects.size)
        offsets[row] = 0 if edges is None else box - edges
    return offsets


def _frame(views: Views, ways: Sequence[_Way], share: float) -> Instances:
    """The objects in one frame, `share` of the way from the last keyframe."""
    size, side = views[0].instances.size, max(v.instances.masks.shape[-1] for v in views)
    rows, boxes, masks = [], [], []
    for way in ways:
        expected = (1 - share) * way.path[0] + share * way.path[1]
        edges = mask_edges(views, way.rows, expected, size)
        if edges is None:
            continue
        box = edges + (1 - share) * way.offsets[0] + share * way.offsets[1]
        box = clip_boxes(box.astype(np.float32)[None], size)[0]
        if (box[2:] - box[:2]).min() <= 0:
            continue
        rows.append(_facts(views, way.rows, share))
        boxes.append(box)
        masks.append(mask_in(views, way.rows, box, side))
    if not rows:
        return Instances.empty(size, side)
    scores, labels = zip(*rows, strict=True)
    found = Instances(
        boxes=np.stack(boxes),
        masks=np.stack(masks),
        scores=np.array(scores, np.float32),
        labels=np.array(labels, np.int64),
        ids=np.full(len(rows), UNTRACKED, np.int64),
        size=size,
        filled=np.ones(len(rows), np.bool_),
    )
    return found[np.argsort(-found.scores, kind="stable")]


def _facts(views: Views, rows: Rows, share: float) -> tuple[float, int]:
    """Score and label: between those of both keyframes, and that of the surer one."""
    seen = [
        (float(view.instances.scores[row]), int(view.instances.labels[row]), part)
        for view, row, part in zip(views, rows, (1 - share, share), strict=True)
        if row is not None
    ]
    score = sum(score * part for score, _, part in seen) / sum(part for _, _, part in seen)
    return score, max(seen)[1]
