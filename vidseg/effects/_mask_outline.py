"""Smooth outlines of masks."""

from functools import lru_cache
from statistics import NormalDist

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.effects._alpha_masks import widened
from vidseg.effects._blending import mix, plain
from vidseg.structures.colors import Color
from vidseg.structures.frame import Image
from vidseg.structures.masks import Crop


def draw_outline(picture: Image, part: Crop, color: Color, width: int) -> None:
    """Draw a line `width` pixels wide along the edge of a mask, into `picture`.

    The blurred mask tells how far the edge is, which makes the line smooth where tracing pixels
    would climb stairs, and draws none along the frame's border.
    """
    sigma = _sigma(width)
    rows, cols, mask = widened(part, int(3 * sigma) + 1, (picture.shape[0], picture.shape[1]))
    blurred = cv2.GaussianBlur(mask, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    opacity = cv2.LUT(blurred, _line_table(width))
    target = picture[rows, cols]
    target[...] = mix(target, plain(target.shape, color), opacity)


def _sigma(width: int) -> float:
    """Wide enough for the edge's distance to be told all through the line."""
    return max(1.0, (width / 2 + 0.5) / 1.5)


@lru_cache(maxsize=32)
def _line_table(width: int) -> NDArray[np.uint8]:
    """(256,) opacity of the line for each value of the blurred mask.

    A straight edge blurred by a Gaussian has the normal distribution's value at each distance.
    """
    levels = (np.arange(256) + 0.5) / 256
    distance = np.array([NormalDist(sigma=_sigma(width)).inv_cdf(level) for level in levels])
    covered = np.clip(width / 2 + 0.5 - np.abs(distance), 0, 1)
    return np.round(covered * 255).astype(np.uint8)
