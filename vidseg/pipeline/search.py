"""What to look for, and the model that finds it."""

from collections.abc import Callable, Collection, Generator, Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

from vidseg.concurrency import closing_input
from vidseg.detection import Every, max_keyframe_step
from vidseg.detection.predictor import Predictor
from vidseg.errors import OptionError
from vidseg.models.catalog import choose_model
from vidseg.models.names import check_precision, check_size
from vidseg.results.replay import choose_from_saved
from vidseg.results.vidseg_file import Detections, read_detections
from vidseg.structures.instances import Found, Instances, shown
from vidseg.tracking.selection import Follow, Point, Selection, follow_one, select_ids
from vidseg.tracking.stages import (
    DEFAULT_FILL_FRAMES,
    DEFAULT_SMOOTHING_RADIUS,
    TRACKING_RULES_VERSION,
    assign_ids,
    shown_tracks,
    without_tracks,
)
from vidseg.video.info import Kind

KEPT = 0.1
"""A predictor keeps objects from this score on, or from the score asked for where that is lower."""

KEPT_WHEN_SAVING = 0.05
"""The same for detections that are saved: COCO's measures look at objects from there on."""

MOVING: tuple[Kind, ...] = ("video", "animation")
"""Kinds of input whose objects can be followed from frame to frame."""

MOST_WAITING = 100
"""Most frames from keyframe to keyframe, in a gap, or to smooth by: pictures of so many wait in
memory, of keyframes five times as many."""

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
        every: Every = 1,
        fill: int | None = None,
        smooth: int = DEFAULT_SMOOTHING_RADIUS,
        ids: Iterable[int] = (),
        follow: Follow | None = None,
        at: Seconds | None = None,
        point: Point | None = None,
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
        self.every: Every = every
        """The model looks at every so manieth frame of a video, see `vidseg.detection`."""
        check_every(every)
        self.smooth = smooth
        """Frames before and after that smooth a frame of a video."""
        check_waiting("smooth", smooth)
        exact_at = None if at is None else Fraction(at)
        self.chosen = Selection(tuple(ids), follow, exact_at, point)
        """Which objects of a video to show."""
        if self.chosen and not track:
            raise OptionError("--id, --follow and --at choose followed objects; leave --no-track.")
        names = (classes,) if isinstance(classes, str) else tuple(classes)
        self.saved = None if detections is None else read_detections(detections)
        """Detections that take the place of the model."""
        self.fill = _usual_fill(self.saved, every) if fill is None else fill
        """Frames that an object of a video may be missed for and is filled in."""
        check_waiting("fill", self.fill)
        self.save = None if save_detections is None else Path(save_detections)
        """Where to save what is found."""
        if self.saved and model is not None:
            raise OptionError("Saved detections take the place of a model; leave --model out.")
        if self.saved and every != 1:
            raise OptionError("Saved detections need no model to skip frames; leave --every out.")
        if self.saved and self.save:
            raise OptionError("What comes from saved detections is not saved again; copy the file.")
        self.kept = self.saved.header.kept_score if self.saved else min(keep_score, score)
        """Objects are found, and saved, from this score on."""
        self.choice = choice = (
            choose_from_saved(self.saved, names, score)
            if self.saved
            else choose_model(names, model)
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
        if not self.track or kind not in MOVING:
            return None
        return {"score": self.score, "fill": self.fill, "rules": TRACKING_RULES_VERSION}

    def identify(self, found: Iterable[Found], kind: Kind) -> Iterable[Found]:
        """The frames of such an input with all that was found, under the ids of tracks where it is
        followed. Ids that were saved with it stay if they were made as they would be now."""
        tracking = self.tracking(kind)
        if self.saved is not None:
            if tracking and tracking == self.saved.header.options.get("tracking"):
                return found
            moved = self.saved.header.options.get("every", 1) != 1
            found = without_tracks(found, keep_filled=moved)
        return assign_ids(found, score=self.score, fill=self.fill) if tracking else found

    def show(
        self, known: Iterable[tuple[T, Instances]], kind: Kind, *, pointed: int | None = None
    ) -> Generator[tuple[T, Instances], None, None]:
        """Of what `identify` gives, the objects that were asked for; closes `known`.

        `pointed` is the id of the object that lies at the point asked for.
        """
        tracked = self.tracking(kind) is not None
        pairs = shown_tracks(known, radius=self.smooth) if tracked else known
        score = 0.0 if tracked else self.score  # a track goes on where it is weak
        if self.chosen:
            pairs = self._choose(_shown(pairs, score=score, labels=self.labels), pointed)
        return _shown(pairs, score=score, labels=self.labels, max_objects=self.max_objects)

    def selectable(self, known: Instances) -> Instances:
        """Of what `identify` gives for a frame, what may be chosen from."""
        tracks = known[known.ids > 0]
        return shown(tracks, score=0.0, labels=self.labels)

    def every_in(self, kind: Kind) -> Every:
        """Frames from keyframe to keyframe in such an input; 1 where nothing moves."""
        return self.every if kind in MOVING else 1

    def check_kind(self, kind: Kind) -> None:
        """Raises OptionError: objects are to be chosen that are not followed in such an input."""
        if self.chosen and kind not in MOVING:
            raise OptionError("--id, --follow and --at choose objects of videos; photos have none.")

    def _choose(
        self, pairs: Iterable[tuple[T, Instances]], pointed: int | None
    ) -> Generator[tuple[T, Instances], None, None]:
        ids = self.chosen.ids if pointed is None else (pointed,)
        if self.chosen.follow:
            return follow_one(pairs, self.chosen.follow)
        return select_ids(pairs, ids)


def _shown(
    pairs: Iterable[tuple[T, Instances]],
    *,
    score: float,
    labels: Collection[int] | None,
    max_objects: int | None = None,
) -> Generator[tuple[T, Instances], None, None]:
    with closing_input(pairs) as source:
        for frame, instances in source:
            yield frame, shown(instances, score=score, labels=labels, max_objects=max_objects)


def _usual_fill(saved: Detections | None, every: Every) -> int:
    """That of saved ids, so that they stay valid; else the default, or a step of keyframes."""
    tracking = saved.header.options.get("tracking") if saved else None
    return int(tracking["fill"]) if tracking else max(DEFAULT_FILL_FRAMES, max_keyframe_step(every))


def load(search: Search) -> Predictor:
    """The predictor that a search asks for; imports torch."""
    from vidseg.models.predictor import load_predictor

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


def check_waiting(name: str, frames: int, *, least: int = 0) -> None:
    """Raises OptionError: `frames` is not within `least`..`MOST_WAITING`."""
    if not least <= frames <= MOST_WAITING:
        raise OptionError(f"{name} must be between {least} and {MOST_WAITING}, got {frames}.")


def check_resume(every: Every, *, resume: bool) -> None:
    """Raises OptionError: keyframes, which a run that goes on in the middle would not know."""
    if resume and every != 1:
        raise OptionError("A run with --every begins anew; give --force in place of --resume.")


def check_every(every: Every) -> None:
    """Raises OptionError: neither `auto` nor a number within 1..`MOST_WAITING`."""
    if every != "auto":
        check_waiting("every", every, least=1)
