"""What a live output is."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import Event
from typing import Protocol

from vidseg.structures.frame import Frame

Show = Callable[[Frame], None]
"""Shows the next frame, with what was drawn on it. Its image must not change afterwards."""


class LiveOutput(Protocol):
    """Takes the frames of a live run as they come."""

    def check(self) -> None:
        """Raises VidsegError: this output cannot be made on this machine, or under its name."""
        ...

    def open(self, stop: Event) -> AbstractContextManager[Show]:
        """Shows frames within the block; what it wrote is complete when the block ends well.

        An output may set `stop` to end the run.
        """
        ...
