"""Every frame of a stream, as an index of the container lists them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ticks = NDArray[np.int64]


class FrameIndex(NamedTuple):
    """Every frame of a stream, in decoding order; times in ticks."""

    pts: Ticks
    durations: Ticks
    keys: NDArray[np.bool_]
    """Whether decoding can start at the frame."""
    shown: NDArray[np.bool_]
    """Whether the frame lies inside the edit list."""
