"""How much objects overlap, for many at once: masks compared at a few points each.

A tracker asks this of every track and object of every frame. `vidseg.masks.iou_matrix` counts
pixels; here each pair is compared on a grid of points spread over the window that both share, which
takes the same time at every resolution. Boxes may reach out of the frame, as a moving object's do;
only what lies in the frame counts.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vidseg.instances import Instances
from vidseg.masks import THRESHOLD

GRID = 12
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
    low = np.maximum(_framed(a.boxes, size)[:, None, :2], _framed(b.boxes, size)[None, :, :2])
    high = np.minimum(_framed(a.boxes, size)[:, None, 2:], _framed(b.boxes, size)[None, :, 2:])
    shared = np.zeros(low.shape[:2])
    i, j = np.nonzero((high > low).all(axis=2))
    windows = np.concatenate([low[i, j], high[i, j]], axis=1)
    both = _covers(a, i, windows) & _covers(b, j, windows)
    shared[i, j] = both.mean(axis=(1, 2)) * _box_areas(windows)
    return shared


def mask_areas(a: Shapes, size: tuple[int, int]) -> NDArray[np.float64]:
    """(N,) square pixels of each mask inside a frame of `size`."""
    windows = _framed(a.boxes, size)
    covered = _covers(a, np.arange(len(windows)), windows).mean(axis=(1, 2))
    return covered * _box_areas(windows)


def mask_ious(a: Shapes, b: Shapes, size: tuple[int, int]) -> NDArray[np.float64]:
    """(N, M) intersection over union of the masks inside the frame; 0 where both are empty."""
    shared = shared_areas(a, b, size)
    union = mask_areas(a, size)[:, None] + mask_areas(b, size)[None, :] - shared
    ious = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return ious.clip(0, 1)


def _covers(
    a: Shapes, rows: NDArray[np.intp], windows: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """(P, GRID, GRID) whether mask `rows[p]` covers the points of window p."""
    x = _cells(a, rows, windows, 0)
    y = _cells(a, rows, windows, 1)
    return a.masks[rows[:, None, None], y[:, :, None], x[:, None, :]] >= THRESHOLD


def _cells(
    a: Shapes, rows: NDArray[np.intp], windows: NDArray[np.float64], axis: int
) -> NDArray[np.intp]:
    """(P, GRID) index of the mask's cell under each point of the window along one axis."""
    side = a.masks.shape[-1]
    steps = (np.arange(GRID) + 0.5) / GRID
    low, high = windows[:, axis], windows[:, axis + 2]
    points = low[:, None] + (high - low)[:, None] * steps
    start, length = a.boxes[rows, axis], a.boxes[rows, axis + 2] - a.boxes[rows, axis]
    cells = (points - start[:, None]) * (side / np.maximum(length, 1e-6))[:, None]
    return cells.astype(np.intp).clip(0, side - 1)


def _framed(boxes: NDArray[np.floating], size: tuple[int, int]) -> NDArray[np.float64]:
    """The parts of the boxes inside the frame, turned inside out where there is none."""
    height, width = size
    framed = boxes.astype(np.float64)
    framed[:, :2] = framed[:, :2].clip(min=0)
    framed[:, 2:] = np.minimum(framed[:, 2:], (width, height))
    return framed


def _box_areas(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    return (boxes[:, 2:] - boxes[:, :2]).clip(min=0).prod(axis=1)
