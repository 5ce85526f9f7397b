"""Placement of name tags."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Box = tuple[int, int, int, int]
"""x0, y0, x1, y1 in whole pixels, x1 and y1 exclusive."""


def place_tags(
    boxes: Iterable[Box], tags: Iterable[tuple[int, int]], size: tuple[int, int]
) -> list[tuple[int, int]]:
    """(left, top) of each tag of (height, width) in `tags`, placed in order beside its box.

    A tag goes above the upper left corner of its box. Where it would cover an earlier tag, it takes
    the place around the box where it covers least. It never leaves a frame of `size`.
    """
    placed = np.zeros((0, 4), np.int64)
    for box, tag in zip(boxes, tags, strict=True):
        places = np.array([_inside(place, tag, size) for place in _places(box, tag)])
        best = int(np.argmin([_covered(place, placed) for place in places]))
        placed = np.vstack([placed, places[best]])
    return [(int(left), int(top)) for left, top, _, _ in placed]


def _places(box: Box, tag: tuple[int, int]) -> list[tuple[int, int]]:
    """Best first: above left, above right, below left, below right, inside above, inside below."""
    (x0, y0, x1, y1), (height, width) = box, tag
    right, above, below = x1 - width, y0 - height, y1 - height
    return [(x0, above), (right, above), (x0, y1), (right, y1), (x0, y0), (x0, below)]


def _inside(place: tuple[int, int], tag: tuple[int, int], size: tuple[int, int]) -> Box:
    """The place as a box, moved into the frame."""
    left = max(0, min(place[0], size[1] - tag[1]))
    top = max(0, min(place[1], size[0] - tag[0]))
    return left, top, left + tag[1], top + tag[0]


def _covered(place: NDArray[np.int64], placed: NDArray[np.int64]) -> int:
    """Pixels of the tags in `placed` (N, 4) that a tag at `place` (4,) would cover."""
    low = np.maximum(place[:2], placed[:, :2])
    high = np.minimum(place[2:], placed[:, 2:])
    return int((high - low).clip(min=0).prod(axis=1).sum())
