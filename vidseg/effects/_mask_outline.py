"""Smooth outlines of masks."""

from functools import lru_cache
from statistics import NormalDist

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.effects._alpha_masks import padded
from vidseg.effects._blending import mix, solid
from vidseg.structures.colors import Color
from vidseg.structures.frame import Image
from vidseg.structures.masks import Crop


def draw_outline(picture: Image, part: Crop, color: Color, width: int) -> None:
    """Draw a line `width` pixels wide along the edge of a mask, into `picture`.

    The value of the blurred mask gives the distance to the edge. So the line is smooth, where
    traced pixels would form stairs, and there is none along the frame's border.
    """
    sigma = _sigma(width)
    rows, cols, mask = padded(part, int(3 * sigma) + 1, (picture.shape[0], picture.shape[1]))
    blurred = cv2.GaussianBlur(mask, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    opacity = cv2.LUT(blurred, _line_table(width))
    target = picture[rows, cols]
    target[...] = mix(target, solid(target.shape, color), opacity)


def _sigma(width: int) -> float:
    """Standard deviation of the blur: enough to measure distances across the whole line."""
    return max(1.0, (width / 2 + 0.5) / 1.5)


@lru_cache(maxsize=32)
def _line_table(width: int) -> NDArray[np.uint8]:
    """(256,) opacity of the line for each value of the blurred mask.

    Across a straight edge, a Gaussian blur has the values of the normal distribution function.
    """
    levels = (np.arange(256) + 0.5) / 256
    distance = np.array([NormalDist(sigma=_sigma(width)).inv_cdf(level) for level in levels])
    covered = np.clip(width / 2 + 0.5 - np.abs(distance), 0, 1)
    return np.round(covered * 255).astype(np.uint8)
