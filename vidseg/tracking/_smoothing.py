"""Smoother boxes and mask edges, from the sightings of each track in the frames around one.

Boxes: a straight line through the boxes of the window, fitted with weights that fall with distance
in time and with how far a box lies off the line (one step of iteratively reweighted least squares).
At constant speed it adds no lag. Where box and line are far apart the object has turned or
changed, and the box stays nearly as it was. Masks: the mean of the masks of the frames next to it,
moved along that line. Neither is done to what changes its shape from frame to frame, as a running
animal does, where smoothing would only blur.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vidseg.structures.boxes import clip_boxes
from vidseg.structures.instances import Instances
from vidseg.structures.masks import THRESHOLD
from vidseg.tracking._kalman import box_sizes

NOISE = 0.06
"""How far a box edge may be off by mere noise, in box sizes."""
MASK_RADIUS = 1
"""Frames before and after whose masks count."""
SOFT, FIRM = 0.7, 0.9
"""Overlap of two masks up to which an object is changing its shape, and from which it is not."""

Array = NDArray[np.float64]


class _Window(NamedTuple):
    """The sightings of N objects in K frames around one; rows of absent ones are copies."""

    boxes: Array
    """(K, N, 4)"""
    masks: NDArray[np.uint8]
    """(K, N, M, M)"""
    weights: Array
    """(K, N) by distance in time; 0 where the object was absent."""
    times: Array
    """(K,) frames from the one in the middle."""

    def at(self, frames: NDArray[np.bool_]) -> "_Window":
        return _Window(
            self.boxes[frames], self.masks[frames], self.weights[frames], self.times[frames]
        )


def smoothed(frames: Sequence[Instances], middle: int) -> Instances:
    """The objects of `frames[middle]`, smoothed by the frames around it."""
    now = frames[middle]
    if not len(now):
        return now
    window = _window(frames, middle)
    sizes = box_sizes(now.boxes)[:, None]
    window = window._replace(weights=window.weights * _trust(window, sizes))
    firm = _firmness(window, middle)
    lines = _lines(window)
    shift = lines[middle] - window.boxes[middle]
    shift *= firm.mean(axis=0)[:, None] / (1 + (shift / (2 * NOISE * sizes)) ** 2)
    boxes = window.boxes[middle] + shift
    near = np.abs(window.times) <= MASK_RADIUS
    window = window._replace(weights=window.weights * firm)
    masks = _mean_masks(window.at(near), (lines + boxes - lines[middle])[near])
    boxes = clip_boxes(boxes.astype(np.float32), now.size)
    return replace(now, boxes=boxes, masks=masks)


def _window(frames: Sequence[Instances], middle: int) -> _Window:
    now = frames[middle]
    times = np.arange(len(frames), dtype=np.float64) - middle
    rows = [_rows_of(now.ids, frame.ids) for frame in frames]
    rows[middle] = np.arange(len(now))
    boxes = np.stack([_taken(f.boxes, r, now.boxes) for f, r in zip(frames, rows, strict=True)])
    masks = np.stack([_taken(f.masks, r, now.masks) for f, r in zip(frames, rows, strict=True)])
    reach = np.abs(times).max() + 1
    weights = (np.stack(rows) >= 0) * (1 - np.abs(times) / reach)[:, None]
    return _Window(boxes.astype(np.float64), masks, weights, times)


def _rows_of(ids: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.intp]:
    """(N,) the row in `others` of each id; -1 for none and for objects without a track."""
    places = {name: row for row, name in enumerate(others.tolist()) if name > 0}
    return np.array([places.get(name, -1) for name in ids.tolist()], np.intp)


def _taken(values: NDArray, rows: NDArray[np.intp], otherwise: NDArray) -> NDArray:
    """`values[rows]`, and the row of `otherwise` where there is none."""
    taken, there = otherwise.copy(), rows >= 0
    if there.any():
        taken[there] = values[rows[there]]
    return taken


def _lines(window: _Window) -> Array:
    """(K, N, 4) the boxes on the straight line of least weighted squares."""
    weights, times = window.weights[:, :, None], window.times[:, None, None]
    total = weights.sum(axis=0)
    middle = (weights * times).sum(axis=0) / total
    boxes = (weights * window.boxes).sum(axis=0) / total
    spread = (weights * (times - middle) ** 2).sum(axis=0)
    rise = (weights * (times - middle) * (window.boxes - boxes)).sum(axis=0)
    slope = np.divide(rise, spread, out=np.zeros_like(rise), where=spread > 1e-9)
    return boxes + slope * (times - middle)


def _trust(window: _Window, sizes: Array) -> Array:
    """(K, N) 0..1, less for boxes that lie off the line of the others (Cauchy's weights)."""
    off = np.abs(window.boxes - _lines(window)).max(axis=2) / (NOISE * sizes[:, 0])
    return 1 / (1 + off**2)


def _firmness(window: _Window, middle: int) -> Array:
    """(K, N) 0..1, how alike each mask is to the one in the middle: 0 for what changes its shape.

    Masks are compared in their boxes. On DAVIS, the true masks of frame and next frame overlap by
    0.35 to 0.7 for a running dog and by more than 0.97 for a car and a swan; noise takes 0.1 off.
    """
    masks = window.masks >= THRESHOLD
    shared = np.count_nonzero(masks & masks[middle], axis=(2, 3))
    union = np.count_nonzero(masks | masks[middle], axis=(2, 3))
    alike = np.where(union, shared / np.maximum(union, 1), 1)  # empty masks are alike
    return ((alike - SOFT) / (FIRM - SOFT)).clip(0, 1)


def _mean_masks(window: _Window, lines: Array) -> NDArray[np.uint8]:
    """(N, M, M) weighted mean of the masks, each moved from its box to that on the line."""
    across = _sampling(window.boxes, lines, window.masks.shape[-1], 0)
    down = _sampling(window.boxes, lines, window.masks.shape[-1], 1)
    moved = down @ window.masks.astype(np.float32) @ across.swapaxes(2, 3)
    shares = (window.weights / window.weights.sum(axis=0)).astype(np.float32)
    mean = (moved * shares[:, :, None, None]).sum(axis=0)
    return (mean + 0.5).astype(np.uint8)


def _sampling(boxes: Array, targets: Array, side: int, axis: int) -> NDArray[np.float32]:
    """(K, N, side, side) share of every cell of a mask in `boxes` in every cell of `targets`."""
    low, length = boxes[..., axis, None], (boxes[..., axis + 2] - boxes[..., axis])[..., None]
    start, reach = (
        targets[..., axis, None],
        (targets[..., axis + 2] - targets[..., axis])[..., None],
    )
    points = start + reach * (np.arange(side) + 0.5) / side
    cells = (points - low) * side / np.maximum(length, 1e-6) - 0.5
    cells = cells.clip(0, side - 1).astype(np.float32)
    return (1 - np.abs(cells[..., None] - np.arange(side, dtype=np.float32))).clip(min=0)
