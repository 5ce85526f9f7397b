"""Progress of a training run, on stderr."""

import sys
import time
from types import TracebackType
from typing import Any

from vidseg.cli.console import Bar, say
from vidseg.cli.progress import duration
from vidseg.cli.run_flags import RunFlags

SHOWN_LOSSES = ("loss_classifier", "loss_box_reg", "loss_mask")


class TrainingDisplay:
    """Shows the run on stderr: a bar on a terminal, and a line per measurement."""

    def __init__(self, run: RunFlags) -> None:
        self._run = run
        self._bar: Bar | None = None
        self._lines = run.telling.lines(unit="steps")
        self._first: tuple[int, float] | None = None
        self._step, self._steps, self._loss = 0, 0, 0.0

    def __enter__(self) -> "TrainingDisplay":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()
        done = error is None and self._step == self._steps
        if self._lines is not None and done:
            self._lines.end()

    def on_step(self, step: int, steps: int, losses: dict[str, float]) -> None:
        if self._first is None:
            self._first = step, time.monotonic()
            if self._run.progress:
                begun = {"total": steps, "initial": step - 1, "unit": " steps"}
                self._bar = Bar(**begun, file=sys.stderr, dynamic_ncols=True)
        if self._lines is not None:
            self._lines.on_frame(step, steps)
        # A moving mean, since losses of single batches are noisy.
        mean = losses["loss"] if self._step == 0 else 0.95 * self._loss + 0.05 * losses["loss"]
        self._step, self._steps, self._loss = step, steps, mean
        if self._bar is not None:
            parts = {name.removeprefix("loss_"): f"{losses[name]:.2f}" for name in SHOWN_LOSSES}
            self._bar.set_postfix({"loss": f"{mean:.3f}", **parts}, refresh=False)
            self._bar.update()

    def on_result(self, step: int, figures: dict[str, Any]) -> None:
        if self._run.quiet:
            return
        told = ", ".join(
            f"{name.replace('_', ' ')} {'-' if value is None else f'{value:.3f}'}"
            for name, value in figures.items()
        )
        if step == 0:
            say(f"before training: {told}")
            return
        say(f"step {step} of {self._steps}: loss {self._loss:.3f}, {told}{self._left()}")

    def _left(self) -> str:
        if self._first is None or self._step == self._first[0] or self._step == self._steps:
            return ""
        pace = (time.monotonic() - self._first[1]) / (self._step - self._first[0])
        return f"; about {duration(pace * (self._steps - self._step))} left"
