"""Alpha masks: the opacity of the objects at each pixel, 0..255, and blending by it."""

from collections.abc import Iterator
from functools import lru_cache
from math import ceil

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.effects._blending import downscaled, mix, upscaled
from vidseg.structures.frame import Image
from vidseg.structures.instances import Instances
from vidseg.structures.masks import Crop, crop, soft_crop

TILE_PIXELS = 128
"""Side of the tiles that are blended one by one, so that they stay in the processor's cache."""

Opacity = NDArray[np.uint8]
Region = tuple[slice, slice]


def soft_alpha(instances: Instances) -> Opacity:
    """(H, W) opacity of all objects: 0 up to probability 1/4, rising to 255 at 3/4.

    Opacities add up, so that no seam shows where two objects touch.
    """
    opacity = np.zeros(instances.size, np.uint8)
    for row in range(len(instances)):
        rows, cols, cover = soft_edged(instances, row)
        if cover.size:
            opacity[rows, cols] = cv2.add(opacity[rows, cols], cover)
    return opacity


def hard_alpha(instances: Instances) -> Opacity:
    """(H, W) 255 on every pixel of an object, else 0."""
    opacity = np.zeros(instances.size, np.uint8)
    for row in range(len(instances)):
        rows, cols, mask = crop(instances, row)
        opacity[rows, cols] |= mask.view(np.uint8) * np.uint8(255)
    return opacity


def soft_edged(instances: Instances, row: int) -> Crop:
    """The opacity of one object, as in `soft_alpha`."""
    rows, cols, soft = soft_crop(instances, row)
    steeper = cv2.addWeighted(soft, 2, soft, 0, -127.5) if soft.size else soft
    return Crop(rows, cols, np.asarray(steeper, np.uint8))


def dilated_alpha(instances: Instances, row: int, radius: int, fade: int) -> Crop:
    """One object and everything within `radius` pixels, fading out over `fade` further pixels.

    Large radii are measured on a downscaled mask, in which every cell that the object touches
    counts as the object. So the result may be wider by a quarter of the radius, never narrower.
    """
    part = crop(instances, row)
    if not part.mask.any():
        return Crop(part.rows, part.cols, np.zeros(part.mask.shape, np.uint8))
    factor = max(radius // 6, 1)
    reach = _opaque(radius, factor) + fade + 1
    rows, cols, mask = padded(part, reach + factor, instances.size)
    outside = (downscaled(mask, factor) == 0).view(np.uint8)
    distance = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_5)
    steps = cv2.convertScaleAbs(distance, alpha=255 * factor / reach)
    opacity = cv2.LUT(steps, _fading(reach, fade))
    size = mask.shape[0], mask.shape[1]
    return Crop(rows, cols, upscaled(opacity, factor, size, method=cv2.INTER_LINEAR))


def padded(part: Crop, margin: int, size: tuple[int, int]) -> Crop:
    """The crop as 0..255 with a margin around it, cut off at a frame of `size` (height, width)."""
    rows, above, below = _wider(part.rows, margin, size[0])
    cols, before, after = _wider(part.cols, margin, size[1])
    mask = part.mask.view(np.uint8)
    mask = mask * np.uint8(255) if part.mask.dtype == np.bool_ else mask
    mask = cv2.copyMakeBorder(mask, above, below, before, after, cv2.BORDER_CONSTANT, value=0)
    return Crop(rows, cols, np.asarray(mask, np.uint8))


def blend_into(picture: Image, over: Image, opacity: Opacity) -> None:
    """Blend `over` into `picture`, both (H, W, 3), by `opacity` (H, W), as `mix` does."""
    for tile in _tiles(opacity.shape):
        share = opacity[tile]
        if not share.any():
            continue
        part = picture[tile]
        part[...] = over[tile] if share.min() == 255 else mix(part, over[tile], share)


def _wider(pixels: slice, margin: int, length: int) -> tuple[slice, int, int]:
    """The slice with a margin at both ends, cut off at the frame, and the pixels added at each."""
    wide = slice(max(pixels.start - margin, 0), min(pixels.stop + margin, length))
    return wide, pixels.start - wide.start, wide.stop - pixels.stop


def _opaque(radius: int, factor: int) -> int:
    """Distance in pixels, measured on cells of `factor` pixels, that surely contains the radius.

    OpenCV's distances are up to 2 % too long, and are rounded later. A pixel lies up to one and a
    half cells from the centre of the cell whose distance it gets.
    """
    return ceil(1.03 * radius + (2 * factor if factor > 1 else 0.5))


@lru_cache(maxsize=256)
def _fading(reach: int, fade: int) -> NDArray[np.uint8]:
    """(256,) opacity by distance, in 255ths of the reach, at which it is 0."""
    left = reach * (1 - np.arange(256) / 255)
    return np.round((left / (fade + 1)).clip(0, 1) * 255).astype(np.uint8)


def _tiles(shape: tuple[int, ...]) -> Iterator[Region]:
    for top in range(0, shape[0], TILE_PIXELS):
        for left in range(0, shape[1], TILE_PIXELS):
            yield slice(top, top + TILE_PIXELS), slice(left, left + TILE_PIXELS)
