"""Objects cut out of their pictures: opacity, and colours without the background's.

Colours are straight, not premultiplied. At an edge the camera has mixed the object's colour with
the background's; over another background, that would show as a halo. So both colours are estimated
from certain pixels nearby, and the mix is undone as in Forte (2021), "Approximate Fast Foreground
Colour Estimation": F + a (I - a F - (1 - a) B). The object's colours continue for some pixels into
the transparent surroundings, so that neither scaling nor a video codec mixes in others. Beyond,
pictures are black and hold nothing of the background.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.effects._edge_refinement import refined
from vidseg.structures.frame import Image
from vidseg.structures.instances import Instances, check_fits
from vidseg.structures.masks import Crop, soft_crop

COLOR_MARGIN_PIXELS = 16
"""Pixels around an object that get its colours: one block of the video codecs."""
COLOR_WEIGHTS = ((np.arange(256) / 255) ** 4).astype(np.float32)
"""(256,) weight of a pixel's colour by its opacity: mixed colours hardly count."""


@dataclass(frozen=True, slots=True)
class Cutout:
    """All objects on transparency. Opacities add up, so that touching objects show no seam."""

    refine: bool = True
    """Whether edges follow the picture (`_edge_refinement`) or the masks alone."""

    def __call__(self, image: Image, instances: Instances) -> Image:
        """A new (H, W, 4) uint8 RGBA picture; `image` stays as it is."""
        opacity, crops = _opacity(image, instances, refine=self.refine)
        picture = np.zeros((*instances.size, 4), np.uint8)
        for crop in crops:
            rows, cols = _with_margin(crop, instances.size)
            picture[rows, cols] = cut(image[rows, cols], opacity[rows, cols])
        return picture


@dataclass(frozen=True, slots=True)
class Matte:
    """The objects white on black, with the edges of `Cutout`."""

    refine: bool = True

    def __call__(self, image: Image, instances: Instances) -> Image:
        """A new (H, W, 3) uint8 picture."""
        opacity, _ = _opacity(image, instances, refine=self.refine)
        return np.asarray(cv2.cvtColor(opacity, cv2.COLOR_GRAY2RGB), np.uint8)


def cut_objects(image: Image, instances: Instances, *, refine: bool) -> Iterator[Crop]:
    """Each object by itself, even where another hides it: crops of (rows, cols, 4) uint8 RGBA."""
    check_fits(instances, image)
    for row in range(len(instances)):
        crop = opacity_of(image, instances, row, refine=refine)
        rows, cols = _with_margin(crop, instances.size)
        opacity = np.zeros((rows.stop - rows.start, cols.stop - cols.start), np.uint8)
        inner = _within(crop.rows, rows), _within(crop.cols, cols)
        opacity[inner] = crop.mask
        yield Crop(crop.rows, crop.cols, cut(image[rows, cols], opacity)[inner])


def opacity_of(image: Image, instances: Instances, row: int, *, refine: bool) -> Crop:
    """The object's opacity x 255 as uint8, cropped to where it is not 0.

    Without `refine` it is 0 up to probability 1/4, rising to 255 at 3/4.
    """
    if refine:
        return _trimmed(refined(image, instances, row))
    rows, cols, soft = soft_crop(instances, row)
    if not soft.size:
        return Crop(rows, cols, soft)
    steeper = np.asarray(cv2.addWeighted(soft, 2, soft, 0, -127.5), np.uint8)
    return _trimmed(Crop(rows, cols, steeper))


def cut(image: Image, opacity: NDArray[np.uint8]) -> Image:
    """(h, w, 4) RGBA of an RGB picture and its (h, w) opacity, with the object's own colours."""
    if not image.size or not opacity.any():
        return np.zeros((*opacity.shape, 4), np.uint8)
    own, behind = _spread_colors(image, opacity), _spread_colors(image, cv2.bitwise_not(opacity))
    rim = (opacity > 0) & (opacity < 255)
    share = opacity[rim][:, None] * np.float32(1 / 255)
    near, far = own[rim].astype(np.float32), behind[rim].astype(np.float32)
    unmixed = near + share * (image[rim] - share * near - (1 - share) * far)
    own[rim] = (unmixed + 0.5).clip(0, 255).astype(np.uint8)
    np.copyto(own, image, where=(opacity == 255)[..., None])
    return np.dstack([own, opacity])


def _opacity(
    image: Image, instances: Instances, *, refine: bool
) -> tuple[NDArray[np.uint8], list[Crop]]:
    """(H, W) opacity of all objects together, and the opacity of each."""
    check_fits(instances, image)
    opacity = np.zeros(instances.size, np.uint8)
    crops = [opacity_of(image, instances, row, refine=refine) for row in range(len(instances))]
    for rows, cols, mask in (crop for crop in crops if crop.mask.size):
        opacity[rows, cols] = cv2.add(opacity[rows, cols], mask)
    return opacity, crops


def _spread_colors(image: Image, opacity: Any) -> Image:
    """(h, w, 3) colours of the pixels where `opacity` is near 255, spread to all others.

    A pyramid of means: each level keeps the colours with enough weight and takes the rest from the
    coarser level. The finest level is left out; its colours are the picture's own.
    """
    weight = cv2.LUT(opacity, COLOR_WEIGHTS)
    mixed = cv2.multiply(image, cv2.merge([weight] * 3), dtype=cv2.CV_32F)
    levels = []
    while not levels or min(weight.shape) > 2:
        mixed, weight = cv2.pyrDown(mixed), cv2.pyrDown(weight)
        levels.append((mixed, weight[..., None]))
    mixed, weight = levels.pop()
    spread: Any = mixed.sum((0, 1)) / max(float(weight.sum()), 1e-6) + 0 * mixed
    for mixed, weight in reversed(levels):
        spread = cv2.pyrUp(spread, dstsize=weight.shape[1::-1])
        sure = np.minimum(2 * weight, 1)
        spread += sure * (mixed / np.maximum(weight, 1e-6) - spread)
    rounded = (spread + 0.5).clip(0, 255).astype(np.uint8)
    return np.asarray(cv2.pyrUp(rounded, dstsize=opacity.shape[::-1]), np.uint8)


def _trimmed(crop: Crop) -> Crop:
    """The crop without its empty rows and columns."""
    rows, cols, mask = crop
    top, left, height, width = 0, 0, 0, 0
    if mask.size:
        left, top, width, height = cv2.boundingRect(mask)
    inner = mask[top : top + height, left : left + width]
    top, left = rows.start + top, cols.start + left
    return Crop(slice(top, top + height), slice(left, left + width), inner)


def _with_margin(crop: Crop, size: tuple[int, int]) -> tuple[slice, slice]:
    if not crop.mask.size:
        return crop.rows, crop.cols
    return _widened(crop.rows, size[0]), _widened(crop.cols, size[1])


def _widened(pixels: slice, length: int) -> slice:
    return slice(
        max(pixels.start - COLOR_MARGIN_PIXELS, 0), min(pixels.stop + COLOR_MARGIN_PIXELS, length)
    )


def _within(inner: slice, outer: slice) -> slice:
    return slice(inner.start - outer.start, inner.stop - outer.start)
