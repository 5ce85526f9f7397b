"""Blending and scaling of pictures in integer arithmetic."""

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from vidseg.structures.colors import Color
from vidseg.structures.frame import Image


def mix(under: MatLike, over: MatLike, opacity: MatLike) -> Image:
    """(H, W, 3) uint8: the mean of `under` and `over`, weighted by `opacity` (H, W) / 255.

    Exact where the opacity is 0 or 255, within one level elsewhere.
    """
    share = cv2.cvtColor(opacity, cv2.COLOR_GRAY2RGB)
    shown = cv2.multiply(over, share, scale=1 / 255)
    covered = cv2.multiply(under, cv2.bitwise_not(share), scale=1 / 255)
    return np.asarray(cv2.add(shown, covered), np.uint8)


def downscaled(picture: MatLike, factor: int) -> MatLike:
    """The means of cells of `factor` x `factor` pixels; the last cells repeat the border pixels.

    An integer factor takes a third of the time of a fractional one.
    """
    height, width = picture.shape[:2]
    below, right = -height % factor, -width % factor
    if below or right:
        picture = cv2.copyMakeBorder(picture, 0, below, 0, right, cv2.BORDER_REPLICATE)
    cells = picture.shape[1] // factor, picture.shape[0] // factor
    return cv2.resize(picture, cells, interpolation=cv2.INTER_AREA)


def upscaled(
    cells: MatLike, factor: int, size: tuple[int, int], *, method: int = cv2.INTER_CUBIC
) -> NDArray[np.uint8]:
    """`cells` scaled up by `factor`, and cut to `size` (height, width)."""
    full = cells.shape[1] * factor, cells.shape[0] * factor
    picture = cv2.resize(cells, full, interpolation=method)
    return np.asarray(picture[: size[0], : size[1]], np.uint8)


def solid(shape: tuple[int, ...], color: Color) -> Image:
    """A picture of one colour; broadcasting in NumPy takes 50 times as long."""
    picture = np.empty(shape, np.uint8)
    cv2.rectangle(picture, (0, 0), (shape[1], shape[0]), color, cv2.FILLED)
    return picture
