"""The objects found in one frame, as a struct of arrays."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import index
from typing import TYPE_CHECKING, SupportsIndex, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vidseg.errors import FrameError
from vidseg.structures._notebook import table_of
from vidseg.structures.frame import Frame, Image, check_image

if TYPE_CHECKING:
    from supervision import Detections  # pyright: ignore[reportMissingImports]

MASK_SIDE = 28
"""Side of the masks that Mask R-CNN predicts (He et al. 2017, figure 4)."""

UNTRACKED = -1
"""Value in `Instances.ids` of an object that belongs to no track."""

ARRAY_FIELDS = ("boxes", "masks", "scores", "labels", "ids", "filled")
"""Fields of `Instances` with one row per object."""

Rows = NDArray[np.bool_] | NDArray[np.intp] | slice


def _unset() -> NDArray[np.bool_]:
    return np.zeros(0, np.bool_)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Instances:
    """The objects of one frame; row i of every array is the same object.

    `instances[2]` is the third object, `instances[rows]` are some of them, and a loop goes through
    all of them, one `Instance` at a time.

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
    """(N,) True for an object that was not detected in this frame but moved here: between the
    sightings of its track, or between keyframes. Left out, it is False for all."""
    names: Mapping[int, str] = field(default_factory=dict)
    """Label to class name, as in the predictor's `classes`; empty where it is not known."""

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

    @classmethod
    def from_masks(
        cls,
        masks: NDArray[np.bool_],
        labels: ArrayLike,
        scores: ArrayLike,
        side: int = MASK_SIDE,
    ) -> Instances:
        """The objects with these full masks, (N, H, W) bool, as a model of your own finds them.

        `labels` and `scores` are (N,). An object without a pixel is left out. Masks are resampled
        to `side` x `side` cells inside the smallest boxes; more cells keep finer edges.

        Raises OptionError: an array of another shape or dtype, or a label below 1.
        """
        from vidseg.structures._full_masks import from_full_masks

        return from_full_masks(masks, labels, scores, side)

    def __len__(self) -> int:
        return len(self.boxes)

    @overload
    def __getitem__(self, rows: Rows) -> Instances: ...
    @overload
    def __getitem__(self, rows: SupportsIndex) -> Instance: ...
    def __getitem__(self, rows: SupportsIndex | Rows) -> Instance | Instances:
        """One object by its number, or several by a bool array, an index array or a slice."""
        if isinstance(rows, slice | np.ndarray):
            return replace(self, **{name: getattr(self, name)[rows] for name in ARRAY_FIELDS})
        row = index(rows)
        if not -len(self) <= row < len(self):
            raise IndexError(f"There is no object {row}; the frame has {len(self)}.")
        return Instance(self, row % len(self))

    def __iter__(self) -> Iterator[Instance]:
        return (Instance(self, row) for row in range(len(self)))

    def __repr__(self) -> str:
        names = ", ".join(self.class_names) or "no objects"
        arrays = f"boxes={self.boxes.shape}, masks={self.masks.shape}, ids={self.ids.tolist()}"
        return f"Instances({names}; size={self.size}, {arrays})"

    def _repr_html_(self) -> str:
        return table_of(self)

    @property
    def class_names(self) -> list[str]:
        """The class name of each object; its label where `names` does not know it."""
        return [self.names.get(label, str(label)) for label in self.labels.tolist()]

    def with_ids(self, ids: NDArray[np.int64]) -> Instances:
        """The same objects under other track ids, (N,) int64."""
        return replace(self, ids=ids)

    def full_masks(self) -> NDArray[np.bool_]:
        """(N, H, W) bool: every object in the whole frame, 2 MB each at 1080p.

        In a video, prefer `Instance.full_mask`, or the crops of `vidseg.structures.masks`.
        """
        masks = np.zeros((len(self), *self.size), np.bool_)
        for mask, one in zip(masks, self, strict=True):
            mask[...] = one.full_mask()
        return masks

    def to_supervision(self) -> Detections:
        """The objects as `supervision.Detections` with compact masks; needs `supervision`.

        `class_id` is the label, `tracker_id` the id (-1 without a track), and `data["class_name"]`
        the class name. Masks are those of `full_masks`.

        Raises VidsegError: `supervision` 0.30 or newer is not installed.
        """
        from vidseg.structures._supervision import to_detections

        return to_detections(self)

    @classmethod
    def from_supervision(
        cls,
        detections: Detections,
        size: tuple[int, int],
        names: Mapping[int, str] | None = None,
        side: int = MASK_SIDE,
    ) -> Instances:
        """The objects of `supervision.Detections` in a frame of `size` (height, width).

        `class_id` becomes the label. `names` is label to class name; None takes the names in
        `data["class_name"]`. Masks are resampled to `side` x `side` cells inside their boxes; more
        cells keep finer edges. Without masks, an object fills its box; without confidence, it has
        score 1.

        Raises OptionError: `class_id` is missing, or below 1, where vidseg has the background.
        """
        from vidseg.structures._supervision import from_detections

        return from_detections(detections, size, names, side)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Instance:
    """One object of a frame: row `row` of `instances`."""

    instances: Instances
    row: int

    def __repr__(self) -> str:
        track = "" if self.id is None else f", id={self.id}"
        box = ", ".join(f"{edge:.1f}" for edge in self.box)
        return f"Instance({self.name}, score={self.score:.2f}{track}, box=({box}))"

    @property
    def box(self) -> tuple[float, float, float, float]:
        """x0, y0, x1, y1 in source pixels."""
        x0, y0, x1, y1 = self.instances.boxes[self.row].tolist()
        return x0, y0, x1, y1

    @property
    def score(self) -> float:
        """0..1."""
        return float(self.instances.scores[self.row])

    @property
    def label(self) -> int:
        """Key into the predictor's `classes`."""
        return int(self.instances.labels[self.row])

    @property
    def name(self) -> str:
        """Class name; the label where it is not known."""
        return self.instances.names.get(self.label, str(self.label))

    @property
    def id(self) -> int | None:
        """Track id from 1; None for an untracked object."""
        number = int(self.instances.ids[self.row])
        return None if number == UNTRACKED else number

    @property
    def filled(self) -> bool:
        """Whether the object was moved here from other frames, not detected in this one."""
        return bool(self.instances.filled[self.row])

    def full_mask(self) -> NDArray[np.bool_]:
        """(H, W) bool: the object in the whole frame."""
        from vidseg.structures.masks import full_mask

        return full_mask(self.instances, self.row)


Found = tuple[Frame, Instances]
"""A frame and the objects found in it."""


def concatenate(parts: Sequence[Instances]) -> Instances:
    """The objects of all parts of one frame, in order; at least one part."""
    some = [part for part in parts if len(part)]
    if len(some) < 2:
        return some[0] if some else parts[0]
    columns = {
        name: np.concatenate([getattr(part, name) for part in some]) for name in ARRAY_FIELDS
    }
    return replace(some[0], **columns)


def check_fits(instances: Instances, image: Image) -> None:
    """Raise FrameError unless `image` is (H, W, 3) uint8 RGB of the frame size of `instances`."""
    check_image(image)
    if image.shape[:2] != instances.size:
        raise FrameError(
            f"The objects belong to a frame of {_pixels(instances.size)}, "
            f"the picture has {_pixels(image.shape)}; find the objects in this very picture."
        )


def _pixels(size: tuple[int, ...]) -> str:
    return f"{size[1]} x {size[0]} pixels"


def shown(
    instances: Instances,
    *,
    score: float = 0.5,
    labels: Collection[int] | None = None,
    max_objects: int | None = None,
) -> Instances:
    """The objects with at least `score`, of the given `labels` (None: all), at most `max_objects`.

    Order stays. Of too many, the best scores remain; of equal scores, the earlier row.
    """
    chosen = instances.scores >= np.float32(score)
    if labels is not None:
        chosen &= np.isin(instances.labels, list(labels))
    rows = np.flatnonzero(chosen)
    if max_objects is not None and len(rows) > max_objects:
        best = np.argsort(-instances.scores[rows], kind="stable")[:max_objects]
        rows = np.sort(rows[best])
    return instances[rows]
