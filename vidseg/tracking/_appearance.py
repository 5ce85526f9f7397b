"""What objects look like: a coarse histogram of the colours under their masks."""

import numpy as np
from numpy.typing import NDArray

from vidseg.structures.frame import Image
from vidseg.structures.instances import Instances
from vidseg.structures.masks import THRESHOLD

GRID = 12
"""Points along each side of a box where its colours are read."""
LEVELS = 5
"""Levels of each of red, green and blue; LEVELS ** 3 bins."""

SHARES = np.array([LEVELS**2, LEVELS, 1])[:, None] * (np.arange(256) * LEVELS // 256)
"""(3, 256) what each brightness of red, green and blue adds to the number of a colour's bin."""

Looks = NDArray[np.float64]
"""(N, LEVELS ** 3) square roots of shares of the object's colours: rows of length 1."""


def looks_of(image: Image, instances: Instances) -> Looks:
    """The colours of each object where its mask covers it; all 0 for an empty mask."""
    pixels, covered = _points(image, instances)
    red, green, blue = (share[pixels[..., channel]] for channel, share in enumerate(SHARES))
    bins = red + green + blue
    rows = np.nonzero(covered)[0]
    counts = np.bincount(rows * LEVELS**3 + bins[covered], minlength=len(instances) * LEVELS**3)
    counts = counts.reshape(len(instances), LEVELS**3)
    return np.sqrt(counts / counts.sum(axis=1, keepdims=True).clip(min=1))


def likeness(a: Looks, b: Looks) -> NDArray[np.float64]:
    """(N, M) 0..1: Bhattacharyya coefficients of the histograms."""
    return a @ b.T


def blended(old: Looks, new: Looks, share: float) -> Looks:
    """Mostly the old looks, with a `share` of the new ones."""
    return np.sqrt((1 - share) * old**2 + share * new**2)


def _points(image: Image, instances: Instances) -> tuple[Image, NDArray[np.bool_]]:
    """(N, GRID, GRID, 3) colours and (N, GRID, GRID) whether the object covers them."""
    steps = (np.arange(GRID) + 0.5) / GRID
    low, high = instances.boxes[:, None, :2], instances.boxes[:, None, 2:]
    places = (low + (high - low) * steps[None, :, None]).astype(np.intp)
    x = places[:, :, 0].clip(0, image.shape[1] - 1)
    y = places[:, :, 1].clip(0, image.shape[0] - 1)
    cells = (steps * instances.masks.shape[-1]).astype(np.intp)
    covered = instances.masks[:, cells[:, None], cells[None, :]] >= THRESHOLD
    points = y[:, :, None] * image.shape[1] + x[:, None, :]
    return image.reshape(-1, 3).take(points, axis=0), covered
