"""How far a run has come, on stderr."""

import sys
import time
from collections.abc import Callable
from types import TracebackType

from vidseg.cli.console import Bar, say
from vidseg.cli.exit_codes import check_stopped

LONG_RUN = 600
"""Seconds from which on a run is announced as long."""
ENOUGH = 5
"""Seconds of measured work that an estimate needs."""


class Progress:
    """A context manager whose `on_frame` moves a bar, and which announces a long run once.

    The clock starts at the first frame: loading a model, which comes before, is no part of the
    speed.
    """

    def __init__(
        self, *, bar: bool, quiet: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._wants_bar, self._quiet, self._clock = bar, quiet, clock
        self._bar: Bar | None = None
        self._first: float | None = None
        self._estimated = False
        self.done = 0

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def on_frame(self, done: int, total: int | None) -> None:
        """`done` of `total` frames are written; raises Stopped where a signal came unheard."""
        check_stopped()
        self.done, now = done, self._clock()
        if self._first is None:
            self._first = now
            if self._wants_bar:
                self._bar = Bar(total=total, unit=" frames", file=sys.stderr, dynamic_ncols=True)
        if self._bar is not None:
            self._bar.update(done - self._bar.n)
        if not self._estimated and now - self._first >= ENOUGH:
            self._estimated = True
            self._announce(done, total, now - self._first)

    def _announce(self, done: int, total: int | None, seconds: float) -> None:
        left = (total - done) * seconds / (done - 1) if total and done > 1 else 0
        if left > LONG_RUN and not self._quiet:
            say(
                f"This will take about {duration(left)} more. The output is put in place "
                "at the end: a run that is broken off before loses all of it."
            )


class Download:
    """A bar for the weights of a model, which come before the first frame is done."""

    def __init__(self) -> None:
        self._bar: Bar | None = None

    def on_bytes(self, done: int, total: int | None) -> None:
        """`done` of `total` bytes are there."""
        if self._bar is None:
            self._bar = Bar(total=total, unit="B", unit_scale=True, desc="weights", file=sys.stderr)
        self._bar.update(done - self._bar.n)
        if done == total:
            self._bar.close()


def duration(seconds: float) -> str:
    """`95` is 1 min 35 s."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"
