"""Motion of boxes: one constant-velocity Kalman filter per box edge.

All four edges of a box are measured equally well, so they share one 2 x 2 covariance of position
and speed. Noise scales with the size of the box, as in SORT (Bewley et al. 2016) and DeepSORT
(Wojke et al. 2017, https://github.com/nwojke/deep_sort). Those filter centre and size; filtering
edges is equivalent, but keeps the edge that touches the frame at rest while the box is cut off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

MEASUREMENT_STD = 0.05
"""Standard deviation of a detected edge, in box sizes."""
ACCELERATION_STD = 0.05
"""Standard deviation of the change of speed from one frame to the next, in box sizes."""
INITIAL_SPEED_STD = 0.3
"""Standard deviation of the speed of an object seen once, in box sizes per frame."""
MIN_VISIBLE_AREA = 0.85
"""A box below this share of its usual area is partly hidden, or cut off by the frame."""
SIZE_WEIGHT_VISIBLE, SIZE_WEIGHT_HIDDEN = 0.3, 0.02
"""Weight of a new box in the moving average of the size: fully visible, partly hidden."""
DRIFT_WEIGHT = 0.3
"""Weight of the newest speed in the moving average of the drift."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """The boxes of N moving objects."""

    boxes: Array
    """(N, 4) xyxy in pixels; may leave the frame."""
    speeds: Array
    """(N, 4) pixels per frame."""
    covariance: Array
    """(N, 3) in pixels: position variance, position-speed covariance, speed variance."""
    usual_size: Array
    """(N, 2) moving average of width and height, mostly of fully visible boxes."""
    drift: Array
    """(N, 2) moving average of the centre's speed while fully visible, used while out of sight."""

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Motion:
        return Motion(*(getattr(self, f.name)[rows] for f in fields(self)))


def initial_motion(boxes: NDArray[np.floating]) -> Motion:
    """Objects seen for the first time, assumed to be at rest."""
    boxes = boxes.astype(np.float64)
    variances = np.array([MEASUREMENT_STD**2, 0.0, INITIAL_SPEED_STD**2])
    covariance = box_sizes(boxes)[:, None] ** 2 * variances
    speeds = np.zeros_like(boxes)
    return Motion(boxes, speeds, covariance, boxes[:, 2:] - boxes[:, :2], speeds[:, :2])


def predicted(motion: Motion, frames: int, lost: NDArray[np.bool_]) -> Motion:
    """The motion `frames` later. Objects in `lost` (N,) follow their drift and keep their size."""
    speeds = np.where(lost[:, None], np.tile(motion.drift, 2), motion.speeds)
    position, both, speed = motion.covariance.T
    noise = (ACCELERATION_STD * box_sizes(motion.boxes)) ** 2 * frames
    grown = position + 2 * frames * both + frames**2 * speed + noise * frames**2 / 3
    covariance = np.stack([grown, both + frames * speed + noise * frames / 2, speed + noise], 1)
    boxes = _at_least_a_pixel(motion.boxes + frames * speeds)
    return replace(motion, boxes=boxes, speeds=speeds, covariance=covariance)


def corrected(motion: Motion, boxes: NDArray[np.floating]) -> Motion:
    """The motion after each object was detected at `boxes` (N, 4)."""
    position, both, speed = motion.covariance.T
    noise = (MEASUREMENT_STD * box_sizes(boxes)) ** 2
    gain = position / (position + noise)
    speed_gain = both / (position + noise)
    error = boxes - motion.boxes
    covariance = np.stack([position * (1 - gain), both * (1 - gain), speed - speed_gain * both], 1)
    updated = replace(
        motion,
        boxes=motion.boxes + gain[:, None] * error,
        speeds=motion.speeds + speed_gain[:, None] * error,
        covariance=covariance,
    )
    return _averaged(updated, boxes[:, 2:] - boxes[:, :2])


def _averaged(motion: Motion, sides: NDArray[np.floating]) -> Motion:
    """Update the moving averages with detected `sides` (N, 2), width and height."""
    visible = sides.prod(axis=1) >= MIN_VISIBLE_AREA * motion.usual_size.prod(axis=1)
    size_weight = np.where(visible, SIZE_WEIGHT_VISIBLE, SIZE_WEIGHT_HIDDEN)[:, None]
    drift_weight = np.where(visible, DRIFT_WEIGHT, 0)[:, None]
    speed = (motion.speeds[:, :2] + motion.speeds[:, 2:]) / 2
    return replace(
        motion,
        usual_size=(1 - size_weight) * motion.usual_size + size_weight * sides,
        drift=(1 - drift_weight) * motion.drift + drift_weight * speed,
    )


def concatenated(parts: Sequence[Motion]) -> Motion:
    """The objects of all parts, one after the other; at least one part."""
    columns = ([getattr(part, f.name) for part in parts] for f in fields(Motion))
    return Motion(*(np.concatenate(column) for column in columns))


def box_sizes(boxes: NDArray[np.floating]) -> Array:
    """(N,) square root of the area, at least one pixel."""
    sides = (boxes[:, 2:] - boxes[:, :2]).clip(min=1).astype(np.float64)
    return np.sqrt(sides.prod(axis=1))


def _at_least_a_pixel(boxes: Array) -> Array:
    """The boxes, each side widened to one pixel where it shrank below that."""
    short = (1 - (boxes[:, 2:] - boxes[:, :2])).clip(min=0) / 2
    return boxes + np.concatenate([-short, short], axis=1)
