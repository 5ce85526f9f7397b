"""Geometry of boxes: (N, 4) xyxy in pixels, x1 and y1 exclusive."""

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]


def box_areas(boxes: Boxes) -> NDArray[np.float32]:
    """(N,) areas in square pixels; 0 for a box turned inside out."""
    width, height = (boxes[:, 2:] - boxes[:, :2]).clip(min=0).T
    return width * height


def clip_boxes(boxes: Boxes, size: tuple[int, int]) -> Boxes:
    """The parts of the boxes that lie inside a frame of `size` (height, width)."""
    height, width = size
    return boxes.clip(0, np.array([width, height, width, height], boxes.dtype))


def box_intersections(a: Boxes, b: Boxes) -> NDArray[np.float32]:
    """(N, M) areas shared by each box of `a` and each of `b`."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    width, height = np.moveaxis((high - low).clip(min=0), 2, 0)
    return width * height


def box_iou_matrix(a: Boxes, b: Boxes) -> NDArray[np.float32]:
    """(N, M) intersection over union, 0..1; 0 where both boxes are empty."""
    shared = box_intersections(a, b)
    union = box_areas(a)[:, None] + box_areas(b)[None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
