"""Edges of objects moved onto the edges of the picture, without a network.

A mask of 28 x 28 cells says within a cell or two where an edge is; at 4K a cell is some 60 pixels.
The picture knows better, where object and surroundings differ in colour. Bayes joins the two: the
mask's log-odds, plus how much likelier each pixel's colour is in the object than beside it. Both
colours are Gaussians fitted in a window of some cells around each pixel, weighted by what is
believed so far (SnapCut's local colour models, Bai et al. 2009, in the form of box filters). A
guided filter (He et al. 2013) carries the evidence to full size along the picture's edges, and a
second one makes the opacity: it falls as fast as the picture's colours do.

Where colours say nothing, the mask's own edge stays. All steps look at a window around the object.
The numbers were found on half of the photos of `tests/benchmarks/edges.py`, which measures the
other half.
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
"""float32, (h, w), or (channels, h, w): planes apart are several times as fast."""
PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))

MARGIN = 2.5
"""Cells beyond the box in which an edge is looked for."""
WORK_CELL = 5
"""Pixels a cell while colours are compared; more gains nothing."""
LEAST_CELL = 1
"""Pixels; below it masks are finer than the picture, and stay as they are."""

COLOR_REACH = 2.5
"""Cells to each side in which the two colours are fitted."""
COLOR_NOISE = 5e-4
"""Variance added to that of the colours, which go from 0 to 1."""
ROUNDS = 2
"""How often the colours are fitted."""
EVIDENCE = 0.3
"""Weight of a pixel's colour: neighbouring pixels tell nearly the same."""
MOST_EVIDENCE = 4.0
"""Largest log-likelihood ratio that a colour counts for, before its weight."""
EVIDENCE_REACH = 0.5
"""Cells; radius of the guided filter over the evidence."""
EVIDENCE_NOISE = 1e-3

RIM = 1 / 700
"""Radius of the guided filter that makes the opacity, in diagonals of the frame: 3 at 1080p."""
RIM_WORK = 2
"""Pixels of that radius that are worked with: larger frames are made smaller for it."""
RIM_NOISE = 1e-4
LEAST_ODDS = 0.002
"""A mask's probabilities are taken to be no surer than this."""


def refined(image: Image, instances: Instances, row: int) -> Crop:
    """The object's opacity x 255 as uint8, from the frame's (H, W, 3) uint8 RGB `image`.

    From 128 on a pixel is the object's, as in its mask; edges are as soft as in the picture.
    """
    check_fits(instances, image)
    rows, cols = window(instances, row, MARGIN)
    cell = _cell(instances, row)
    if cell[0] * cell[1] < LEAST_CELL**2 or rows.start == rows.stop or cols.start == cols.stop:
        return soft_crop(instances, row)
    picture = _planes(image[rows, cols])
    soft = sample_soft(instances, row, rows, cols) * np.float32(1 / 255)
    odds = _log_odds(soft) + _evidence(picture, soft, cell)
    opacity = _matte(picture, odds, RIM * float(np.hypot(*instances.size)))
    return Crop(rows, cols, opacity)


def _cell(instances: Instances, row: int) -> tuple[float, float]:
    """(height, width) of a cell of the object's mask, in pixels."""
    x0, y0, x1, y1 = (float(value) for value in instances.boxes[row])
    side = instances.masks.shape[-1]
    return (y1 - y0) / side, (x1 - x0) / side


def _planes(image: Image) -> Floats:
    """(3, h, w) colours from 0 to 1."""
    return np.stack(cv2.split(image)) * np.float32(1 / 255)


def _evidence(picture: Floats, soft: Floats, cell: tuple[float, float]) -> Floats:
    """(h, w) log-odds that the colours add to those of the mask."""
    shrink = min(1.0, WORK_CELL / float(np.sqrt(cell[0] * cell[1])))
    small, believed = _shrunk(picture, shrink), _shrunk(soft, shrink)
    prior = _log_odds(believed)
    near = 1 - (2 * believed - 1) ** 2  # 0 where the mask is sure, and colours only mislead
    reach = (cell[0] * shrink, cell[1] * shrink)
    around = _radius(reach, COLOR_REACH)
    guide = _Guide(small, _radius(reach, EVIDENCE_REACH), EVIDENCE_NOISE)
    line = np.zeros((4, *small.shape[1:]), np.float32)
    for _ in range(ROUNDS):
        ratio = _ratio(small, believed, around).clip(-MOST_EVIDENCE, MOST_EVIDENCE)
        line = guide.fit(EVIDENCE * near * ratio)
        believed = _probability(prior + _along(line, small))
    return _along(_grown(line, soft), picture)


def _ratio(picture: Floats, believed: Floats, radius: tuple[int, int]) -> Floats:
    """(h, w) log-likelihood of each pixel's colour in the object over that beside it.

    Squared weights let pixels that may be either say little. It fades to 0 where one side is out
    of reach.
    """
    inside, share = _likelihood(picture, believed**2, radius)
    beside, other = _likelihood(picture, (1 - believed) ** 2, radius)
    return (inside - beside) * (20 * np.minimum(share, other)).clip(max=1)


def _likelihood(picture: Floats, weight: Floats, radius: tuple[int, int]) -> tuple[Floats, Floats]:
    """Gaussian log-density of each pixel's colour among its weighted neighbours; their weight."""
    share = _mean(weight, radius) + np.float32(1e-4)
    mean, covariance = _moments(picture * weight, picture, radius, COLOR_NOISE, share)
    away = picture - mean
    turned, determinant = _solve(covariance, away)
    return -0.5 * (_dot(away, turned) + np.log(determinant)), share


class _Guide:
    """He's guided filter with a guide of three colours: every window's best line of the colours."""

    def __init__(self, picture: Floats, radius: tuple[int, int], noise: float) -> None:
        self._picture, self._radius = picture, radius
        self._average, self._covariance = _moments(picture, picture, radius, noise)

    def fit(self, values: Floats) -> Floats:
        """(4, h, w) slope and offset of the line at each pixel, for `_along`."""
        mean = _mean(values, self._radius)
        together = _mean(self._picture * values, self._radius)
        slope, _ = _solve(self._covariance, together - self._average * mean)
        offset = mean - _dot(slope, self._average)
        return _mean(np.concatenate([slope, offset[None]]), self._radius)


def _along(line: Floats, picture: Floats) -> Floats:
    """(h, w) value of the line at each pixel's colour."""
    return _dot(line[:3], picture) + line[3]


def _matte(picture: Floats, odds: Floats, radius: float) -> NDArray[np.uint8]:
    """(h, w) opacity x 255 around the edge where `odds` change sign."""
    shrink = min(1.0, RIM_WORK / radius)
    inside = (odds >= 0).astype(np.float32)
    reach = max(1, round(radius * shrink))
    guide = _Guide(_shrunk(picture, shrink), (reach, reach), RIM_NOISE)
    line = _grown(guide.fit(_shrunk(inside, shrink)), inside)
    return (_along(line, picture).clip(0, 1) * 255 + 0.5).astype(np.uint8)


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
    for plane, (a, b) in enumerate(PAIRS):
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


def _shrunk(values: Floats, shrink: float) -> Floats:
    height, width = (max(2, round(side * shrink)) for side in values.shape[-2:])
    if shrink == 1:
        return values
    return _each(
        values, lambda plane: cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA)
    )


def _grown(values: Floats, like: Floats) -> Floats:
    """`values` at the size of `like`, bilinear."""
    size = like.shape[::-1]
    if values.shape[-2:] == like.shape:
        return values
    return _each(values, lambda plane: cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR))


def _each(values: Floats, do: Callable[[Floats], MatLike]) -> Floats:
    """`do` on every plane."""
    if values.ndim == 2:
        return np.asarray(do(values))
    return np.stack([do(plane) for plane in values])


def _log_odds(probability: Floats) -> Floats:
    sure = probability.clip(LEAST_ODDS, 1 - LEAST_ODDS)
    return np.log(sure / (1 - sure))


def _probability(odds: Floats) -> Floats:
    return 1 / (1 + np.exp(-odds))
