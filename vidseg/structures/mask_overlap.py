"""Approximate mask IoU of many objects at once, and the best pairing by it.

A tracker needs the IoU of every track with every object in every frame. While
`vidseg.structures.masks.iou_matrix` counts pixels, here both masks of a pair are sampled at a grid
of points over the intersection of their boxes, which takes the same time at every resolution. Boxes
may leave the frame, as those of predicted motion do; only the part inside counts.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vidseg.structures.boxes import box_areas
from vidseg.structures.instances import Instances
from vidseg.structures.masks import MASK_THRESHOLD

POINTS_PER_SIDE = 10
"""Sample points along each side of a window."""


class Shapes(NamedTuple):
    """Masks in boxes, also of objects that are not in any frame's `Instances`."""

    boxes: NDArray[np.floating]
    """(N, 4) xyxy in pixels; may leave the frame."""
    masks: NDArray[np.uint8]
    """(N, M, M) probability x 255 inside the box."""


def shapes(instances: Instances) -> Shapes:
    return Shapes(instances.boxes, instances.masks)


def shared_areas(a: Shapes, b: Shapes, size: tuple[int, int]) -> NDArray[np.float64]:
    """(N, M) square pixels that the masks share inside a frame of `size` (height, width)."""
    framed_a, framed_b = _framed(a.boxes, size), _framed(b.boxes, size)
    low = np.maximum(framed_a[:, None, :2], framed_b[None, :, :2])
    high = np.minimum(framed_a[:, None, 2:], framed_b[None, :, 2:])
    shared = np.zeros(low.shape[:2])
    i, j = np.nonzero((high[..., 0] > low[..., 0]) & (high[..., 1] > low[..., 1]))
    shared[i, j] = _shared_in(np.concatenate([low[i, j], high[i, j]], axis=1), a, i, b, j)
    return shared


def shared_areas_of_pairs(
    a: Shapes, rows: NDArray[np.intp], others: NDArray[np.intp], size: tuple[int, int]
) -> NDArray[np.float64]:
    """(P,) square pixels that masks `rows[p]` and `others[p]` share; as `shared_areas`, but only
    for these pairs, which is faster where few of many are of interest."""
    framed = _framed(a.boxes, size)
    low = np.maximum(framed[rows, :2], framed[others, :2])
    high = np.minimum(framed[rows, 2:], framed[others, 2:])
    shared = np.zeros(len(rows))
    near = np.flatnonzero((high > low).all(axis=1))
    windows = np.concatenate([low[near], high[near]], axis=1)
    shared[near] = _shared_in(windows, a, rows[near], a, others[near])
    return shared


def mask_areas(a: Shapes, size: tuple[int, int]) -> NDArray[np.float64]:
    """(N,) square pixels of each mask inside a frame of `size`."""
    windows = _framed(a.boxes, size)
    return _share(_covers(a, np.arange(len(windows)), windows)) * box_areas(windows)


def mask_ious(a: Shapes, b: Shapes, size: tuple[int, int]) -> NDArray[np.float64]:
    """(N, M) intersection over union of the masks inside the frame; 0 where both are empty."""
    shared = shared_areas(a, b, size)
    union = mask_areas(a, size)[:, None] + mask_areas(b, size)[None, :] - shared
    ious = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return ious.clip(0, 1)


def best_pairs(
    worth: NDArray[np.floating], allowed: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the pairs whose total worth is highest; each is used at most once.

    Both arrays are (N, M). Only `allowed` pairs count, which should be worth more than 0.
    """
    if not allowed.any():
        none = np.zeros(0, np.intp)
        return none, none
    # This import takes 0.5 s; done here, it overlaps with inference.
    from scipy.optimize import linear_sum_assignment

    rows, cols = linear_sum_assignment(np.where(allowed, worth, 0), maximize=True)
    kept = allowed[rows, cols]
    return rows[kept], cols[kept]


def _shared_in(
    windows: NDArray[np.float64],
    a: Shapes,
    rows: NDArray[np.intp],
    b: Shapes,
    others: NDArray[np.intp],
) -> NDArray[np.float64]:
    """(P,) square pixels that both masks of each pair cover in its window."""
    both = _covers(a, rows, windows) & _covers(b, others, windows)
    return _share(both) * box_areas(windows)


def _covers(a: Shapes, rows: NDArray[np.intp], windows: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(P, G, G) whether mask `rows[p]` covers the points of window p."""
    side = a.masks.shape[-1]
    x = _cells(a.boxes[rows], windows, 0, side)
    y = _cells(a.boxes[rows], windows, 1, side) + rows[:, None] * side
    return (a.masks >= MASK_THRESHOLD).ravel().take(y[:, :, None] * side + x[:, None, :])


def _cells(
    boxes: NDArray[np.floating], windows: NDArray[np.float64], axis: int, side: int
) -> NDArray[np.intp]:
    """(P, G) index of the cell of the mask in box p under each point of window p, on an axis."""
    low, high = windows[:, axis], windows[:, axis + 2]
    scale = side / np.maximum(boxes[:, axis + 2] - boxes[:, axis], 1e-6)
    first, step = (low - boxes[:, axis]) * scale, (high - low) * scale
    cells = first[:, None] + step[:, None] * ((np.arange(POINTS_PER_SIDE) + 0.5) / POINTS_PER_SIDE)
    return np.minimum(cells.astype(np.intp), side - 1)


def _share(covered: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(P,) share of the points that the mask covers."""
    return np.count_nonzero(covered.reshape(-1, POINTS_PER_SIDE**2), axis=1) / POINTS_PER_SIDE**2


def _framed(boxes: NDArray[np.floating], size: tuple[int, int]) -> NDArray[np.float64]:
    """The parts of the boxes inside the frame; boxes without area where there is none.

    A track that is moved on may lie outside the frame altogether.
    """
    height, width = size
    framed = boxes.astype(np.float64)
    framed[:, :2] = framed[:, :2].clip(min=0)
    framed[:, 2:] = np.maximum(np.minimum(framed[:, 2:], (width, height)), framed[:, :2])
    return framed
