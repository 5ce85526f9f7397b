"""A run: training steps, with regular checkpoints and measurements of AP."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vidseg.detection.predictor import Predictor
from vidseg.errors import DivergedError, VidsegError
from vidseg.evaluation.coco_ap import MIN_SCORE, evaluate
from vidseg.models.download import OnDownload
from vidseg.models.predictor import BatchedPredictor, PredictorOptions, make_predictor
from vidseg.training._learner import Learner
from vidseg.training._sampler import Batch
from vidseg.training.run_folder import MetricsRow, RunFolder

OnStep = Callable[[int, int, MetricsRow], None]
"""Called after every step with its number, the number of steps, and the losses."""
OnResult = Callable[[int, MetricsRow], None]
"""Called after every measurement with the step and the figures."""
Measure = Callable[[Predictor], MetricsRow]
"""Measures a predictor; the best model has the highest `mask_AP`."""


@dataclass(frozen=True, slots=True)
class TrainCallbacks:
    """Functions that are called during a run."""

    on_step: OnStep | None = None
    on_result: OnResult | None = None
    on_download: OnDownload | None = None
    """Called with the bytes of the weights received and their total."""
    stop: Callable[[], bool] | None = None
    """Asked after every step and every measured photo; once True, the run is saved and ends."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended."""

    folder: Path
    step: int
    steps: int
    best: float | None
    """The highest mask AP; None if none was measured."""

    @property
    def finished(self) -> bool:
        return self.step == self.steps


@dataclass(eq=False)
class TrainingRun:
    """A run, with its callbacks."""

    learner: Learner
    folder: RunFolder
    header: Mapping[str, Any]
    """Of its checkpoints, without the provenance that changes."""
    state: Mapping[str, Any]
    """What its checkpoints hold besides the learner's state."""
    measure: Measure | None = None
    calls: TrainCallbacks = field(default_factory=TrainCallbacks)
    _rows: list[MetricsRow] = field(default_factory=list)
    _best: float | None = None
    _measured: int = -1
    _saved: int = -1

    def train(self, batches: Iterator[Batch]) -> Outcome:
        """Train on these batches up to the last step, or until `stop` returns True.

        If it ends early or fails, the run can be resumed from `last.pt`.

        Raises:
            DivergedError: a loss was not finite.
            OutputError: a file could not be written.
        """
        self._look_back()
        settings = self.learner.settings
        ranks = self.learner.ranks
        with closing(batches):  # type: ignore[arg-type]
            while not ranks.any(self._stopped()) and self.learner.step < settings.steps:
                self._step(self._next(batches))
                if self._due():
                    self._check()
        if self._saved < self.learner.step:
            self._save()
        return Outcome(self.folder.path, self.learner.step, settings.steps, self._best)

    def _look_back(self) -> None:
        """Read the results of the run so far; measure its last checkpoint if that is missing."""
        if not self.learner.ranks.leads:
            return
        for row in self.folder.rows():
            if "mask_AP" in row:
                self._measured = row["step"]
                self._best = _better(row["mask_AP"], self._best)
        if self.folder.last.exists():
            self._saved = self.learner.step
        if self._due() and self._measured < self.learner.step:
            self._check()

    def _due(self) -> bool:
        """Whether this step is one to measure; step 0 is, if the weights are a whole model."""
        step, settings = self.learner.step, self.learner.settings
        if step == 0:
            return self.measure is not None and bool(self.state["pretrained"])
        return step % settings.every == 0 or step == settings.steps

    def _stopped(self) -> bool:
        return self.calls.stop is not None and self.calls.stop()

    def _next(self, batches: Iterator[Batch]) -> Batch:
        """The next batch; saves the run if there is none, as if a photo cannot be read."""
        batch, problem = ([], []), None
        try:
            batch = next(batches)
        except VidsegError as error:
            problem = error
        problem = self.learner.ranks.first_error(problem)
        if problem is None:
            return batch
        if self._saved < self.learner.step:
            self._save()
        raise problem

    def _step(self, batch: Batch) -> None:
        try:
            losses = self.learner.learn(*batch)
        except DivergedError as error:
            self._write()
            kept = (
                f"{self.folder.last} keeps step {self._saved}"
                if self._saved >= 0
                else "nothing is kept"
            )
            raise DivergedError(f"{error} ({kept}.)") from error
        self._rows.append(
            {
                "step": self.learner.step,
                **{name: round(value, 6) for name, value in losses.items()},
                "lr": self.learner.optimizer.param_groups[-1]["lr"],
            }
        )
        if self.calls.on_step is not None:
            self.calls.on_step(self.learner.step, self.learner.settings.steps, losses)

    def _check(self) -> None:
        """Save a checkpoint, then measure it, then save it as the best model if it is."""
        if not self.learner.ranks.leads:
            return
        if self._saved < self.learner.step:
            self._save()
        if self.measure is None:
            self._save_best({})
            return
        figures = self._figures()
        if figures is None:
            return
        ap = figures.get("mask_AP")
        if self._best is None or (ap is not None and ap > self._best):
            self._save_best(figures)
        self._best = _better(ap, self._best)
        self._rows.append({"step": self.learner.step, **figures})
        self._write()
        if self.calls.on_result is not None:
            self.calls.on_result(self.learner.step, figures)

    def _figures(self) -> MetricsRow | None:
        """None if the run was stopped meanwhile."""
        assert self.measure is not None
        learner, classes = self.learner, self.header["classes"]
        options = PredictorOptions(
            classes, learner.device, learner.settings.precision, keep_score=MIN_SCORE
        )
        predictor = make_predictor(copy.deepcopy(learner.average), options)
        try:
            return self.measure(_Stoppable(predictor, self._stopped))
        except _StoppedError:
            return None

    def _save(self) -> None:
        if not self.learner.ranks.leads:
            return
        self._write()
        state = {**self.learner.state(), **self.state}
        self.folder.save(self.folder.last, state, self._header({}))
        self._saved = self.learner.step

    def _save_best(self, figures: MetricsRow) -> None:
        state = {"model": self.learner.average.state_dict()}
        self.folder.save(self.folder.best, state, self._header(figures))

    def _header(self, figures: MetricsRow) -> dict[str, Any]:
        settings = self.learner.settings
        course = {"step": self.learner.step, "steps": settings.steps, **figures}
        provenance = {**self.header["provenance"], **course, "settings": settings.state()}
        return {**self.header, "provenance": provenance}

    def _write(self) -> None:
        if not self.learner.ranks.leads:
            return
        self.folder.append(self._rows)
        self._rows.clear()
        self.folder.draw()


class _StoppedError(Exception):
    """The run was stopped during a measurement."""


class _Stoppable:
    """A predictor that checks before each photo whether to stop."""

    def __init__(self, predictor: BatchedPredictor, stopped: Callable[[], bool]) -> None:
        self._predictor, self._stopped = predictor, stopped
        self.classes, self.keep_score = predictor.classes, predictor.keep_score

    def predict(self, images: Any) -> Any:
        if self._stopped():
            raise _StoppedError
        return self._predictor.predict(images)


def average_precision(val: Any) -> Measure:
    """A measure: AP of masks and boxes on the photos of `val`, as in `vidseg.evaluation`."""

    def measure(predictor: Predictor) -> MetricsRow:
        result = evaluate(val, predictor)
        return {
            "mask_AP": result.masks.ap,
            "mask_AP50": result.masks.ap50,
            "box_AP": result.boxes.ap,
            "box_AP50": result.boxes.ap50,
        }

    return measure


def _better(ap: float | None, best: float | None) -> float | None:
    return max((each for each in (ap, best) if each is not None), default=None)
