"""Draw masks, boxes and heat maps on photos, for reports."""

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.structures.colors import Color, color_of
from vidseg.structures.frame import Image

MAX_SIDE_PIXELS = 720
"""Longest side of an image on a page."""

LINE_WIDTH_PIXELS = 2


def scaled(image: Image, longest: int = MAX_SIDE_PIXELS) -> tuple[Image, float]:
    """The image with no side above `longest` pixels, and its scale."""
    scale = min(1.0, longest / max(image.shape[:2]))
    if scale == 1.0:
        return image.copy(), scale
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8), scale


def with_masks(image: Image, masks: Iterable[NDArray[np.uint8]], colors: Iterable[Color]) -> Image:
    """(H, W, 3): each mask (H, W), 0 or 1, tinted and outlined."""
    picture = image.copy()
    for mask, color in zip(masks, colors, strict=True):
        inside = mask > 0
        picture[inside] = (picture[inside] * 0.5 + np.array(color) * 0.5).astype(np.uint8)
        outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, outlines, -1, color, 1, cv2.LINE_AA)
    return picture


def shrunk(mask: NDArray[np.uint8], size: tuple[int, ...]) -> NDArray[np.uint8]:
    """The mask (H, W), 0 or 1, resized to `size` (height, width)."""
    small = cv2.resize(mask, (size[1], size[0]), interpolation=cv2.INTER_NEAREST)
    return np.asarray(small, np.uint8)


def with_boxes(
    image: Image,
    boxes: NDArray[np.float32],
    colors: Sequence[Color],
    *,
    dotted: bool = False,
) -> Image:
    """(H, W, 3): each box of (N, 4) xyxy drawn in its colour."""
    picture = image.copy()
    for box, color in zip(boxes.round().astype(int).tolist(), colors, strict=True):
        if dotted:
            _dotted(picture, box, color)
        else:
            cv2.rectangle(picture, box[:2], box[2:], color, LINE_WIDTH_PIXELS, cv2.LINE_AA)
    return picture


def heat(values: NDArray[np.float32], size: tuple[int, int]) -> Image:
    """(H, W, 3) of `size` (height, width): low values dark, high ones bright."""
    low, high = float(values.min()), float(values.max())
    levels = ((values - low) / max(high - low, 1e-9) * 255).astype(np.uint8)
    large = cv2.resize(levels, (size[1], size[0]), interpolation=cv2.INTER_NEAREST)
    colored = cv2.cvtColor(cv2.applyColorMap(large, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB)
    return np.asarray(colored, np.uint8)


def mask_tile(mask: NDArray[np.uint8], side: int = 112) -> Image:
    """A soft mask (M, M) in grey, enlarged so that its cells can be seen."""
    large = cv2.resize(mask, (side, side), interpolation=cv2.INTER_NEAREST)
    return np.asarray(cv2.cvtColor(large, cv2.COLOR_GRAY2RGB), np.uint8)


def colors_of(labels: Iterable[int]) -> list[Color]:
    """A colour for each label; background, 0, is grey."""
    return [color_of(label) if label > 0 else (150, 150, 150) for label in labels]


def _dotted(picture: Image, box: list[int], color: Color, gap: int = 8) -> None:
    x0, y0, x1, y1 = box
    for x in range(x0, x1, gap):
        for y in (y0, y1):
            cv2.line(picture, (x, y), (min(x + gap // 2, x1), y), color, LINE_WIDTH_PIXELS)
    for y in range(y0, y1, gap):
        for x in (x0, x1):
            cv2.line(picture, (x, y), (x, min(y + gap // 2, y1)), color, LINE_WIDTH_PIXELS)
