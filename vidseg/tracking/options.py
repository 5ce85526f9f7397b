"""How the objects of a video are tracked."""

from collections.abc import Callable
from dataclasses import dataclass

from vidseg.errors import OptionError
from vidseg.tracking.stages import DEFAULT_SMOOTHING_RADIUS
from vidseg.tracking.tracker import Tracker

MAX_BUFFERED_FRAMES = 100
"""Upper limit of `every`, `fill` and `smooth`: that many frames wait in memory, five times as many
for `every`."""


@dataclass(frozen=True, slots=True)
class TrackingOptions:
    """Whether objects are tracked, by what, and how gaps and edges are treated."""

    enabled: bool = True
    fill: int | None = None
    """Longest gap, in frames, that is filled. None: 5, or the step between keyframes."""
    smooth: int = DEFAULT_SMOOTHING_RADIUS
    """Frames before and after that smooth a frame; 0 is off."""
    tracker: Callable[[], Tracker] | None = None
    """Makes a tracker for each run. None: `vidseg.tracking.mask_tracker.MaskTracker`."""

    def __post_init__(self) -> None:
        """Raises OptionError: `fill` or `smooth` is out of range."""
        if self.fill is not None:
            check_buffered("fill", self.fill)
        check_buffered("smooth", self.smooth)


def check_buffered(name: str, frames: int, *, least: int = 0) -> None:
    """Raises OptionError: `frames` is not within `least`..`MAX_BUFFERED_FRAMES`."""
    if not least <= frames <= MAX_BUFFERED_FRAMES:
        raise OptionError(
            f"{name} must be between {least} and {MAX_BUFFERED_FRAMES}, got {frames}."
        )
