"""One picture of a video together with its place in time."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""A picture: (H, W, 3) uint8, RGB. BGR exists only inside a cv2 call."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A decoded frame, upright, in display colours."""

    index: int
    """Number of the frame in its source, from 0."""
    time: Fraction
    """Seconds after the start of the source, exact."""
    image: Image
    """(H, W, 3) uint8 RGB."""
    duration: Fraction = Fraction(0)
    """Seconds that the frame is shown; 0 where the source does not say."""


class Instant(Protocol):
    """A place in time: a `Frame`, or a `Moment` without its picture."""

    @property
    def index(self) -> int: ...
    @property
    def time(self) -> Fraction: ...
    @property
    def duration(self) -> Fraction: ...


@dataclass(frozen=True, slots=True)
class Moment:
    """A frame without its picture, as saved detections know it."""

    index: int
    """Number of the frame in its source, from 0."""
    time: Fraction
    """Seconds after the start of the source, exact."""
    duration: Fraction = Fraction(0)
    """Seconds that the frame is shown; 0 where the source does not say."""
