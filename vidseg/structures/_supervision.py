"""Exchange with the `supervision` package: its `Detections`, with compact masks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vidseg.errors import OptionError, VidsegError
from vidseg.structures._full_masks import mask_cells
from vidseg.structures.boxes import clip_boxes
from vidseg.structures.instances import UNTRACKED, Instances
from vidseg.structures.masks import instance_rle

if TYPE_CHECKING:
    from supervision import Detections  # pyright: ignore[reportMissingImports]

CLASS_NAME_KEY = "class_name"
"""Key in `Detections.data` under which supervision's annotators look for class names."""


def to_detections(instances: Instances) -> Detections:
    """See `Instances.to_supervision`."""
    try:
        from supervision import CompactMask, Detections  # pyright: ignore[reportMissingImports]

        compact = CompactMask.from_coco_rle
    except (ImportError, AttributeError) as error:
        raise VidsegError(
            'The package supervision is missing or too old; run: pip install "supervision>=0.30"'
        ) from error
    rles = [instance_rle(instances, row) for row in range(len(instances))]
    return Detections(
        xyxy=instances.boxes.copy(),
        mask=compact(rles, instances.boxes, instances.size),
        confidence=instances.scores.copy(),
        class_id=instances.labels.copy(),
        tracker_id=instances.ids.copy(),
        data={CLASS_NAME_KEY: np.array(instances.class_names, dtype=str)},
    )


def from_detections(
    detections: Detections, size: tuple[int, int], names: Mapping[int, str] | None, side: int
) -> Instances:
    """See `Instances.from_supervision`."""
    labels = _labels(detections)
    n = len(labels)
    boxes = clip_boxes(np.asarray(detections.xyxy, np.float32).reshape(n, 4), size)
    confidence, ids = detections.confidence, detections.tracker_id
    return Instances(
        boxes=boxes,
        masks=_masks(detections, boxes, side),
        scores=np.ones(n, np.float32) if confidence is None else np.asarray(confidence, np.float32),
        labels=labels,
        ids=np.full(n, UNTRACKED, np.int64) if ids is None else np.asarray(ids, np.int64),
        size=size,
        names=_names(detections, labels) if names is None else names,
    )


def _labels(detections: Detections) -> NDArray[np.int64]:
    if detections.class_id is None:
        raise OptionError("The detections have no class_id; vidseg needs a label for each object.")
    labels = np.asarray(detections.class_id, np.int64)
    if labels.min(initial=1) < 1:
        raise OptionError(
            f"class_id {labels.min()} is below 1, and vidseg's labels start at 1; "
            "add 1 to every class_id."
        )
    return labels


def _names(detections: Detections, labels: NDArray[np.int64]) -> dict[int, str]:
    given = detections.data.get(CLASS_NAME_KEY, ())
    return dict(zip(labels.tolist(), map(str, given), strict=False))


def _masks(detections: Detections, boxes: NDArray[np.float32], side: int) -> NDArray[np.uint8]:
    """(N, side, side): the share of each cell that the mask covers, x 255."""
    masks = np.full((len(boxes), side, side), 255, np.uint8)
    full: Any = detections.mask
    if full is not None:
        for row, box in enumerate(boxes):  # one full mask at a time, as compact masks unpack
            masks[row] = mask_cells(np.asarray(full[row], bool), box, side)
    return masks
