"""Smoother boxes and masks, from the sightings of each track in the frames around one.

Boxes: a straight line is fitted through the boxes of the window by weighted least squares. Weights
fall with distance in time and with how far a box lies off the line (one step of iteratively
reweighted least squares). At constant speed this adds no lag. Where box and line are far apart, the
object has turned or changed, and its box stays nearly as it was.

Masks: the mean of the masks of the adjacent frames, moved along that line.

Neither applies to an object whose shape changes from frame to frame, such as a running animal,
where smoothing would only blur.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vidseg.structures.boxes import clip_boxes
from vidseg.structures.instances import Instances
from vidseg.structures.masks import MASK_THRESHOLD
from vidseg.tracking._kalman import box_sizes

EDGE_NOISE = 0.06
"""How far noise moves a box edge, in box sizes."""
MASK_RADIUS_FRAMES = 1
"""Frames before and after whose masks count."""
CHANGING_IOU, STABLE_IOU = 0.7, 0.9
"""IoU of two masks up to which the shape is changing, and from which it is stable."""

Array = NDArray[np.float64]


class _Window(NamedTuple):
    """The sightings of N objects in K frames; rows of absent objects are placeholders."""

    boxes: Array
    """(K, N, 4)"""
    masks: NDArray[np.uint8]
    """(K, N, M, M)"""
    weights: Array
    """(K, N) by distance in time; 0 where the object was absent."""
    times: Array
    """(K,) in frames; 0 is the frame to smooth."""

    def at(self, frames: NDArray[np.bool_]) -> _Window:
        return _Window(
            self.boxes[frames], self.masks[frames], self.weights[frames], self.times[frames]
        )


def smoothed(frames: Sequence[Instances], middle: int) -> Instances:
    """The objects of `frames[middle]`, smoothed over all `frames`."""
    now = frames[middle]
    if not len(now):
        return now
    window = _window(frames, middle)
    sizes = box_sizes(now.boxes)[:, None]
    window = window._replace(weights=window.weights * _line_weights(window, sizes))
    stability = _stability(window, middle)
    lines = _lines(window)
    shift = lines[middle] - window.boxes[middle]
    shift *= stability.mean(axis=0)[:, None] / (1 + (shift / (2 * EDGE_NOISE * sizes)) ** 2)
    boxes = window.boxes[middle] + shift
    near = np.abs(window.times) <= MASK_RADIUS_FRAMES
    window = window._replace(weights=window.weights * stability)
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
    """(N,) the row of each id in `others`; -1 where it is missing, and for untracked objects."""
    places = {track_id: row for row, track_id in enumerate(others.tolist()) if track_id > 0}
    return np.array([places.get(track_id, -1) for track_id in ids.tolist()], np.intp)


def _taken(values: NDArray, rows: NDArray[np.intp], default: NDArray) -> NDArray:
    """`values[rows]`; where a row is -1, that of `default`."""
    taken, present = default.copy(), rows >= 0
    if present.any():
        taken[present] = values[rows[present]]
    return taken


def _lines(window: _Window) -> Array:
    """(K, N, 4) the boxes on the weighted least-squares line of each object."""
    weights, times = window.weights[:, :, None], window.times[:, None, None]
    total = weights.sum(axis=0)
    mean_time = (weights * times).sum(axis=0) / total
    mean_box = (weights * window.boxes).sum(axis=0) / total
    variance = (weights * (times - mean_time) ** 2).sum(axis=0)
    covariance = (weights * (times - mean_time) * (window.boxes - mean_box)).sum(axis=0)
    slope = np.divide(covariance, variance, out=np.zeros_like(covariance), where=variance > 1e-9)
    return mean_box + slope * (times - mean_time)


def _line_weights(window: _Window, sizes: Array) -> Array:
    """(K, N) 0..1, lower for boxes that lie off the line (Cauchy weights)."""
    off = np.abs(window.boxes - _lines(window)).max(axis=2) / (EDGE_NOISE * sizes[:, 0])
    return 1 / (1 + off**2)


def _stability(window: _Window, middle: int) -> Array:
    """(K, N) 0..1, how similar each mask is to the one in the middle: 0 where the shape changes.

    Masks are compared inside their boxes. On DAVIS, the IoU of the true masks of adjacent frames is
    0.35 to 0.7 for a running dog, above 0.97 for a car and a swan; noise lowers it by 0.1.
    """
    masks = window.masks >= MASK_THRESHOLD
    shared = np.count_nonzero(masks & masks[middle], axis=(2, 3))
    union = np.count_nonzero(masks | masks[middle], axis=(2, 3))
    ious = np.where(union, shared / np.maximum(union, 1), 1)  # two empty masks are alike
    return ((ious - CHANGING_IOU) / (STABLE_IOU - CHANGING_IOU)).clip(0, 1)


def _mean_masks(window: _Window, lines: Array) -> NDArray[np.uint8]:
    """(N, M, M) weighted mean of the masks, each resampled from its box to the one on the line."""
    across = _resampling(window.boxes, lines, window.masks.shape[-1], 0)
    down = _resampling(window.boxes, lines, window.masks.shape[-1], 1)
    moved = down @ window.masks.astype(np.float32) @ across.swapaxes(2, 3)
    shares = (window.weights / window.weights.sum(axis=0)).astype(np.float32)
    mean = (moved * shares[:, :, None, None]).sum(axis=0)
    return (mean + 0.5).astype(np.uint8)


def _resampling(boxes: Array, targets: Array, side: int, axis: int) -> NDArray[np.float32]:
    """(K, N, side, side) weight of each mask cell in `boxes` for each cell in `targets`."""
    low, length = boxes[..., axis, None], (boxes[..., axis + 2] - boxes[..., axis])[..., None]
    start = targets[..., axis, None]
    reach = (targets[..., axis + 2] - targets[..., axis])[..., None]
    points = start + reach * (np.arange(side) + 0.5) / side
    cells = (points - low) * side / np.maximum(length, 1e-6) - 0.5
    cells = cells.clip(0, side - 1).astype(np.float32)
    return (1 - np.abs(cells[..., None] - np.arange(side, dtype=np.float32))).clip(min=0)
