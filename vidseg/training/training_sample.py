"""A training image with its objects as numpy arrays, converted from and to torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from vidseg.errors import InputError

Target = dict[str, torch.Tensor]
MIN_OBJECT_PIXELS = 16
"""Objects with fewer pixels in the network's input are slivers, which are not trained on."""
MIN_BOX_SIDE_PIXELS = 2
"""Objects with a thinner box are not trained on."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An image with its objects; row i of every array is one object."""

    image: NDArray[Any]
    """(H, W, 3) uint8 RGB."""
    masks: NDArray[Any]
    """(N, H, W) uint8, 0 or 1."""
    labels: NDArray[np.int64]
    """(N,)"""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)"""
        return self.image.shape[0], self.image.shape[1]


def from_item(item: Any, classes: Mapping[int, str], index: int) -> Picture:
    """From an item of a torch Dataset with torchvision's targets; crowds are left out.

    The image is (3, H, W), uint8 or float in 0..1, or anything that numpy converts to (H, W, 3),
    such as a PIL image.

    Raises InputError: the item is invalid.
    """
    try:
        image, target = item
        picture = Picture(_pixels(image), _masks(target["masks"]), _labels(target["labels"]))
        crowd = np.asarray(target.get("iscrowd", np.zeros(len(picture.labels)))).astype(bool)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise InputError(
            f"Item {index} of the dataset is not an image and a target with masks (N, H, W) and "
            f"labels (N,): {error!r}."
        ) from error
    _check(picture, crowd, classes, index)
    return Picture(picture.image, picture.masks[~crowd], picture.labels[~crowd])


def to_sample(picture: Picture) -> tuple[torch.Tensor, Target]:
    """(3, H, W) uint8, and a target with the boxes of the masks; slivers are left out."""
    boxes = boxes_of(picture.masks)
    pixels = picture.masks.sum(axis=(1, 2), dtype=np.int64)
    sides = boxes[:, 2:] - boxes[:, :2]
    kept = (pixels >= MIN_OBJECT_PIXELS) & (sides >= MIN_BOX_SIDE_PIXELS).all(axis=1)
    target = {
        "boxes": torch.from_numpy(boxes[kept]),
        "labels": torch.from_numpy(picture.labels[kept]),
        "masks": torch.from_numpy(picture.masks[kept]),
    }
    return torch.from_numpy(np.ascontiguousarray(picture.image.transpose(2, 0, 1))), target


def boxes_of(masks: NDArray[Any]) -> NDArray[np.float32]:
    """(N, 4) xyxy around the pixels of masks (N, H, W) uint8; 0 for those without."""
    boxes = np.zeros((len(masks), 4), np.float32)
    for row, mask in enumerate(masks):
        x, y, width, height = cv2.boundingRect(mask)
        boxes[row] = x, y, x + width, y + height
    return boxes


def _pixels(image: Any) -> NDArray[np.uint8]:
    array = np.asarray(image)
    if isinstance(image, torch.Tensor) or (array.shape[0] == 3 and array.shape[-1] != 3):
        array = array.transpose(1, 2, 0)
    if array.dtype != np.uint8:
        if array.dtype.kind != "f" or not np.isfinite(array).all() or array.max(initial=0) > 1.001:
            raise ValueError(f"image values of {array.dtype} up to {array.max(initial=0)}")
        array = (array * 255).round().clip(0, 255).astype(np.uint8)
    if array.ndim != 3 or array.shape[2] != 3 or not array.size:
        raise ValueError(f"image of shape {tuple(np.shape(image))}")
    return np.ascontiguousarray(array)


def _masks(masks: Any) -> NDArray[np.uint8]:
    return np.ascontiguousarray(np.asarray(masks) != 0).view(np.uint8)


def _labels(labels: Any) -> NDArray[np.int64]:
    return np.asarray(labels).astype(np.int64).reshape(-1)


def _check(
    picture: Picture, crowd: NDArray[np.bool_], classes: Mapping[int, str], index: int
) -> None:
    count = len(picture.labels)
    if picture.masks.shape != (count, *picture.size) or crowd.shape != (count,):
        raise InputError(
            f"Item {index} of the dataset has {count} labels and masks of shape "
            f"{picture.masks.shape} for an image of {picture.size[1]}x{picture.size[0]}."
        )
    for label in picture.labels:
        if int(label) not in classes:
            known = ", ".join(map(str, classes))
            raise InputError(
                f"Item {index} of the dataset has the label {label}, which is no class ({known}); "
                "0 is background."
            )
