"""How much objects overlap, for many at once: masks compared at a few points each; and which belong
together by it.

A tracker asks this of every track and object of every frame. `vidseg.structures.masks.iou_matrix`
counts
pixels; here each pair is compared on a grid of points spread over the window that both share, which
takes the same time at every resolution. Boxes may reach out of the frame, as a moving object's do;
only what lies in the frame counts.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vidseg.structures.boxes import box_areas
from vidseg.structures.instances import Instances
from vidseg.structures.masks import THRESHOLD

GRID = 10
"""Points along each side of a window."""


class Shapes(NamedTuple):
    """Masks in boxes: what overlaps are measured on."""

    boxes: NDArray[np.floating]
    """(N, 4) xyxy in pixels, also outside the frame."""
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
    windows = np.concatenate([low[i, j], high[i, j]], axis=1)
    both = _covers(a, i, windows) & _covers(b, j, windows)
    shared[i, j] = _share(both) * box_areas(windows)
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
    """Rows and columns of the allowed pairs that are worth most together, each used once at most.

    Both are (N, M); what is allowed should be worth more than 0.
    """
    if not allowed.any():
        none = np.zeros(0, np.intp)
        return none, none
    # Half a second, which so passes while a model looks at the next frames.
    from scipy.optimize import linear_sum_assignment

    rows, cols = linear_sum_assignment(np.where(allowed, worth, 0), maximize=True)
    kept = allowed[rows, cols]
    return rows[kept], cols[kept]


def _covers(a: Shapes, rows: NDArray[np.intp], windows: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(P, GRID, GRID) whether mask `rows[p]` covers the points of window p."""
    side = a.masks.shape[-1]
    x = _cells(a.boxes[rows], windows, 0, side)
    y = _cells(a.boxes[rows], windows, 1, side) + rows[:, None] * side
    return (a.masks >= THRESHOLD).ravel().take(y[:, :, None] * side + x[:, None, :])


def _cells(
    boxes: NDArray[np.floating], windows: NDArray[np.float64], axis: int, side: int
) -> NDArray[np.intp]:
    """(P, GRID) index of the cell of the mask in box p under each point of window p, on an axis."""
    low, high = windows[:, axis], windows[:, axis + 2]
    scale = side / np.maximum(boxes[:, axis + 2] - boxes[:, axis], 1e-6)
    first, step = (low - boxes[:, axis]) * scale, (high - low) * scale
    cells = first[:, None] + step[:, None] * ((np.arange(GRID) + 0.5) / GRID)
    return np.minimum(cells.astype(np.intp), side - 1)


def _share(covered: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(P,) share of the points that are covered."""
    return np.count_nonzero(covered.reshape(-1, GRID * GRID), axis=1) / GRID**2


def _framed(boxes: NDArray[np.floating], size: tuple[int, int]) -> NDArray[np.float64]:
    """The parts of the boxes inside the frame, turned inside out where there is none."""
    height, width = size
    framed = boxes.astype(np.float64)
    framed[:, :2] = framed[:, :2].clip(min=0)
    framed[:, 2:] = np.minimum(framed[:, 2:], (width, height))
    return framed
