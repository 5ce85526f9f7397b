"""Appearance of objects: a coarse colour histogram of the pixels under each mask."""

import numpy as np
from numpy.typing import NDArray

from vidseg.structures.frame import Image
from vidseg.structures.instances import Instances
from vidseg.structures.masks import MASK_THRESHOLD

POINTS_PER_SIDE = 12
"""Sample points along each side of a box."""
COLOR_LEVELS = 5
"""Levels of each of red, green and blue; a histogram has COLOR_LEVELS ** 3 bins."""

BIN_OFFSETS = np.array([COLOR_LEVELS**2, COLOR_LEVELS, 1])[:, None] * (
    np.arange(256) * COLOR_LEVELS // 256
)
"""(3, 256) what each value of red, green and blue adds to the index of a colour's bin."""

COLOR_BINS = COLOR_LEVELS**3

Counts = NDArray[np.uint8]
"""(N, COLOR_BINS) points of each object in each bin; at most POINTS_PER_SIDE ** 2 = 144 in all."""
Histograms = NDArray[np.float64]
"""(N, COLOR_LEVELS ** 3) square roots of colour shares, so that each row has length 1."""


def color_counts(image: Image, instances: Instances) -> Counts:
    """The colours of each object under its mask; all 0 for an empty mask."""
    pixels, covered = _sample_points(image, instances)
    red, green, blue = (table[pixels[..., i]] for i, table in enumerate(BIN_OFFSETS))
    bins = red + green + blue
    rows = np.nonzero(covered)[0]
    counts = np.bincount(rows * COLOR_BINS + bins[covered], minlength=len(instances) * COLOR_BINS)
    return counts.reshape(len(instances), COLOR_BINS).astype(np.uint8)


def histograms(counts: Counts) -> Histograms:
    """The shares of the colours; all 0 for an empty mask."""
    return np.sqrt(counts / counts.sum(axis=1, keepdims=True).clip(min=1))


def similarity(a: Histograms, b: Histograms) -> NDArray[np.float64]:
    """(N, M) Bhattacharyya coefficients of the histograms, 0..1."""
    return a @ b.T


def blended(old: Histograms, new: Histograms, new_weight: float) -> Histograms:
    """The weighted mean of two histograms of the same objects."""
    return np.sqrt((1 - new_weight) * old**2 + new_weight * new**2)


def _sample_points(image: Image, instances: Instances) -> tuple[Image, NDArray[np.bool_]]:
    """(N, G, G, 3) colours on a grid over each box, and (N, G, G) whether the mask covers them."""
    steps = (np.arange(POINTS_PER_SIDE) + 0.5) / POINTS_PER_SIDE
    low, high = instances.boxes[:, None, :2], instances.boxes[:, None, 2:]
    places = (low + (high - low) * steps[None, :, None]).astype(np.intp)
    x = places[:, :, 0].clip(0, image.shape[1] - 1)
    y = places[:, :, 1].clip(0, image.shape[0] - 1)
    cells = (steps * instances.masks.shape[-1]).astype(np.intp)
    covered = instances.masks[:, cells[:, None], cells[None, :]] >= MASK_THRESHOLD
    points = y[:, :, None] * image.shape[1] + x[:, None, :]
    return image.reshape(-1, 3).take(points, axis=0), covered
