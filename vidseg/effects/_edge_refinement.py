"""Edge refinement: moves the edges of masks onto the edges of the picture, without a network.

A mask of 28 x 28 cells locates an edge to a cell or two, and at 4K a cell is about 60 pixels wide.
The picture is more precise where object and background differ in colour. Bayes' rule joins both:
the mask's log-odds, plus the log-likelihood ratio of each pixel's colour inside and outside the
object. Both colour models are Gaussians fitted in a window of a few cells around each pixel, with
the current probabilities as weights (the local colour models of Video SnapCut, Bai et al. 2009,
computed with box filters). A guided filter (He et al. 2013) brings this evidence to full size along
the picture's edges; a second one makes the opacity, which falls as fast as the colours change.

Where the colours do not differ, the mask's own edge stays. All steps work on a window around the
object. The constants were tuned on half of the photos of `tests/benchmarks/edges.py`, which
measures on the other half.
"""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from vidseg.structures.frame import Image
from vidseg.structures.instances import Instances, check_fits
from vidseg.structures.masks import Crop, sample_soft, soft_crop, window

Floats = NDArray[Any]
"""float32 (h, w) or (channels, h, w): separate planes are several times faster."""
CHANNEL_PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))

MARGIN_CELLS = 2.5
"""Mask cells beyond the box in which an edge is searched."""
WORKING_CELL_PIXELS = 5
"""Pixels per mask cell at the scale where colours are compared; more gains nothing."""
MIN_CELL_PIXELS = 1
"""Masks with smaller cells, in pixels, are finer than the picture and stay as they are."""

COLOR_RADIUS_CELLS = 2.5
"""Radius of the window in which the colour models are fitted, in mask cells."""
COLOR_VARIANCE = 5e-4
"""Variance added to that of the colours, which range from 0 to 1."""
COLOR_FIT_ROUNDS = 2
"""How many times the colour models are fitted."""
EVIDENCE_WEIGHT = 0.3
"""Weight of a pixel's log-likelihood ratio, since neighbouring pixels are not independent."""
MAX_LOG_RATIO = 4.0
"""Largest log-likelihood ratio of a colour, before the weight."""
EVIDENCE_RADIUS_CELLS = 0.5
"""Radius of the guided filter over the evidence, in mask cells."""
EVIDENCE_EPSILON = 1e-3
"""Regularisation of that filter."""

EDGE_RADIUS_DIAGONALS = 1 / 700
"""Radius of the guided filter that makes the opacity, in frame diagonals: 3 pixels at 1080p."""
EDGE_RADIUS_PIXELS = 2
"""Largest radius of that filter in pixels; larger frames are downscaled for it."""
EDGE_EPSILON = 1e-4
"""Regularisation of that filter."""
MIN_PROBABILITY = 0.002
"""Probabilities are clipped to this and its complement before taking log-odds."""


def refined(image: Image, instances: Instances, row: int) -> Crop:
    """The object's opacity x 255 as uint8, refined by the frame's (H, W, 3) uint8 RGB `image`.

    A value of at least 128 means object, as in its mask; edges are as soft as in the picture.
    """
    check_fits(instances, image)
    rows, cols = window(instances, row, MARGIN_CELLS)
    cell = _cell(instances, row)
    if cell[0] * cell[1] < MIN_CELL_PIXELS**2 or rows.start == rows.stop or cols.start == cols.stop:
        return soft_crop(instances, row)
    picture = _planes(image[rows, cols])
    soft = sample_soft(instances, row, rows, cols) * np.float32(1 / 255)
    odds = _log_odds(soft) + _evidence(picture, soft, cell)
    opacity = _matte(picture, odds, EDGE_RADIUS_DIAGONALS * float(np.hypot(*instances.size)))
    return Crop(rows, cols, opacity)


def _cell(instances: Instances, row: int) -> tuple[float, float]:
    """(height, width) of a mask cell, in pixels."""
    x0, y0, x1, y1 = (float(value) for value in instances.boxes[row])
    side = instances.masks.shape[-1]
    return (y1 - y0) / side, (x1 - x0) / side


def _planes(image: Image) -> Floats:
    """(3, h, w) colours, 0..1."""
    return np.stack(cv2.split(image)) * np.float32(1 / 255)


def _evidence(picture: Floats, soft: Floats, cell: tuple[float, float]) -> Floats:
    """(h, w) log-odds that the colours add to those of the mask."""
    shrink = min(1.0, WORKING_CELL_PIXELS / float(np.sqrt(cell[0] * cell[1])))
    small, probability = _downscaled(picture, shrink), _downscaled(soft, shrink)
    prior = _log_odds(probability)
    uncertain = 1 - (2 * probability - 1) ** 2  # 0 where the mask is certain
    reach = (cell[0] * shrink, cell[1] * shrink)
    around = _radius(reach, COLOR_RADIUS_CELLS)
    guide = _Guide(small, _radius(reach, EVIDENCE_RADIUS_CELLS), EVIDENCE_EPSILON)
    models = np.zeros((4, *small.shape[1:]), np.float32)
    for _ in range(COLOR_FIT_ROUNDS):
        ratio = _ratio(small, probability, around).clip(-MAX_LOG_RATIO, MAX_LOG_RATIO)
        models = guide.fit(EVIDENCE_WEIGHT * uncertain * ratio)
        probability = _probability(prior + _along(models, small))
    return _along(_resized(models, soft), picture)


def _ratio(picture: Floats, probability: Floats, radius: tuple[int, int]) -> Floats:
    """(h, w) log-likelihood ratio of each pixel's colour, inside over outside the object.

    Weights are squared so that uncertain pixels count little. The ratio fades to 0 where the window
    holds almost nothing of one side.
    """
    inside, inside_weight = _likelihood(picture, probability**2, radius)
    outside, outside_weight = _likelihood(picture, (1 - probability) ** 2, radius)
    return (inside - outside) * (20 * np.minimum(inside_weight, outside_weight)).clip(max=1)


def _likelihood(picture: Floats, weight: Floats, radius: tuple[int, int]) -> tuple[Floats, Floats]:
    """Gaussian log-density of each pixel's colour among its weighted neighbours; mean weight."""
    share = _mean(weight, radius) + np.float32(1e-4)
    mean, covariance = _moments(picture * weight, picture, radius, COLOR_VARIANCE, share)
    away = picture - mean
    turned, determinant = _solve(covariance, away)
    return -0.5 * (_dot(away, turned) + np.log(determinant)), share


class _Guide:
    """He's guided filter with a colour guide: a linear model of the colours in every window."""

    def __init__(self, picture: Floats, radius: tuple[int, int], noise: float) -> None:
        self._picture, self._radius = picture, radius
        self._average, self._covariance = _moments(picture, picture, radius, noise)

    def fit(self, values: Floats) -> Floats:
        """(4, h, w) slopes and offset of the mean model at each pixel, for `_along`."""
        mean = _mean(values, self._radius)
        together = _mean(self._picture * values, self._radius)
        slope, _ = _solve(self._covariance, together - self._average * mean)
        offset = mean - _dot(slope, self._average)
        return _mean(np.concatenate([slope, offset[None]]), self._radius)


def _along(models: Floats, picture: Floats) -> Floats:
    """(h, w) value of each pixel's linear model at its colour."""
    return _dot(models[:3], picture) + models[3]


def _matte(picture: Floats, odds: Floats, radius: float) -> NDArray[np.uint8]:
    """(h, w) opacity x 255 around the edge where `odds` change sign."""
    shrink = min(1.0, EDGE_RADIUS_PIXELS / radius)
    inside = (odds >= 0).astype(np.float32)
    reach = max(1, round(radius * shrink))
    guide = _Guide(_downscaled(picture, shrink), (reach, reach), EDGE_EPSILON)
    models = _resized(guide.fit(_downscaled(inside, shrink)), inside)
    return (_along(models, picture).clip(0, 1) * 255 + 0.5).astype(np.uint8)


def _moments(
    weighted: Floats,
    picture: Floats,
    radius: tuple[int, int],
    noise: float,
    share: Floats | float = 1.0,
) -> tuple[Floats, Floats]:
    """(3, h, w) mean and (6, h, w) covariance rr rg rb gg gb bb of the neighbours' colours."""
    mean = _mean(weighted, radius) / share
    covariance: Floats = np.empty((6, *picture.shape[1:]), np.float32)
    for plane, (a, b) in enumerate(CHANNEL_PAIRS):
        covariance[plane] = _mean(weighted[a] * picture[b], radius) / share - mean[a] * mean[b]
        if a == b:
            covariance[plane] = covariance[plane].clip(min=0) + np.float32(noise)
    return mean, covariance


def _solve(covariance: Floats, values: Floats) -> tuple[Floats, Floats]:
    """(3, h, w) inverse covariance times `values`, by cofactors; (h, w) determinant."""
    rr, rg, rb, gg, gb, bb = covariance
    r, g, b = values
    c_rr, c_rg, c_rb = gg * bb - gb * gb, rb * gb - rg * bb, rg * gb - rb * gg
    c_gg, c_gb, c_bb = rr * bb - rb * rb, rg * rb - rr * gb, rr * gg - rg * rg
    determinant = np.maximum(rr * c_rr + rg * c_rg + rb * c_rb, np.float32(1e-14))
    turned = (
        c_rr * r + c_rg * g + c_rb * b,
        c_rg * r + c_gg * g + c_gb * b,
        c_rb * r + c_gb * g + c_bb * b,
    )
    return np.stack(turned) / determinant, determinant


def _dot(a: Floats, b: Floats) -> Floats:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _mean(values: Floats, radius: tuple[int, int]) -> Floats:
    """Mean over a window of `radius` (vertical, horizontal) pixels to each side."""
    size = 2 * radius[1] + 1, 2 * radius[0] + 1
    return _each(values, lambda plane: cv2.blur(plane, size, borderType=cv2.BORDER_REFLECT))


def _radius(cell: tuple[float, float], cells: float) -> tuple[int, int]:
    return max(1, round(cells * cell[0])), max(1, round(cells * cell[1]))


def _downscaled(values: Floats, shrink: float) -> Floats:
    height, width = (max(2, round(side * shrink)) for side in values.shape[-2:])
    if shrink == 1:
        return values
    return _each(
        values, lambda plane: cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA)
    )


def _resized(values: Floats, like: Floats) -> Floats:
    """`values` at the size of `like`, bilinear."""
    size = like.shape[::-1]
    if values.shape[-2:] == like.shape:
        return values
    return _each(values, lambda plane: cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR))


def _each(values: Floats, do: Callable[[Floats], MatLike]) -> Floats:
    """`do` applied to every plane."""
    if values.ndim == 2:
        return np.asarray(do(values))
    return np.stack([do(plane) for plane in values])


def _log_odds(probability: Floats) -> Floats:
    clipped = probability.clip(MIN_PROBABILITY, 1 - MIN_PROBABILITY)
    return np.log(clipped / (1 - clipped))


def _probability(odds: Floats) -> Floats:
    return 1 / (1 + np.exp(-odds))
