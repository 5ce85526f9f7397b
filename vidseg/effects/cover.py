"""How much of each pixel the objects cover, 0..255, and pictures put together by it."""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.effects.blend import mix
from vidseg.frame import Image
from vidseg.instances import Instances
from vidseg.masks import Crop, crop, soft_crop

TILE = 128
"""Pixels; tiles of this side stay in the processor's cache while they are mixed."""

Opacity = NDArray[np.uint8]
Region = tuple[slice, slice]


def soft_cover(instances: Instances) -> Opacity:
    """(H, W) of all objects, opaque from probability 1/4 (not at all) to 3/4 (fully).

    Opacities add up, so that no seam shows where one object meets another.
    """
    opacity = np.zeros(instances.size, np.uint8)
    for row in range(len(instances)):
        rows, cols, cover = soft_edged(instances, row)
        if cover.size:
            opacity[rows, cols] = cv2.add(opacity[rows, cols], cover)
    return opacity


def hard_cover(instances: Instances) -> Opacity:
    """(H, W) 255 on every pixel of an object."""
    opacity = np.zeros(instances.size, np.uint8)
    for row in range(len(instances)):
        rows, cols, mask = crop(instances, row)
        opacity[rows, cols] |= mask.view(np.uint8) * np.uint8(255)
    return opacity


def soft_edged(instances: Instances, row: int) -> Crop:
    """One object as `soft_cover` has it."""
    rows, cols, soft = soft_crop(instances, row)
    steeper = cv2.addWeighted(soft, 2, soft, 0, -127.5) if soft.size else soft
    return Crop(rows, cols, np.asarray(steeper, np.uint8))


def grown_cover(instances: Instances, row: int, radius: int, fade: int) -> Crop:
    """One object and all within `radius` pixels of it, fading out over `fade` pixels more."""
    part = crop(instances, row)
    if not part.mask.any():
        return Crop(part.rows, part.cols, np.zeros(part.mask.shape, np.uint8))
    rows, cols, outside = widened(part, radius + fade + 2, instances.size)
    outside = cv2.bitwise_not(outside)
    distance = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_5)
    reach = radius + fade + 2
    steps = cv2.convertScaleAbs(distance, alpha=255 / reach)
    return Crop(rows, cols, np.asarray(cv2.LUT(steps, _fading(radius, fade, reach)), np.uint8))


def widened(part: Crop, margin: int, size: tuple[int, int]) -> Crop:
    """The crop as 0/255 with a margin around it, cut at a frame of `size` (height, width)."""
    rows, above, below = _wider(part.rows, margin, size[0])
    cols, before, after = _wider(part.cols, margin, size[1])
    mask = part.mask.view(np.uint8)
    mask = mask * np.uint8(255) if part.mask.dtype == np.bool_ else mask
    mask = cv2.copyMakeBorder(mask, above, below, before, after, cv2.BORDER_CONSTANT, value=0)
    return Crop(rows, cols, np.asarray(mask, np.uint8))


def blend_into(picture: Image, over: Image, opacity: Opacity) -> None:
    """Put `over` on `picture` (both (H, W, 3)) where `opacity` (H, W) says so, as `mix` does."""
    for tile in _tiles(opacity.shape):
        share = opacity[tile]
        if not share.any():
            continue
        part = picture[tile]
        part[...] = over[tile] if share.min() == 255 else mix(part, over[tile], share)


def _wider(pixels: slice, margin: int, length: int) -> tuple[slice, int, int]:
    """The slice with a margin at both ends, cut at the frame, and what was added at each."""
    wide = slice(max(pixels.start - margin, 0), min(pixels.stop + margin, length))
    return wide, pixels.start - wide.start, wide.stop - pixels.stop


def _fading(radius: int, fade: int, reach: int) -> NDArray[np.uint8]:
    """(256,) opacity by distance in 255ths of `reach`.

    OpenCV's distances are up to 2 % too long, and rounded here.
    """
    distance = np.arange(256) * reach / 255
    opaque = radius * 1.02 + 0.5 * reach / 255
    return np.round((1 - (distance - opaque) / (fade + 1)).clip(0, 1) * 255).astype(np.uint8)


def _tiles(shape: tuple[int, ...]) -> Iterator[Region]:
    for top in range(0, shape[0], TILE):
        for left in range(0, shape[1], TILE):
            yield slice(top, top + TILE), slice(left, left + TILE)
