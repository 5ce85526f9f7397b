"""The objects of a frame from those of its views: the whole frame, and overlapping tiles of it.

Two views show the same object if its masks agree in the part of the frame that both views see. So
the objects of all views are grouped, with at most one of each view in a group. Of a group, the best
object that no border of a tile cuts is taken; where all are cut, they are joined. What remains of
cut objects is dropped where another object covers it.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vidseg.structures.frame import Image
from vidseg.structures.instances import Instances, concatenate
from vidseg.structures.mask_overlap import (
    Shapes,
    mask_areas,
    shapes,
    shared_areas,
    shared_areas_of_pairs,
)

MIN_AGREEMENT = 0.5
"""Least IoU of two masks, in what both views see, to be the same object."""
MIN_SHARED = 0.1
"""Least share of the smaller of two masks that both have in common: slivers agree by chance."""
MAX_COVERED = 0.5
"""A cut object is dropped if another object covers more of it."""
MAX_DOUBLE_IOU = 0.5
"""Of two objects of one class above this IoU, the worse is dropped."""
CUT_MARGIN = 0.01
"""An object is cut if its box ends within this share of the tile's side from the tile's border."""

Rows = NDArray[np.intp]
Flags = NDArray[np.bool_]


class Tile(NamedTuple):
    """A part of a frame, in whole pixels; `right` and `bottom` are exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    def of(self, image: Image) -> Image:
        """This part of the image, not copied."""
        return image[self.top : self.bottom, self.left : self.right]


def merge_views(whole: Instances, tiles: Sequence[Tile], found: Sequence[Instances]) -> Instances:
    """The objects of a frame, once each, best score first.

    Args:
        whole: those found in the whole frame.
        found: those found in each of the `tiles`, in pixels of the tile.
    """
    height, width = whole.size
    views = [Tile(0, 0, width, height), *tiles]
    placed = [_placed(*each, whole.size) for each in zip(found, tiles, strict=True)]
    parts = [whole, *placed]
    if not tiles or not any(map(len, parts)):
        return whole
    side = max(part.masks.shape[-1] for part in parts)
    objects = concatenate([_with_side(part, side) for part in parts])
    owners = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    cut = _cut(objects, views, owners)
    groups = _groups(objects, views, owners)
    merged = concatenate([_one(objects, rows, cut) for rows in groups])
    still_cut = np.array([len(rows) == 1 and bool(cut[rows[0]]) for rows in groups])
    return _once(merged, still_cut)


def _placed(part: Instances, tile: Tile, size: tuple[int, int]) -> Instances:
    """The objects of a tile in pixels of the frame."""
    corner = np.array([tile.left, tile.top] * 2, np.float32)
    return replace(part, boxes=part.boxes + corner, size=size)


def _cut(objects: Instances, views: Sequence[Tile], owners: Rows) -> Flags:
    """(N,) whether a border of its tile, inside the frame, cuts the object."""
    height, width = objects.size
    edges = np.array(views, np.float32)
    sides = np.tile(edges[:, 2:] - edges[:, :2], 2)
    inner = edges != np.array([0, 0, width, height], np.float32)
    near = np.abs(objects.boxes - edges[owners]) <= CUT_MARGIN * sides[owners]
    return (near & inner[owners]).any(axis=1)


def _groups(objects: Instances, views: Sequence[Tile], owners: Rows) -> list[Rows]:
    """The rows of each object of the frame, best score first; at most one row of each view."""
    groups = {row: [row] for row in range(len(objects))}
    of_row = list(range(len(objects)))
    for one, other in _agreeing(objects, views, owners):
        a, b = groups[of_row[one]], groups[of_row[other]]
        if a is b or not {*owners[a]}.isdisjoint(owners[b]):
            continue
        gone = of_row[other]
        for row in groups.pop(gone):
            of_row[row] = of_row[one]
            a.append(row)
    return [np.array(sorted(g, key=lambda row: -objects.scores[row])) for g in groups.values()]


def _agreeing(objects: Instances, views: Sequence[Tile], owners: Rows) -> list[tuple[int, int]]:
    """Pairs of rows of different views that show the same object, the clearest first."""
    masks, size = shapes(objects), objects.size
    alike = objects.labels[:, None] == objects.labels
    rows, others = np.nonzero(alike & (owners[:, None] < owners))
    shared = shared_areas_of_pairs(masks, rows, others, size)
    areas = mask_areas(masks, size)
    enough = shared > MIN_SHARED * np.minimum(areas[rows], areas[others])
    rows, others, shared = rows[enough], others[enough], shared[enough]
    full = np.full((len(views), 1, 1), 255, np.uint8)
    seen = shared_areas(masks, Shapes(np.array(views, np.float32), full), size)
    union = seen[rows, owners[others]] + seen[others, owners[rows]] - shared
    agreement = shared / np.maximum(union, shared)
    order = np.argsort(-agreement, kind="stable")
    order = order[agreement[order] >= MIN_AGREEMENT]
    return list(zip(rows[order].tolist(), others[order].tolist(), strict=True))


def _one(objects: Instances, rows: Rows, cut: Flags) -> Instances:
    """The object that the views show in these rows, with the best of their scores."""
    uncut = rows[~cut[rows]]
    if len(uncut) or len(rows) == 1:
        one = objects[(uncut if len(uncut) else rows)[:1]]
        return replace(one, scores=objects.scores[rows[:1]])
    pieces = objects[rows]
    box = np.concatenate([pieces.boxes[:, :2].min(axis=0), pieces.boxes[:, 2:].max(axis=0)])
    side = pieces.masks.shape[-1]
    masks = [_read(pieces, row, box, side) for row in range(len(pieces))]
    return replace(pieces[:1], boxes=box[None], masks=np.max(masks, axis=0)[None])


def _once(objects: Instances, cut: Flags) -> Instances:
    """The objects without doubles and without cut ones that others cover, best score first."""
    order = np.lexsort((-objects.scores, cut))  # cut ones last
    objects, cut = objects[order], cut[order]
    masks = shapes(objects)
    alike = objects.labels[:, None] == objects.labels
    rows, others = np.nonzero(np.triu(alike | cut, 1))
    shared = shared_areas_of_pairs(masks, rows, others, objects.size)
    areas = mask_areas(masks, objects.size)
    union = areas[rows] + areas[others] - shared
    double = alike[rows, others] & (shared > MAX_DOUBLE_IOU * union)
    covered = cut[others] & (shared > MAX_COVERED * areas[others])
    kept = np.ones(len(objects), np.bool_)
    gone = double | covered
    for row, other in zip(rows[gone].tolist(), others[gone].tolist(), strict=True):
        kept[other] &= not kept[row]  # pairs are in order of `row`, which is decided by then
    objects = objects[kept]
    return objects[np.argsort(-objects.scores, kind="stable")]


def _with_side(part: Instances, side: int) -> Instances:
    """The same objects with masks of `side` x `side` cells."""
    if part.masks.shape[-1] == side:
        return part
    masks = [_read(part, row, part.boxes[row], side) for row in range(len(part))]
    shape = (len(part), side, side)
    return replace(part, masks=np.array(masks, np.uint8).reshape(shape))


def _read(objects: Instances, row: int, box: NDArray[np.float32], side: int) -> NDArray[np.uint8]:
    """(side, side) mask of an object at the cells of `box`; 0 outside its own box."""
    mask = objects.masks[row].astype(np.float32)
    x0, y0, x1, y1 = objects.boxes[row].tolist()
    down = _weights((y0, y1), (float(box[1]), float(box[3])), len(mask), side)
    across = _weights((x0, x1), (float(box[0]), float(box[2])), len(mask), side)
    return (down @ mask @ across.T + 0.5).astype(np.uint8)


def _weights(
    own: tuple[float, float], wanted: tuple[float, float], cells: int, side: int
) -> NDArray[np.float32]:
    """(side, cells) weight of each cell of `own` at the centres of the cells of `wanted`."""
    centres = wanted[0] + (np.arange(side) + 0.5) * (wanted[1] - wanted[0]) / side
    at = (centres - own[0]) * cells / max(own[1] - own[0], 1e-6) - 0.5
    weights = 1 - np.abs(at.clip(0, cells - 1)[:, None] - np.arange(cells))
    inside = (centres >= own[0]) & (centres <= own[1])
    return (weights.clip(min=0) * inside[:, None]).astype(np.float32)
