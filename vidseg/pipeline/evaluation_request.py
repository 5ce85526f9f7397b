"""What to evaluate, and the evaluation that comes of it."""

from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from vidseg.datasets.records import NO_CLASS
from vidseg.detection.predictor import Predictor
from vidseg.errors import OptionError
from vidseg.evaluation.coco_ap import MAX_OBJECTS
from vidseg.evaluation.temporal_stability import MAX_GAP_FRAMES
from vidseg.models.options import ModelOptions
from vidseg.pipeline.finder import Finder
from vidseg.pipeline.run_options import RunOptions
from vidseg.pipeline.search import Search, check_fraction, check_positive
from vidseg.structures.span import Span

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class EvaluationOptions:
    """How to read the data, and what counts."""

    score: float = 0.5
    """Objects of clips and videos count from this score on, and false positives of photos."""
    track: bool = True
    """Track the objects of clips and videos."""
    max_gap: int = MAX_GAP_FRAMES
    """An object of a video that is away for at most this many frames has flickered."""
    max_objects: int = MAX_OBJECTS
    """Detections per photo that count for AP."""
    format: str | None = None
    """Format of the annotations; None detects it."""
    split: str | None = None
    """Only the photos of `train`, `val` or `test`."""
    class_attribute: str | None = None
    class_name: str = NO_CLASS
    crowds_as_objects: bool = False
    """These three as in `vidseg.datasets.read_dataset`."""

    def __post_init__(self) -> None:
        """Raises OptionError: a number is out of range."""
        check_fraction("score", self.score)
        check_positive("max_gap", self.max_gap)
        check_positive("max_objects", self.max_objects)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The result of an evaluation."""

    report: dict[str, Any]
    """JSON values."""
    table: list[str]
    """The report as lines for people."""
    notes: list[str]
    """What was left out, and what to be careful about, in sentences."""


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """The arguments of `vidseg.evaluate`."""

    data: Path
    model: str | Path | Predictor | None
    classes: tuple[str, ...]
    detections: Path | None
    out: Path | None
    options: EvaluationOptions
    model_options: ModelOptions
    span: Span
    run: RunOptions
    workers: Finder | None = None

    def check_fits(self, kind: Literal["photos", "clips", "videos"]) -> None:
        """Raises OptionError: an option that has no meaning for such data."""
        if self.options.split is not None and kind != "photos":
            raise OptionError("`split` is for photos; clips and videos have none.")
        if kind != "videos" and not self.span.is_whole:
            raise OptionError("`start` and `end` are for videos without annotations.")

    def search(
        self, *, detections: Path | None = None, score: float | None = None
    ) -> tuple[Search, list[str]]:
        """A search by the model, or in saved detections, from `score` on, and what it says.

        Raises OptionError: there is neither a model, nor a class, nor results.
        """
        if self.model is None and not self.classes and detections is None:
            raise OptionError(
                "Say what to evaluate: `model`, `classes`, or results with `detections`."
            )
        search = Search(
            self.classes,
            model=self.model,
            model_options=self.model_options,
            detections=detections,
            score=self.options.score if score is None else score,
            keep_score=score,
            track=self.options.track,
        )
        return search, [search.choice.message] if search.choice.message else []

    def counting(self, total: int) -> RunOptions:
        """The options of the run, told of `total` photos or frames where a worker does not know."""
        tell = self.run.on_frame
        if tell is None:
            return self.run
        return replace(self.run, on_frame=lambda done, _: tell(done, total))

    @property
    def subject(self) -> dict[str, str]:
        """The model or the results, for the report."""
        facts: dict[str, str] = {}
        if self.model is not None:
            named = isinstance(self.model, str | Path)
            facts["model"] = str(self.model) if named else type(self.model).__name__
        if self.detections is not None:
            facts["results"] = str(self.detections)
        return facts


class FrameCounter:
    """Reports progress over several streams of frames."""

    def __init__(self, run: RunOptions, total: int | None) -> None:
        self._on_frame, self._total, self._done = run.on_frame, total, 0

    def counted(self, found: Iterable[T]) -> Generator[T, None, None]:
        """Passes items on; closes `found`."""
        with closing(found):  # type: ignore[type-var]
            for item in found:
                yield item
                self._done += 1
                if self._on_frame is not None:
                    self._on_frame(self._done, self._total)
