"""Progress of a run, on stderr."""

import sys
import time
from collections.abc import Callable
from types import TracebackType

from vidseg.cli.console import Bar, say
from vidseg.cli.exit_codes import check_stopped

LONG_RUN_SECONDS = 600
"""A run with more than this left is announced as long."""
ESTIMATE_AFTER_SECONDS = 5
"""Measured work that an estimate needs."""


LOADING_TEXT = "loading..."


class Progress:
    """A context manager: shows a bar that `on_frame` moves, and announces a long run once.

    The bar appears at once and says that the model loads; the speed counts from the first frame.
    """

    def __init__(
        self, *, bar: bool, quiet: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._wants_bar, self._quiet, self._clock = bar, quiet, clock
        self._bar: Bar | None = None
        self._first: float | None = None
        self._estimated = False
        self._skipped = 0
        self.done = 0

    def __enter__(self) -> "Progress":
        if self._wants_bar:
            self._bar = Bar(desc=LOADING_TEXT, bar_format="{desc}", file=sys.stderr, leave=False)
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
        """`done` of `total` frames are written; raises Stopped if a signal went unnoticed."""
        check_stopped()
        self.done, now = done, self._clock()
        if self._first is None:
            self._first, self._skipped = now, done - 1
            self._show_frames(total)
        if self._bar is not None:
            self._bar.update(done - self._bar.n)
        if not self._estimated and now - self._first >= ESTIMATE_AFTER_SECONDS:
            self._estimated = True
            self._announce(done, total, now - self._first)

    def _show_frames(self, total: int | None) -> None:
        """Replace the bar that says that the model loads; a resumed run begins where it stands."""
        if self._bar is not None:
            self._bar.close()
            self._bar = Bar(
                total=total,
                initial=self._skipped,
                unit=" frames",
                file=sys.stderr,
                dynamic_ncols=True,
            )

    def _announce(self, done: int, total: int | None, seconds: float) -> None:
        measured = done - self._skipped - 1
        left = (total - done) * seconds / measured if total and measured > 0 else 0
        if left > LONG_RUN_SECONDS and not self._quiet:
            say(
                f"This will take about {duration(left)} more. The output appears at the end: if "
                "the run is interrupted before, all of it is lost."
            )


class Download:
    """A bar for the download of a model's weights, or of an input."""

    def __init__(self, what: str = "weights") -> None:
        self._bar: Bar | None = None
        self._what = what

    def on_bytes(self, done: int, total: int | None) -> None:
        """`done` of `total` bytes have arrived."""
        if self._bar is None:
            self._bar = Bar(
                total=total, unit="B", unit_scale=True, desc=self._what, file=sys.stderr
            )
        self._bar.update(done - self._bar.n)
        if done == total:
            self._bar.close()


def bytes_text(count: float) -> str:
    """`1234567` is 1.2 MB."""
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1e3:.1f} kB"


def duration(seconds: float) -> str:
    """`95` is 1 min 35 s."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"
