"""From soft masks inside boxes to pixels: crops, full masks, label maps, areas, IoU, RLE.

A mask holds probabilities at the centres of its cells. Between centres they are interpolated
bilinearly, and a pixel takes the value at its own centre. Outside its box an object has probability
0, so it fades out within half a cell; at the frame's edge it keeps its last value instead. This is
the aligned form of detectron2's `_do_paste_mask`; torchvision's `paste_masks_in_image` rounds the
box to whole pixels first, which moves edges by up to a pixel. A pixel belongs to the object if its
value is at least `MASK_THRESHOLD`.
"""

from typing import Any, NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from vidseg.structures.boxes import box_intersections
from vidseg.structures.instances import Instances

MASK_THRESHOLD = 128
"""Smallest soft value that counts as the object: probability 0.5 as uint8."""


class Crop(NamedTuple):
    """An object in its part of the frame: ``full[rows, cols] == mask``, and 0 elsewhere."""

    rows: slice
    cols: slice
    mask: NDArray[Any]
    """(rows, cols) bool, or uint8 where the crop is soft."""


class RLE(TypedDict):
    """A mask as COCO run-length encoding, column by column, as pycocotools reads it."""

    size: list[int]
    """[height, width]"""
    counts: str


def crop(instances: Instances, row: int) -> Crop:
    """The object's pixels as bool, cropped to the pixels whose centres lie inside its box.

    A box that contains no pixel centre gives an empty crop with valid slices.
    """
    x0, y0, x1, y1 = (float(value) for value in instances.boxes[row])
    rows = _centres(y0, y1, instances.size[0])
    cols = _centres(x0, x1, instances.size[1])
    return Crop(rows, cols, sample_soft(instances, row, rows, cols) >= MASK_THRESHOLD)


def soft_crop(instances: Instances, row: int) -> Crop:
    """Probability x 255 as uint8, cropped to where it is not 0: half a cell beyond the box."""
    rows, cols = window(instances, row, 0.5)
    return Crop(rows, cols, sample_soft(instances, row, rows, cols))


def window(instances: Instances, row: int, cells: float) -> tuple[slice, slice]:
    """The frame's rows and columns in the object's box, widened by `cells` mask cells all round."""
    x0, y0, x1, y1 = (float(value) for value in instances.boxes[row])
    side = instances.masks.shape[-1]
    dx, dy = (x1 - x0) * cells / side, (y1 - y0) * cells / side
    rows = _centres(y0 - dy, y1 + dy, instances.size[0])
    return rows, _centres(x0 - dx, x1 + dx, instances.size[1])


def full_mask(instances: Instances, row: int) -> NDArray[np.bool_]:
    """(H, W) bool: the object in the whole frame."""
    rows, cols, mask = crop(instances, row)
    full = np.zeros(instances.size, bool)
    full[rows, cols] = mask
    return full


def label_map(
    instances: Instances, numbers: NDArray[np.int64] | None = None
) -> NDArray[np.uint8 | np.uint16]:
    """(H, W): 0 for background, else the object's number: row + 1, or its entry in `numbers` (N,).

    Where objects overlap, the highest score is on top; of equal scores, the earlier row. The dtype
    is uint8 if every number fits, else uint16. ValueError for a number outside 1..65535.
    """
    if numbers is None:
        numbers = np.arange(1, len(instances) + 1)
    largest = int(numbers.max(initial=0))
    if largest > 65535 or numbers.min(initial=1) < 1:
        raise ValueError(f"object numbers must lie in 1..65535, got {numbers.min()}..{largest}")
    labels = np.zeros(instances.size, np.uint8 if largest <= 255 else np.uint16)
    for row in painting_order(instances):
        rows, cols, mask = crop(instances, row)
        labels[rows, cols][mask] = numbers[row]
    return labels


def painting_order(instances: Instances) -> NDArray[np.intp]:
    """(N,) rows from bottom to top: best score last; of equal scores, the earlier row last."""
    return np.argsort(-instances.scores, kind="stable")[::-1]


def areas(instances: Instances) -> NDArray[np.int64]:
    """(N,) pixels that each object covers."""
    counts = (np.count_nonzero(crop(instances, row).mask) for row in range(len(instances)))
    return np.fromiter(counts, np.int64, len(instances))


def iou_matrix(a: Instances, b: Instances) -> NDArray[np.float64]:
    """(N, M) intersection over union of the masks, 0..1; 0 where both are empty.

    Only crops are compared, so no full-frame mask is held.
    """
    crops_a = [crop(a, row) for row in range(len(a))]
    crops_b = [crop(b, row) for row in range(len(b))]
    shared = np.zeros((len(a), len(b)), np.float64)
    for i, j in np.argwhere(box_intersections(a.boxes, b.boxes) > 0):
        shared[i, j] = _shared_pixels(crops_a[i], crops_b[j])
    areas_a = np.array([np.count_nonzero(c.mask) for c in crops_a], np.float64)
    areas_b = np.array([np.count_nonzero(c.mask) for c in crops_b], np.float64)
    union = areas_a[:, None] + areas_b[None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def to_rle(mask: NDArray[np.bool_]) -> RLE:
    """COCO RLE of a full (H, W) bool mask."""
    encoded: Any = coco.encode(np.asfortranarray(mask, np.uint8))
    return {"size": list(mask.shape), "counts": encoded["counts"].decode("ascii")}


def instance_rle(instances: Instances, row: int) -> RLE:
    """COCO RLE of an object in its whole frame, made from its crop alone."""
    rows, cols, mask = crop(instances, row)
    return _rle(mask, rows.start, cols.start, instances.size)


def from_rle(rle: RLE) -> NDArray[np.bool_]:
    """(H, W) bool mask of a COCO RLE with str or bytes counts."""
    as_they_type_it: Any = rle
    return coco.decode(as_they_type_it).astype(bool)


def _centres(low: float, high: float, length: int) -> slice:
    """The pixels 0..length - 1 whose centres lie in [low, high)."""
    start = int(min(max(np.ceil(low - 0.5), 0), length))
    stop = int(min(max(np.ceil(high - 0.5), start), length))
    return slice(start, stop)


def sample_soft(instances: Instances, row: int, rows: slice, cols: slice) -> NDArray[np.uint8]:
    """(rows, cols) probability x 255, rounded, at the centres of the given pixels of the frame.

    Bilinear sampling of a grid is a product of three matrices, which is faster than a warp.
    """
    if rows.start == rows.stop or cols.start == cols.stop:
        return np.zeros((rows.stop - rows.start, cols.stop - cols.start), np.uint8)
    x0, y0, x1, y1 = (float(value) for value in instances.boxes[row])
    height, width = instances.size
    mask = instances.masks[row].astype(np.float32)
    vertical = _weights(y0, y1, rows, height, len(mask))
    horizontal = _weights(x0, x1, cols, width, len(mask))
    values = (vertical @ mask) @ horizontal.T
    values += 0.5
    return values.astype(np.uint8)


def _weights(
    low: float, high: float, pixels: slice, length: int, cells: int
) -> NDArray[np.float32]:
    """(pixels, cells) weight of each cell in the value at each pixel centre, along one axis."""
    centres = np.arange(pixels.start, pixels.stop) + 0.5
    at = (centres - low) * (cells / (high - low)) - 0.5
    if low <= 0.5:
        at = np.maximum(at, 0)
    if high > length - 0.5:
        at = np.minimum(at, cells - 1)
    shares = 1 - np.abs(at[:, None] - np.arange(cells))
    return shares.clip(min=0).astype(np.float32)


def _shared_pixels(a: Crop, b: Crop) -> int:
    rows = slice(max(a.rows.start, b.rows.start), min(a.rows.stop, b.rows.stop))
    cols = slice(max(a.cols.start, b.cols.start), min(a.cols.stop, b.cols.stop))
    if rows.start >= rows.stop or cols.start >= cols.stop:
        return 0
    return int(np.count_nonzero(_window(a, rows, cols) & _window(b, rows, cols)))


def _window(part: Crop, rows: slice, cols: slice) -> NDArray[np.bool_]:
    top, left = part.rows.start, part.cols.start
    return part.mask[rows.start - top : rows.stop - top, cols.start - left : cols.stop - left] > 0


def _rle(mask: NDArray, top: int, left: int, size: tuple[int, int]) -> RLE:
    """COCO RLE of `mask` placed at (top, left) of an empty frame of `size`."""
    height, width = size
    framed = np.zeros((mask.shape[1], mask.shape[0] + 2), np.int8)
    framed[:, 1:-1] = mask.T
    column, edge = np.nonzero(np.diff(framed, axis=1))
    turns = (left + column) * height + top + edge
    joined = np.flatnonzero(turns[1:-1:2] == turns[2::2]) * 2 + 1
    turns = np.delete(turns, np.concatenate([joined, joined + 1]))
    counts = np.diff(turns, prepend=0, append=height * width)
    if counts[-1] == 0:
        counts = counts[:-1]
    encoded: Any = coco.frPyObjects(
        {"size": [height, width], "counts": counts.tolist()}, height, width
    )
    return {"size": [height, width], "counts": encoded["counts"].decode("ascii")}
