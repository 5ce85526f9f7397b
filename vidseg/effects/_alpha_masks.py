"""How much of each pixel the objects cover, 0..255, and pictures put together by it."""

from collections.abc import Iterator
from functools import lru_cache
from math import ceil

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.effects._blending import enlarged, mix, shrunk
from vidseg.structures.frame import Image
from vidseg.structures.instances import Instances
from vidseg.structures.masks import Crop, crop, soft_crop

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
    """One object and all within `radius` pixels of it, fading out over `fade` pixels more.

    A large radius is measured on a smaller picture of the mask, in which each cell that the object
    touches is the object's; so it may come out wider by a quarter, never narrower.
    """
    part = crop(instances, row)
    if not part.mask.any():
        return Crop(part.rows, part.cols, np.zeros(part.mask.shape, np.uint8))
    factor = max(radius // 6, 1)
    reach = _opaque(radius, factor) + fade + 1
    rows, cols, mask = widened(part, reach + factor, instances.size)
    outside = (shrunk(mask, factor) == 0).view(np.uint8)
    distance = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_5)
    steps = cv2.convertScaleAbs(distance, alpha=255 * factor / reach)
    opacity = cv2.LUT(steps, _fading(reach, fade))
    size = mask.shape[0], mask.shape[1]
    return Crop(rows, cols, enlarged(opacity, factor, size, method=cv2.INTER_LINEAR))


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


def _opaque(radius: int, factor: int) -> int:
    """Pixels from an object's cells of `factor` pixels, within which all of the radius lies.

    OpenCV's distances are up to 2 % too long, and are rounded later; a pixel lies up to a cell and
    a half from the middle of a cell that it is taken from.
    """
    return ceil(1.03 * radius + (2 * factor if factor > 1 else 0.5))


@lru_cache(maxsize=256)
def _fading(reach: int, fade: int) -> NDArray[np.uint8]:
    """(256,) opacity by distance in 255ths of the reach, where it ends."""
    left = reach * (1 - np.arange(256) / 255)
    return np.round((left / (fade + 1)).clip(0, 1) * 255).astype(np.uint8)


def _tiles(shape: tuple[int, ...]) -> Iterator[Region]:
    for top in range(0, shape[0], TILE):
        for left in range(0, shape[1], TILE):
            yield slice(top, top + TILE), slice(left, left + TILE)
