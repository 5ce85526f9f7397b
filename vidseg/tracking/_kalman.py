"""Where moving boxes will be: a Kalman filter of constant velocity for each of their edges.

All four edges of a box are known equally well, so one 2 x 2 covariance of place and speed serves
them all. Its noise is given as a share of the box's size, as in SORT (Bewley et al. 2016) and
DeepSORT (Wojke et al. 2017, https://github.com/nwojke/deep_sort). Edges rather than centre and size
(for which the filter is the same) so that a box cut by the frame keeps its one edge at rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

SEEN = 0.05
"""Standard deviation of a found edge, in box sizes."""
ROUGH = 0.05
"""Standard deviation of the change of speed from one frame to the next, in box sizes."""
FIRST = 0.3
"""Standard deviation of the unknown speed of an object seen once, in box sizes a frame."""
WHOLE = 0.85
"""A box of less than this share of its usual area is partly hidden, or cut by the frame."""
GROWS, SHRINKS, STEERS = 0.3, 0.02, 0.3
"""Shares of each new box in the usual size, where it is whole and where not, and in the drift."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """The boxes of N objects in motion."""

    boxes: Array
    """(N, 4) xyxy in pixels; may leave the frame."""
    speeds: Array
    """(N, 4) pixels a frame."""
    covariance: Array
    """(N, 3) variance of place, covariance of place and speed, variance of speed; in pixels."""
    usual: Array
    """(N, 2) width and height while nothing hid the object."""
    drift: Array
    """(N, 2) speed of the centre while nothing hid the object: where it goes when out of sight."""

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Motion:
        return Motion(*(getattr(self, f.name)[rows] for f in fields(self)))


def start(boxes: NDArray[np.floating]) -> Motion:
    """Objects seen for the first time, at rest as far as one can tell."""
    boxes = boxes.astype(np.float64)
    variances = np.array([SEEN**2, 0.0, FIRST**2])
    covariance = box_sizes(boxes)[:, None] ** 2 * variances
    speeds = np.zeros_like(boxes)
    return Motion(boxes, speeds, covariance, boxes[:, 2:] - boxes[:, :2], speeds[:, :2])


def moved(motion: Motion, frames: int, lost: NDArray[np.bool_]) -> Motion:
    """The boxes `frames` later; those `lost` (N,) drift on and keep their size."""
    speeds = np.where(lost[:, None], np.tile(motion.drift, 2), motion.speeds)
    place, both, speed = motion.covariance.T
    rough = (ROUGH * box_sizes(motion.boxes)) ** 2 * frames
    grown = place + 2 * frames * both + frames**2 * speed + rough * frames**2 / 3
    covariance = np.stack([grown, both + frames * speed + rough * frames / 2, speed + rough], 1)
    boxes = _kept_open(motion.boxes + frames * speeds)
    return replace(motion, boxes=boxes, speeds=speeds, covariance=covariance)


def corrected(motion: Motion, boxes: NDArray[np.floating]) -> Motion:
    """The motion after each object was found at `boxes` (N, 4)."""
    place, both, speed = motion.covariance.T
    noise = (SEEN * box_sizes(boxes)) ** 2
    gain = place / (place + noise)
    push = both / (place + noise)
    error = boxes - motion.boxes
    covariance = np.stack([place * (1 - gain), both * (1 - gain), speed - push * both], 1)
    found = replace(
        motion,
        boxes=motion.boxes + gain[:, None] * error,
        speeds=motion.speeds + push[:, None] * error,
        covariance=covariance,
    )
    return _remembered(found, boxes[:, 2:] - boxes[:, :2])


def _remembered(motion: Motion, sides: NDArray[np.floating]) -> Motion:
    """The usual size and drift after the objects were found with `sides` (N, 2)."""
    whole = sides.prod(axis=1) >= WHOLE * motion.usual.prod(axis=1)
    share = np.where(whole, GROWS, SHRINKS)[:, None]
    steer = np.where(whole, STEERS, 0)[:, None]
    speed = (motion.speeds[:, :2] + motion.speeds[:, 2:]) / 2
    return replace(
        motion,
        usual=(1 - share) * motion.usual + share * sides,
        drift=(1 - steer) * motion.drift + steer * speed,
    )


def joined(parts: Sequence[Motion]) -> Motion:
    """The objects of all parts, one after the other; at least one part."""
    columns = ([getattr(part, f.name) for part in parts] for f in fields(Motion))
    return Motion(*(np.concatenate(column) for column in columns))


def box_sizes(boxes: NDArray[np.floating]) -> Array:
    """(N,) square root of the area, at least one pixel."""
    sides = (boxes[:, 2:] - boxes[:, :2]).clip(min=1).astype(np.float64)
    return np.sqrt(sides.prod(axis=1))


def _kept_open(boxes: Array) -> Array:
    """The boxes, those that shrank below a pixel opened to one."""
    short = (1 - (boxes[:, 2:] - boxes[:, :2])).clip(min=0) / 2
    return boxes + np.concatenate([-short, short], axis=1)
