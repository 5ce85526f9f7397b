"""What to look for, and the model that finds it."""

from collections.abc import Callable, Generator, Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

from vidseg.detections import read_detections
from vidseg.errors import OptionError
from vidseg.identify import Found, identified, settled, untracked
from vidseg.instances import Instances, shown
from vidseg.models.catalog import choose_model
from vidseg.models.names import check_precision, check_size
from vidseg.predictor import Predictor
from vidseg.saved import choose_saved
from vidseg.steady import FILL, RADIUS
from vidseg.stream import closing_input
from vidseg.video.info import Kind

KEPT = 0.1
"""A predictor keeps objects from this score on, or from the score asked for where that is lower."""

KEPT_WHEN_SAVING = 0.05
"""The same for detections that are saved: COCO's measures look at objects from there on."""

MOVING: tuple[Kind, ...] = ("video", "animation")
"""Kinds of input whose objects can be followed from frame to frame."""

T = TypeVar("T")
Seconds = Fraction | float
"""A time in a video; a Fraction is exact."""

Downloaded = Callable[[int, int | None], None]


class Search:
    """Which objects to find, by which model, or to take from which saved detections.

    Every option is checked at once; the weights load when `predictor` is first called.
    """

    def __init__(
        self,
        classes: str | Iterable[str] = (),
        *,
        score: float = 0.5,
        max_objects: int | None = None,
        track: bool = True,
        model: str | Path | None = None,
        device: str = "auto",
        precision: str = "auto",
        size: int | None = None,
        batch_size: int | None = None,
        detections: str | Path | None = None,
        save_detections: str | Path | None = None,
        keep_score: float | None = None,
        on_download: Downloaded | None = None,
    ) -> None:
        """Raises OptionError: an unknown class or model, a number out of range, and for saved
        `detections` also a model beside them or a score below what was kept; InputError: they
        cannot be read."""
        if keep_score is None:
            keep_score = KEPT if save_detections is None else KEPT_WHEN_SAVING
        check_range("keep_score", keep_score)
        check_range("score", score)
        check_positive("max_objects", max_objects)
        check_positive("batch_size", batch_size)
        check_precision(precision)
        check_size(size)
        self.score, self.max_objects = score, max_objects
        self.track = track
        """Whether to follow the objects of a video from frame to frame."""
        names = (classes,) if isinstance(classes, str) else tuple(classes)
        self.saved = None if detections is None else read_detections(detections)
        """Detections that take the place of the model."""
        self.save = None if save_detections is None else Path(save_detections)
        """Where to save what is found."""
        if self.saved and model is not None:
            raise OptionError("Saved detections take the place of a model; leave --model out.")
        if self.saved and self.save:
            raise OptionError("What comes from saved detections is not saved again; copy the file.")
        self.kept = self.saved.header.kept_score if self.saved else min(keep_score, score)
        """Objects are found, and saved, from this score on."""
        self.choice = choice = (
            choose_saved(self.saved, names, score) if self.saved else choose_model(names, model)
        )
        self.model = choice.model
        self.names: Mapping[int, str] = choice.classes
        """Label to name of every class that the model knows."""
        self.labels = choice.labels
        """The labels to show; None for all."""
        self.message = choice.message
        """One line for a person where the choice of the model is not what they may expect."""
        self.precision, self.size = precision, size
        self.device, self.batch_size, self.on_download = device, batch_size, on_download
        self._predictor: Predictor | None = None

    def predictor(self) -> Predictor:
        """The model with its weights, loaded once.

        Raises:
            ModelError, WeightsUnavailableError: the weights cannot be read or fetched.
            VidsegError: this machine has no such device.
        """
        if self._predictor is None:
            self._predictor = load(self)
        return self._predictor

    def watch(self, found: Iterable[Found], kind: Kind) -> Generator[Found, None, None]:
        """The frames of such an input with the objects that were asked for, those of a video
        tracked; closes `found`."""
        return self.show(self.identify(found, kind), kind)

    def tracking(self, kind: Kind) -> dict[str, float] | None:
        """How the objects of such an input are followed, None where they are not; it is kept with
        detections that are saved."""
        return {"score": self.score, "fill": FILL} if self.track and kind in MOVING else None

    def identify(self, found: Iterable[Found], kind: Kind) -> Iterable[Found]:
        """The frames of such an input with all that was found, under the ids of tracks where it is
        followed. Ids that were saved with it stay if they were made as they would be now."""
        tracking = self.tracking(kind)
        if self.saved is not None:
            if tracking and tracking == self.saved.header.options.get("tracking"):
                return found
            found = untracked(found)
        return identified(found, score=self.score, fill=FILL) if tracking else found

    def show(
        self, known: Iterable[tuple[T, Instances]], kind: Kind
    ) -> Generator[tuple[T, Instances], None, None]:
        """Of what `identify` gives, the objects that were asked for; closes `known`."""
        tracked = self.tracking(kind) is not None
        pairs = settled(known, radius=RADIUS) if tracked else known
        score = 0.0 if tracked else self.score  # a track goes on where it is weak
        labels, most = self.labels, self.max_objects
        with closing_input(pairs) as source:
            for frame, instances in source:
                yield frame, shown(instances, score=score, labels=labels, max_objects=most)


def load(search: Search) -> Predictor:
    """The predictor that a search asks for; imports torch."""
    from vidseg.predict import load_predictor

    return load_predictor(
        search.model,
        device=search.device,
        precision=search.precision,
        size=search.size,
        keep_score=search.kept,
        labels=search.labels,
        batch_size=search.batch_size,
        on_download=search.on_download,
    )


def check_span(start: Seconds | None, end: Seconds | None) -> None:
    """Raises OptionError: a time is negative, or `start` is not before `end`."""
    for name, time in (("start", start), ("end", end)):
        if time is not None and time < 0:
            raise OptionError(f"{name} must not be negative, got {float(time):g}.")
    if end is not None and (start or 0) >= end:
        raise OptionError(
            f"The start, {float(start or 0):g} s, must be before the end, {float(end):g} s."
        )


def check_range(name: str, value: float) -> None:
    """Raises OptionError: `value` is not within 0..1."""
    if not 0 <= value <= 1:
        raise OptionError(f"{name} must be between 0 and 1, got {value:g}.")


def check_positive(name: str, value: int | None) -> None:
    """Raises OptionError: `value` is below 1."""
    if value is not None and value < 1:
        raise OptionError(f"{name} must be at least 1, got {value}.")
