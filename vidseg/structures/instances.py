"""The objects found in one frame, as a struct of arrays."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from vidseg.structures.frame import Frame

MASK_SIDE = 28
"""Side of the masks that Mask R-CNN predicts (He et al. 2017, figure 4)."""

UNTRACKED = -1
"""Value in `Instances.ids` of an object that belongs to no track."""

ARRAYS = ("boxes", "masks", "scores", "labels", "ids", "filled")
"""Fields of `Instances` with one row per object."""


def _unset() -> NDArray[np.bool_]:
    return np.zeros(0, np.bool_)


@dataclass(frozen=True, slots=True, eq=False)
class Instances:
    """The objects of one frame; row i of every array is the same object.

    Masks are soft and live inside their boxes: at 1080p, 50 objects take 39 KB this way and 104 MB
    as full-frame bool masks. `vidseg.structures.masks` turns them into crops, label maps and RLE.
    """

    boxes: NDArray[np.float32]
    """(N, 4) xyxy in source pixels, 0 <= x0 <= x1 <= width, 0 <= y0 <= y1 <= height."""
    masks: NDArray[np.uint8]
    """(N, M, M) probability x 255, sampled at the centres of an M x M grid laid over the box."""
    scores: NDArray[np.float32]
    """(N,) 0..1."""
    labels: NDArray[np.int64]
    """(N,) keys into the predictor's `classes`; 0 is background and never occurs."""
    ids: NDArray[np.int64]
    """(N,) track ids from 1, or `UNTRACKED`."""
    size: tuple[int, int]
    """(height, width) of the source frame."""
    filled: NDArray[np.bool_] = field(default_factory=_unset)
    """(N,) True for an object that was not found in this frame but moved here: from its track's
    sightings before and after, or from keyframes. Left out, it is False for all."""

    def __post_init__(self) -> None:
        n, side = len(self.boxes), self.masks.shape[-1]
        if not len(self.filled):
            object.__setattr__(self, "filled", np.zeros(n, np.bool_))
        expected = {
            "boxes": ((n, 4), np.float32),
            "masks": ((n, side, side), np.uint8),
            "scores": ((n,), np.float32),
            "labels": ((n,), np.int64),
            "ids": ((n,), np.int64),
            "filled": ((n,), np.bool_),
        }
        for name, (shape, dtype) in expected.items():
            array = getattr(self, name)
            if array.shape != shape or array.dtype != dtype:
                wanted = f"{shape} {np.dtype(dtype)}"
                raise ValueError(f"{name} must be {wanted}, got {array.shape} {array.dtype}")

    @classmethod
    def empty(cls, size: tuple[int, int], side: int = MASK_SIDE) -> Instances:
        """No objects in a frame of `size` (height, width)."""
        return cls(
            boxes=np.zeros((0, 4), np.float32),
            masks=np.zeros((0, side, side), np.uint8),
            scores=np.zeros(0, np.float32),
            labels=np.zeros(0, np.int64),
            ids=np.zeros(0, np.int64),
            size=size,
        )

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, rows: NDArray[np.bool_] | NDArray[np.intp] | slice) -> Instances:
        """The chosen rows, by bool array, index array or slice."""
        return replace(self, **{name: getattr(self, name)[rows] for name in ARRAYS})

    def with_ids(self, ids: NDArray[np.int64]) -> Instances:
        """The same objects under other track ids, (N,) int64."""
        return replace(self, ids=ids)


Found = tuple[Frame, Instances]
"""A frame and the objects found in it."""


def concatenate(parts: Sequence[Instances]) -> Instances:
    """The objects of all parts of one frame, in order; at least one part."""
    some = [part for part in parts if len(part)]
    if len(some) < 2:
        return some[0] if some else parts[0]
    columns = {name: np.concatenate([getattr(part, name) for part in some]) for name in ARRAYS}
    return replace(some[0], **columns)


def check_fits(instances: Instances, image: NDArray[np.uint8]) -> None:
    """Raise ValueError unless `image` is (H, W, 3) uint8 of the frame size of `instances`."""
    if image.dtype != np.uint8 or image.shape != (*instances.size, 3):
        raise ValueError(
            f"image must be {(*instances.size, 3)} uint8 like the frame of its instances, "
            f"got {image.shape} {image.dtype}"
        )


def shown(
    instances: Instances,
    *,
    score: float = 0.5,
    labels: Collection[int] | None = None,
    max_objects: int | None = None,
) -> Instances:
    """The objects from `score` on, of the given `labels` (None: all), at most `max_objects`.

    Order stays; where there are too many, the best scores remain, of equals the earlier row.
    """
    chosen = instances.scores >= np.float32(score)
    if labels is not None:
        chosen &= np.isin(instances.labels, list(labels))
    rows = np.flatnonzero(chosen)
    if max_objects is not None and len(rows) > max_objects:
        best = np.argsort(-instances.scores[rows], kind="stable")[:max_objects]
        rows = np.sort(rows[best])
    return instances[rows]
