"""Random changes of training images, with their masks."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.training.training_sample import Picture

Random = np.random.Generator

SCALE_RANGE = (0.5, 1.4)
"""Scale of an image relative to its size in use; above 1 it is cropped.

Detectron2's "standard" jitter for copy-paste (Ghiasi et al. 2021) is 0.8 to 1.25, its "large" one
0.1 to 2.
"""
PASTE_PROBABILITY = 0.5
"""Probability that objects are pasted into an image."""
MIN_VISIBLE_SHARE = 0.2
"""An object with a smaller visible share after pasting or cropping is dropped."""
CANVAS_GREY = 114
"""Grey level of the canvas around a small image; close to the mean of photos."""


def fit(picture: Picture, size: tuple[int, int]) -> Picture:
    """Resized as the model resizes frames; `size` is (shorter side, longest side) in pixels."""
    return resize(picture, _fitting(picture.size, size))


def scaled(picture: Picture, size: tuple[int, int], random: Random) -> Picture:
    """Resized by a random factor of `SCALE_RANGE`, and cropped to its size in use."""
    factor = _fitting(picture.size, size)
    low, high = np.log(SCALE_RANGE)
    wanted = factor * float(np.exp(random.uniform(low, high)))
    return crop(resize(picture, wanted), _times(picture.size, factor), random)


def resize(picture: Picture, factor: float) -> Picture:
    """By bilinear interpolation, or by area averages where it shrinks, which suit masks too."""
    height, width = _times(picture.size, factor)
    if (height, width) == picture.size:
        return picture
    image = cv2.resize(picture.image, (width, height), interpolation=_mode(factor))
    masks = [cv2.resize(m, (width, height), interpolation=_mode(factor)) for m in picture.masks]
    return Picture(image, _stack(masks, (height, width)), picture.labels)


def crop(picture: Picture, size: tuple[int, int], random: Random) -> Picture:
    """A random window of at most `size` (height, width); objects mostly outside are dropped."""
    height, width = (min(pair) for pair in zip(size, picture.size, strict=True))
    top = int(random.integers(picture.size[0] - height + 1))
    left = int(random.integers(picture.size[1] - width + 1))
    if (height, width) == picture.size:
        return picture
    rows, columns = slice(top, top + height), slice(left, left + width)
    masks = np.ascontiguousarray(picture.masks[:, rows, columns])
    kept = _in_sight(picture.masks, masks)
    return Picture(picture.image[rows, columns], masks[kept], picture.labels[kept])


def flip(picture: Picture) -> Picture:
    """Mirror left to right."""
    return Picture(
        np.ascontiguousarray(picture.image[:, ::-1]),
        np.ascontiguousarray(picture.masks[:, :, ::-1]),
        picture.labels,
    )


def recolor(picture: Picture, random: Random) -> Picture:
    """Vary brightness, contrast, saturation and tint as cameras do."""
    image = picture.image.astype(np.float32)
    grey = image.mean(axis=2, keepdims=True)
    image = grey + (image - grey) * random.uniform(0.6, 1.4)
    image = image * random.uniform(0.75, 1.25) * random.uniform(0.93, 1.07, 3).astype(np.float32)
    image += random.uniform(-20, 20)
    return Picture(np.clip(image, 0, 255).astype(np.uint8), picture.masks, picture.labels)


def paste(onto: Picture, other: Picture, random: Random) -> Picture:
    """Paste some objects of `other` at a random place over `onto`, hiding what lies below.

    Ghiasi et al. 2021, "Simple copy-paste is a strong data augmentation method".
    """
    chosen = np.flatnonzero(random.random(len(other.labels)) < 0.5)
    moved = _moved(Picture(other.image, other.masks[chosen], other.labels[chosen]), onto, random)
    if not moved.masks.size:
        return onto
    cover: NDArray[np.bool_] = moved.masks.max(axis=0) > 0
    # Blur the edge by a pixel: from a hard edge the network would learn what is pasted.
    alpha: NDArray[Any] = cv2.GaussianBlur(cover.astype(np.float32), (3, 3), 0.8)[..., None]
    image = onto.image * (1 - alpha) + moved.image * alpha
    below = onto.masks * ~cover
    kept = _in_sight(onto.masks, below)
    return Picture(
        image.round().astype(np.uint8),
        np.concatenate((below[kept], moved.masks)),
        np.concatenate((onto.labels[kept], moved.labels)),
    )


def _moved(picture: Picture, onto: Picture, random: Random) -> Picture:
    """At a random place on a canvas of the size of `onto`; objects mostly outside are dropped."""
    spans: list[tuple[slice, slice]] = []
    for here, there in zip(picture.size, onto.size, strict=True):
        offset = int(random.integers(min(0, there - here), max(0, there - here) + 1))
        length = min(here, there)
        spans.append((slice(max(-offset, 0), max(-offset, 0) + length),
                      slice(max(offset, 0), max(offset, 0) + length)))  # fmt: skip
    (from_rows, to_rows), (from_columns, to_columns) = spans
    image = np.full((*onto.size, 3), CANVAS_GREY, np.uint8)
    image[to_rows, to_columns] = picture.image[from_rows, from_columns]
    masks = np.zeros((len(picture.masks), *onto.size), np.uint8)
    masks[:, to_rows, to_columns] = picture.masks[:, from_rows, from_columns]
    kept = _in_sight(picture.masks, masks)
    return Picture(image, masks[kept], picture.labels[kept])


def _in_sight(before: NDArray[Any], after: NDArray[Any]) -> NDArray[np.bool_]:
    """(N,) bool: which objects keep enough of their pixels."""
    left = after.sum(axis=(1, 2), dtype=np.int64)
    return left > MIN_VISIBLE_SHARE * before.sum(axis=(1, 2), dtype=np.int64)


def _fitting(size: tuple[int, int], limits: tuple[int, int]) -> float:
    """As torchvision's `GeneralizedRCNNTransform`."""
    return min(limits[0] / min(size), limits[1] / max(size))


def _times(size: tuple[int, int], factor: float) -> tuple[int, int]:
    return max(1, int(size[0] * factor)), max(1, int(size[1] * factor))


def _mode(factor: float) -> int:
    return cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR


def _stack(masks: list[NDArray[Any]], size: tuple[int, int]) -> NDArray[Any]:
    return np.stack(masks) if masks else np.zeros((0, *size), np.uint8)
