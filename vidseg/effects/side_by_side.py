"""Several pictures beside each other, each under its title."""

from collections.abc import Sequence

import cv2
import numpy as np

from vidseg.effects.text_labels import tag
from vidseg.structures.colors import WHITE
from vidseg.structures.frame import Image

MAX_SIDE_PIXELS = 3840
"""Longest side of the joined picture; larger ones are scaled down."""


def side_by_side(images: Sequence[Image], titles: Sequence[str]) -> Image:
    """(H, W, 3) of `size_beside`: pictures of one size in a row, wide ones above each other."""
    height, width = images[0].shape[:2]
    across, size = _places((height, width), len(images))
    parts = [_titled(image, title, size) for image, title in zip(images, titles, strict=True)]
    return np.concatenate(parts, axis=1 if across else 0)


def size_beside(size: tuple[int, int], count: int) -> tuple[int, int]:
    """(height, width) of `count` pictures of `size` (height, width) beside each other."""
    across, (width, height) = _places(size, count)
    return (height, width * count) if across else (height * count, width)


def _places(size: tuple[int, int], count: int) -> tuple[bool, tuple[int, int]]:
    """Whether the pictures form a row; (width, height) of each, even for video encoders."""
    height, width = size
    across = width <= 1.5 * height
    longest = max(width * count, height) if across else max(width, height * count)
    scale = min(1.0, MAX_SIDE_PIXELS / longest)
    return across, (_even(width * scale), _even(height * scale))


def _titled(image: Image, title: str, size: tuple[int, int]) -> Image:
    """The picture scaled to `size` (width, height), with its title in the corner."""
    part = image.copy()
    if size != (image.shape[1], image.shape[0]):
        part = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    label = tag(title, max(12, size[1] // 30), WHITE)
    height, width = min(label.shape[0], part.shape[0]), min(label.shape[1], part.shape[1])
    part[:height, :width] = label[:height, :width]
    return part


def _even(length: float) -> int:
    return max(2, round(length / 2) * 2)
