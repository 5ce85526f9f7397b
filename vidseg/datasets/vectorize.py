"""Polygons around masks, which annotation tools can edit."""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.datasets.rasterize import rasterize
from vidseg.datasets.records import Polygon
from vidseg.structures.masks import from_rle

MIN_OUTLINE_IOU = 0.9
"""A simplified outline that fits the mask worse than this is replaced by the exact one."""
EDGE_STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))
"""Right, down, left, up, as (x, y)."""


def outline(mask: NDArray[np.bool_], *, tolerance: float = 1.0) -> Polygon:
    """One polygon (P, 2) around all parts of a mask (H, W), off by about `tolerance` pixels.

    Parts and holes are joined by seams, which are walked twice and so enclose nothing: a tool that
    stores one polygon per object keeps the object whole. At 0 the polygon follows the pixel edges
    and encloses exactly the mask.
    """
    exact = edges(mask)
    if tolerance > 0:
        rough = [_simpler(loop, tolerance) for loop in exact]
        tied = tie([loop for loop in rough if len(loop) >= 3])
        if (
            len(tied) >= 3
            and _iou(from_rle(rasterize([tied], mask.shape)), mask) >= MIN_OUTLINE_IOU
        ):
            return tied
    return tie(exact)


def edges(mask: NDArray[np.bool_]) -> list[Polygon]:
    """The closed lines along pixel edges with the object on their right; corners only.

    Pixels that touch only at a corner are not connected.
    """
    leaving = _directions(mask)
    return [_corners(loop) for loop in _loops(leaving)]


def tie(loops: list[Polygon]) -> Polygon:
    """Join all loops into one, by the shortest seams between their corners."""
    if not loops:
        return np.zeros((0, 2))
    tied, *rest = loops
    while rest:
        nearest = [_nearest(tied, loop) for loop in rest]
        at = min(range(len(rest)), key=lambda i: nearest[i][0])
        _, here, there = nearest[at]
        loop = np.roll(rest.pop(at), -there, axis=0)
        tied = np.concatenate([tied[: here + 1], loop, loop[:1], tied[here:]])
    return tied


def _directions(mask: NDArray[np.bool_]) -> dict[tuple[int, int], list[int]]:
    """Grid point to the steps from it along an edge of the object."""
    padded = np.pad(mask, 1)
    inside, above, left = padded[1:, 1:], padded[:-1, 1:], padded[1:, :-1]
    leaving: dict[tuple[int, int], list[int]] = {}
    starts = (
        (inside & ~above, 0, 0, 0),  # right along the top of a pixel
        (left & ~inside, 1, 0, 0),  # down along the right of a pixel
        (above & ~inside, 2, 1, 0),  # left along its bottom
        (inside & ~left, 3, 0, 1),  # up along its left
    )
    for there, step, dx, dy in starts:
        for y, x in np.argwhere(there).tolist():
            leaving.setdefault((x + dx, y + dy), []).append(step)
    return leaving


def _loops(leaving: dict[tuple[int, int], list[int]]) -> Iterator[list[tuple[int, int]]]:
    """Walk every edge once, turning right where two steps are possible."""
    while leaving:
        start = at = next(iter(leaving))
        step, loop = leaving[at][0], []
        while at in leaving:
            ways = leaving[at]
            step = (step + 1) % 4 if (step + 1) % 4 in ways and len(ways) == 2 else ways[0]
            ways.remove(step)
            if not ways:
                del leaving[at]
            loop.append(at)
            at = at[0] + EDGE_STEPS[step][0], at[1] + EDGE_STEPS[step][1]
            if at == start and start not in leaving:
                break
        yield loop


def _corners(loop: list[tuple[int, int]]) -> Polygon:
    """Drop the points in the middle of straight lines."""
    points = np.array(loop, np.float64)
    before, after = np.roll(points, 1, axis=0), np.roll(points, -1, axis=0)
    return points[((points - before) != (after - points)).any(axis=1)]


def _simpler(loop: Polygon, tolerance: float) -> Polygon:
    """By Douglas and Peucker (1973)."""
    return cv2.approxPolyDP(loop.astype(np.float32)[:, None], tolerance, True)[:, 0].astype(float)


def _nearest(a: Polygon, b: Polygon) -> tuple[float, int, int]:
    """(squared distance, index in a, index in b) of the closest two corners."""
    best = (np.inf, 0, 0)
    for index, point in enumerate(a):
        distances = ((b - point) ** 2).sum(axis=1)
        at = int(distances.argmin())
        if distances[at] < best[0]:
            best = float(distances[at]), index, at
    return best


def _iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float((a & b).sum() / max((a | b).sum(), 1))
