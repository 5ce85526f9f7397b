"""Warping: masks of keyframes read from another frame, along the optical flow.

Masks stay in their boxes, so the cost of an object does not depend on the frame's size.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.structures.boxes import clip_boxes
from vidseg.structures.instances import Instances
from vidseg.structures.masks import MASK_THRESHOLD
from vidseg.video.analysis.optical_flow import Flow

WINDOW_POINTS = 64
"""Points along each side of the window in which the edges of a mask are searched."""
WINDOW_MARGINS = (0.4, 0.1)
"""Margins around the expected box, in box sizes: of the first search, and of the finer second."""

Floats = NDArray[np.float32]
Box = NDArray[np.float64]
"""(4,) xyxy in pixels of the frame."""
Rows = tuple[int | None, int | None]
"""An object's row at the last keyframe and at the next; None where it was not detected."""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A keyframe seen from another frame."""

    instances: Instances
    flow: Flow
    """From the other frame to the keyframe."""
    weight: Floats | None = None
    """(h, w) blending weight at each point."""

    def read(self, row: int, x: Floats, y: Floats) -> Floats:
        """Probability x 255 of the keyframe's object `row` at points of the other frame."""
        motion = self.motion(x, y)
        return _mask_at(self.instances, row, x + motion[..., 0], y + motion[..., 1])

    def motion(self, x: Floats, y: Floats) -> Floats:
        """(..., 2) from points of the other frame to the same points of the keyframe, in pixels."""
        height, width = self.instances.size
        h, w = self.flow.shape[:2]
        return self._field(self.flow, x, y) * np.array([width / w, height / h], np.float32)

    def weigh(self, x: Floats, y: Floats) -> Floats:
        assert self.weight is not None
        return self._field(self.weight, x, y)

    def _field(self, values: Floats, x: Floats, y: Floats) -> Floats:
        height, width = self.instances.size
        u = x * np.float32(values.shape[1] / width) - np.float32(0.5)
        v = y * np.float32(values.shape[0] / height) - np.float32(0.5)
        mode = cv2.BORDER_REPLICATE
        return np.asarray(cv2.remap(values, u, v, cv2.INTER_LINEAR, borderMode=mode), np.float32)


Views = tuple[View, View]
"""The last keyframe and the next one."""


def mask_edges(
    views: Views,
    rows: Rows,
    expected: Box,
    size: tuple[int, int],
) -> Box | None:
    """The box around an object's warped mask, searched around its `expected` box."""
    edges: Box | None = expected
    for margin in WINDOW_MARGINS:
        room = margin * np.tile(edges[2:] - edges[:2], 2) * (-1, -1, 1, 1)
        window = clip_boxes((edges + room).astype(np.float32)[None], size)[0].astype(np.float64)
        if (window[2:] - window[:2]).min() < 1e-3:
            return None
        edges = _mask_box(_values(views, rows, window, WINDOW_POINTS), window)
        if edges is None:
            return None
    return edges


def _mask_box(values: Floats, window: Box) -> Box | None:
    """The box around values of at least `MASK_THRESHOLD` in a window, to a fraction of a point."""
    ends = []
    for axis in (0, 1):
        line = values.max(axis=axis)
        inside = np.flatnonzero(line >= MASK_THRESHOLD)
        if not len(inside):
            return None
        step = (window[axis + 2] - window[axis]) / len(line)
        low, high = _crossing(line, inside[0], -1), _crossing(line, inside[-1], 1)
        ends.append((window[axis] + (low + 0.5) * step, window[axis] + (high + 0.5) * step))
    return np.array([ends[0][0], ends[1][0], ends[0][1], ends[1][1]])


def _crossing(line: Floats, at: int, step: int) -> float:
    """Where the line crosses the threshold beside its point `at`; half a step beyond its end."""
    if not 0 <= at + step < len(line):
        return at + step / 2
    return at + step * float((line[at] - MASK_THRESHOLD) / (line[at] - line[at + step]))


def mask_in(views: Views, rows: Rows, box: Box, side: int) -> NDArray[np.uint8]:
    return (_values(views, rows, box, side) + 0.5).astype(np.uint8)


def _values(views: Views, rows: Rows, box: Box, cells: int) -> Floats:
    """(cells, cells) probability x 255 of an object at points of `box`, both keyframes blended."""
    x, y = points(box, cells)
    seen = [(view, row) for view, row in zip(views, rows, strict=True) if row is not None]
    values = [view.read(row, x, y) for view, row in seen]
    if len(values) == 1:
        return values[0]
    first, second = (view.weigh(x, y) for view, _ in seen)
    return np.asarray((first * values[0] + second * values[1]) / (first + second), np.float32)


def points(box: Box, cells: int) -> tuple[Floats, Floats]:
    """(cells, cells) x and y of the centres of a grid over the box."""
    steps = (np.arange(cells) + 0.5) / cells
    x, y = (box[axis] + (box[axis + 2] - box[axis]) * steps for axis in (0, 1))
    x, y = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
    return x, y


def _mask_at(objects: Instances, row: int, x: Floats, y: Floats) -> Floats:
    """Probability x 255 at points of the keyframe.

    It is 0 outside the box; at the frame's edge it keeps its last value, as in
    `vidseg.structures.masks`.
    """
    side = objects.masks.shape[-1]
    box, (height, width) = objects.boxes[row], objects.size
    u = (x - box[0]) * np.float32(side / max(box[2] - box[0], 1e-6)) - np.float32(0.5)
    v = (y - box[1]) * np.float32(side / max(box[3] - box[1], 1e-6)) - np.float32(0.5)
    u = u.clip(0 if box[0] <= 0.5 else None, side - 1 if box[2] > width - 0.5 else None)
    v = v.clip(0 if box[1] <= 0.5 else None, side - 1 if box[3] > height - 0.5 else None)
    values = cv2.remap(objects.masks[row], u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return np.asarray(values, np.float32)
