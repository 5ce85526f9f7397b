"""Box geometry: (N, 4) xyxy in pixels, x1 and y1 exclusive."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]
Real = TypeVar("Real", bound=np.floating)


def box_areas(boxes: NDArray[Real]) -> NDArray[Real]:
    """(N,) areas in square pixels; 0 for an inverted box (x1 < x0 or y1 < y0)."""
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
