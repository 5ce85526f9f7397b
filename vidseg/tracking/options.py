"""How the objects of a video are tracked."""

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral

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
        """Raises OptionError: `fill` or `smooth` is out of range, or `tracker` makes no tracker."""
        if self.fill is not None:
            check_buffered("fill", self.fill)
        check_buffered("smooth", self.smooth)
        if self.tracker is not None and not callable(self.tracker):
            raise OptionError(
                "tracker makes a tracker for each run: pass a class or a function, not the "
                f"{type(self.tracker).__name__} itself."
            )


def check_buffered(name: str, frames: int, *, least: int = 0) -> None:
    """Raises OptionError: `frames` is no whole number of `least`..`MAX_BUFFERED_FRAMES`."""
    if not isinstance(frames, Integral) or not least <= frames <= MAX_BUFFERED_FRAMES:
        raise OptionError(
            f"{name} must be between {least} and {MAX_BUFFERED_FRAMES}, got {frames}."
        )
