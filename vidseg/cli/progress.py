"""Progress of a run, on stderr: a bar for people, or JSON lines for programs."""

import json
import sys
import time
from collections.abc import Callable
from threading import Lock
from types import TracebackType

from vidseg.cli.console import Bar, say
from vidseg.cli.exit_codes import check_stopped

LONG_RUN_SECONDS = 600
"""A run with more than this left is announced as long."""
ESTIMATE_AFTER_SECONDS = 5
"""Measured work that an estimate needs."""


LINE_STEP_SECONDS = 0.5
"""Least time between two lines for programs."""
LOADING_TEXT = "loading..."

Clock = Callable[[], float]


class ProgressLines:
    """Progress as JSON, one object a line: at most two a second, and one where a file is done.

    {"event": "progress", "file": "street.mp4", "unit": "frames", "done": 120, "total": 900,
     "per_second": 24.8, "eta": 31.5}

    `event` of the last line of a file is "end". `total` and `eta`, the seconds that are left, are
    null where they are unknown.
    """

    def __init__(
        self, file: str | None, *, unit: str = "frames", clock: Clock = time.monotonic
    ) -> None:
        self._file, self._unit, self._clock = file, unit, clock
        self._first: tuple[int, float] | None = None
        self._told = -LINE_STEP_SECONDS
        self._last: tuple[int, int | None] | None = None

    def on_frame(self, done: int, total: int | None) -> None:
        """`done` of `total` are done."""
        now = self._clock()
        if self._first is None:
            self._first, self._told = (done, now), now - LINE_STEP_SECONDS
        self._last = done, total
        if now - self._told >= LINE_STEP_SECONDS:
            self._told = now
            self._tell("progress", done, total)

    def end(self) -> None:
        """The file is done; nothing is told if it had nothing to do."""
        if self._last is not None:
            self._tell("end", self._last[0], self._last[0])

    def _tell(self, event: str, done: int, total: int | None) -> None:
        assert self._first is not None
        seconds, since = self._clock() - self._first[1], done - self._first[0]
        rate = since / seconds if seconds > 0 and since else None
        left = None if total is None else max(total - done, 0)
        eta = 0.0 if left == 0 else left / rate if left and rate else None
        facts = {
            "event": event,
            "file": self._file,
            "unit": self._unit,
            "done": done,
            "total": total,
            "per_second": None if rate is None else round(rate, 2),
            "eta": None if eta is None else round(eta, 1),
        }
        say(json.dumps(facts))


class Progress:
    """A context manager: shows a bar that `on_frame` moves, and announces a long run once.

    The bar appears at once and says that the model loads; the speed counts from the first frame.
    Where workers find the objects, `on_found` moves it for the first half of each frame.
    """

    def __init__(
        self,
        *,
        bar: bool,
        quiet: bool = False,
        lines: ProgressLines | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self._wants_bar, self._quiet, self._clock = bar and lines is None, quiet, clock
        self._lines = lines
        self._bar: Bar | None = None
        self._first: float | None = None
        self._estimated = False
        self._skipped = 0
        self._found: int | None = None
        self._lock = Lock()
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
        if self._lines is not None and error is None:
            self._lines.end()

    def on_frame(self, done: int, total: int | None) -> None:
        """`done` of `total` frames are written; raises Stopped if a signal went unnoticed."""
        check_stopped()
        with self._lock:
            self.done = done
            self._move(total)

    def on_found(self, found: int, total: int | None) -> None:
        """Workers are done with `found` of `total` frames, from any thread."""
        with self._lock:
            self._found = found
            if found:
                self._move(total)

    def _move(self, total: int | None) -> None:
        at, now = self.done, self._clock()
        if self._found is not None:
            at = (self.done + max(self._found, self.done)) // 2
        if self._lines is not None:
            self._lines.on_frame(at, total)
        if self._first is None:
            self._first, self._skipped = now, max(at - 1, 0)
            self._show_frames(total)
        if self._bar is not None:
            self._bar.update(at - self._bar.n)
        if not self._estimated and now - self._first >= ESTIMATE_AFTER_SECONDS:
            self._estimated = True
            self._announce(at, total, now - self._first)

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
