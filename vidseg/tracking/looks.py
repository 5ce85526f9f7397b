"""What the tracker needs of a picture, so that it can do without the picture.

Who finds the objects of a frame, on whatever machine, keeps their looks with them; whoever tracks
them need not decode the video again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from vidseg.structures.frame import Frame
from vidseg.structures.instances import Instances
from vidseg.tracking._appearance import COLOR_BINS as COLOR_BINS
from vidseg.tracking._appearance import color_counts
from vidseg.video.analysis.scene_cuts import CutFinder


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """How a frame with N objects looks."""

    cut: bool
    """Whether a new scene starts with this frame."""
    colors: NDArray[np.uint8]
    """(N, COLOR_BINS) how many points of each object have each colour; see `_appearance`."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SeenFrame(Frame):
    """A frame whose looks are known; it has a black picture, which takes no memory."""

    looks: Looks = field(kw_only=True)


class Looker:
    """Looks at the frames of one video, in order."""

    def __init__(self) -> None:
        self._cuts = CutFinder()

    def look(self, frame: Frame, instances: Instances) -> Looks:
        """The looks of the next frame: those that it brings, or those of its picture."""
        if isinstance(frame, SeenFrame):
            return frame.looks
        return Looks(self._cuts.is_cut(frame.image), color_counts(frame.image, instances))


def seen_frame(
    index: int, time: Fraction, duration: Fraction, size: tuple[int, int], looks: Looks
) -> SeenFrame:
    """A frame of `size` (height, width) without its picture."""
    black = np.broadcast_to(np.uint8(0), (*size, 3))
    return SeenFrame(index, time, black, duration, looks=looks)
