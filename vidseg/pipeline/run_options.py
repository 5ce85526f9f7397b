"""How a run behaves, and what it did: the small values that every pass over an input shares."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

OnFrame = Callable[[int, int | None], None]
"""Called after every frame with how many are done, and of how many if that is known."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What to do with outputs that exist, and whom to tell of progress."""

    force: bool = False
    """Overwrite outputs that exist."""
    on_frame: OnFrame | None = None
    on_download: Callable[[int, int | None], None] | None = None
    """Called while weights are downloaded, with the bytes so far and in all, if that is known."""
    resume: bool = False
    """Go on with the detections that an interrupted run saved."""
    on_found: OnFrame | None = None
    """Called with the frames that workers are done with, ahead of `on_frame`, from any thread."""
    watch: Path | None = None
    """A picture that shows the last drawn frame while the run goes on, overwritten each time."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """What was found in a run."""

    frames: int
    frames_with_objects: int
    objects: int
    """Tracks, where objects were tracked; else the objects of all frames together."""

    def __str__(self) -> str:
        """`8 objects, in 37 of 39 frames`."""
        where = f"in {self.frames_with_objects} of {_counted(self.frames, 'frame')}"
        return f"{_counted(self.objects, 'object')}, {where}" if self.objects else "no objects"


def _counted(number: int, thing: str) -> str:
    return f"1 {thing}" if number == 1 else f"{number} {thing}s"
