"""Full masks, as most models give them, to boxes and to grids of cells inside these."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vidseg.errors import OptionError
from vidseg.structures.instances import UNTRACKED, Instances


def from_full_masks(
    masks: NDArray[np.bool_], labels: ArrayLike, scores: ArrayLike, side: int
) -> Instances:
    """See `Instances.from_masks`."""
    masks, labels, scores = np.asarray(masks), np.asarray(labels), np.asarray(scores)
    _check(masks, labels, scores)
    rows = np.flatnonzero(masks.any(axis=(1, 2)))
    boxes = np.array([_box(masks[row]) for row in rows], np.float32).reshape(-1, 4)
    cells = [mask_cells(masks[row], box, side) for row, box in zip(rows, boxes, strict=True)]
    return Instances(
        boxes=boxes,
        masks=np.array(cells, np.uint8).reshape(-1, side, side),
        scores=scores[rows].astype(np.float32),
        labels=labels[rows].astype(np.int64),
        ids=np.full(len(rows), UNTRACKED, np.int64),
        size=(masks.shape[1], masks.shape[2]),
    )


def _check(masks: NDArray, labels: NDArray, scores: NDArray) -> None:
    if masks.ndim != 3 or masks.dtype != np.bool_:
        raise OptionError(f"masks must be (N, H, W) bool, got {masks.shape} {masks.dtype}.")
    rows = (len(masks),)
    for name, array in (("labels", labels), ("scores", scores)):
        if array.shape != rows:
            raise OptionError(f"{name} must be {rows}, one for each mask, got {array.shape}.")
    if labels.min(initial=1) < 1:
        raise OptionError(f"Labels start at 1, got {labels.min()}; 0 is the background.")


def _box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """The smallest box, xyxy, around a mask of at least one pixel."""
    ys, xs = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(xs[0]), int(ys[0]), int(xs[-1]) + 1, int(ys[-1]) + 1


def mask_cells(full: NDArray[np.bool_], box: NDArray[np.float32], side: int) -> NDArray[np.uint8]:
    """(side, side): the share of each cell of the box that the full mask covers, x 255."""
    x0, y0, x1, y1 = box.tolist()
    top, left = int(y0), int(x0)
    part = full[top : int(np.ceil(y1)), left : int(np.ceil(x1))].astype(np.float32)
    down = _overlaps(y0 - top, y1 - top, part.shape[0], side)
    across = _overlaps(x0 - left, x1 - left, part.shape[1], side)
    return np.round(255 * (down @ part @ across.T)).clip(0, 255).astype(np.uint8)


def _overlaps(low: float, high: float, pixels: int, cells: int) -> NDArray[np.float32]:
    """(cells, pixels) share of each of `cells` between `low` and `high` that each pixel covers."""
    edges = np.linspace(low, high, cells + 1)
    at = np.arange(pixels)
    shared = np.minimum(edges[1:, None], at + 1) - np.maximum(edges[:-1, None], at)
    return (shared.clip(0) / max((high - low) / cells, 1e-6)).astype(np.float32)
