"""What to look for, by which model, and which of the objects found to show."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, Unpack

from vidseg.detection import Every, max_keyframe_step
from vidseg.detection.plugin import is_plugin, load_plugin
from vidseg.detection.predictor import Predictor, check_predictor
from vidseg.detection.tiles import TiledPredictor
from vidseg.errors import OptionError
from vidseg.models.catalog import ModelChoice, choose_labels, choose_model
from vidseg.models.options import ModelOptions
from vidseg.remote.paths import as_path
from vidseg.results.replay import choose_from_saved
from vidseg.results.vidseg_file import Detections, read_detections
from vidseg.structures.span import Seconds, exact_seconds
from vidseg.tracking.options import TrackingOptions, check_buffered
from vidseg.tracking.selection import Follow, Point, Selection
from vidseg.tracking.stages import DEFAULT_FILL_FRAMES, TRACKING_RULES_VERSION
from vidseg.tracking.tracker import Tracker
from vidseg.video.info import Kind

if TYPE_CHECKING:
    from vidseg.pipeline.finder import Finder

DEFAULT_KEEP_SCORE = 0.1
"""A predictor keeps objects from this score on, or from the score asked for where that is lower."""

SAVED_KEEP_SCORE = 0.05
"""The same for detections that are saved: COCO's measures look at objects from there on."""

MOVING_KINDS: tuple[Kind, ...] = ("video", "animation")
"""Kinds of input whose objects can be tracked from frame to frame."""

OnDownload = Callable[[int, int | None], None]
"""Called while weights are downloaded, with the bytes so far and in all, if that is known."""

Options = TypeVar("Options", ModelOptions, TrackingOptions, Selection)


class SearchKeywords(TypedDict, total=False):
    """Fields of `ModelOptions`, `TrackingOptions` and `Selection` as keywords of `Search`."""

    device: str
    precision: str
    size: int | None
    batch_size: int | None
    tiles: str | None
    track: bool
    fill: int | None
    smooth: int
    tracker: Callable[[], Tracker] | None
    ids: Iterable[int]
    follow: Follow | None
    at: Seconds | None
    point: Point | None


class Search:
    """Which objects to find, by which model, or to take from which saved detections.

    Every option is checked at once; the weights load when `predictor` is first called.

        Search("person")
        Search(["dog", "cat"], model="runs/pets/best.pt", score=0.7, device="cuda:1")
        Search(model=MyPredictor(), tracker=MyTracker)
    """

    def __init__(
        self,
        classes: str | Iterable[str] = (),
        *,
        model: str | Path | Predictor | None = None,
        score: float = 0.5,
        max_objects: int | None = None,
        every: Every = 1,
        model_options: ModelOptions | None = None,
        tracking: TrackingOptions | None = None,
        selection: Selection | None = None,
        detections: str | Path | None = None,
        save_detections: str | Path | None = None,
        keep_score: float | None = None,
        workers: "Finder | None" = None,
        **keywords: Unpack[SearchKeywords],
    ) -> None:
        """
        Args:
            classes: names to look for; none is all that the model knows.
            model: a name of `vidseg models`, a model file, `module:object` or `file.py:object` of a
                predictor, or the predictor itself. None: one that knows the classes.
            score: objects are shown from this confidence on; a track by its mean.
            every: the model sees every N-th frame of a video, see `vidseg.detection`.
            detections: a file of saved detections that takes the place of the model.
            save_detections: where to save everything that is found.
            keep_score: lowest score that is found and saved.
            workers: other processes that find the objects of a video, see `vidseg.cluster`.
            keywords: single fields of `model_options`, `tracking` and `selection`.

        Raises:
            OptionError: an unknown class or model, a number out of range, options that do not go
                together.
            InputError: the saved detections cannot be read.
        """
        check_fraction("score", score)
        check_positive("max_objects", max_objects)
        check_every(every)
        self.score, self.max_objects = score, max_objects
        self.every: Every = every
        words = _renamed(keywords)
        self.model_options = _with(model_options or ModelOptions(), words)
        self.selection = _with(selection or Selection(), words)
        self.saved = None if detections is None else read_detections(detections)
        """Detections that take the place of the model."""
        self.save = None if save_detections is None else as_path(save_detections)
        """Where to save what is found."""
        self._check_saved(model)
        tracking = _with(tracking or TrackingOptions(), words)
        if words:
            raise TypeError(f"Search has no option {min(words)!r}.")
        self.tracking = replace(tracking, fill=_fill(tracking.fill, self.saved, every))
        """With `fill` as a number."""
        if self.selection and not self.tracking.enabled:
            raise OptionError(
                "`ids`, `follow` and `at` select tracked objects; leave out `track=False`."
            )
        self.keep_score = self._lowest_score(keep_score)
        """Objects are found, and saved, from this score on."""
        names = (classes,) if isinstance(classes, str) else tuple(classes)
        self.choice, self._predictor = self._choose(names, model)
        """The model, its classes, and the labels asked for."""
        self._owns_predictor = model is not None and not isinstance(model, str | Path)
        self.workers: Finder | None = None
        """Other processes that find the objects of a video."""
        self.share(workers)

    def __getstate__(self) -> dict[str, Any]:
        """Without a model that was loaded by its name: another process loads it itself."""
        return (
            vars(self) | {"workers": None} | ({} if self._owns_predictor else {"_predictor": None})
        )

    def share(self, workers: "Finder | None") -> None:
        """Leave it to `workers` to find the objects of a video; None: this process finds them.

        Raises OptionError: there is nothing left to find.
        """
        if workers is not None and self.saved is not None:
            raise OptionError("Saved detections leave workers nothing to find; leave workers out.")
        self.workers = workers

    @property
    def names(self) -> Mapping[int, str]:
        """Label to name of every class that the model knows."""
        return self.choice.classes

    @property
    def labels(self) -> frozenset[int] | None:
        """The labels to show; None for all."""
        return self.choice.labels

    def predictor(self, on_download: OnDownload | None = None) -> Predictor:
        """The model with its weights, loaded once; with `tiles`, one that looks at these too.

        Raises:
            ModelError, WeightsUnavailableError: the weights cannot be read or fetched.
            VidsegError: this machine has no such device.
        """
        if self._predictor is None:
            self._predictor = self._load(on_download)
        options = self.model_options
        if options.tiles is None:
            return self._predictor
        return TiledPredictor(self._predictor, options.tiles, options.batch_size)

    def tracking_facts(self, kind: Kind) -> dict[str, float] | None:
        """What decides about the ids of objects of such an input, as it is saved with them; None
        where objects are not tracked."""
        if not self.tracking.enabled or kind not in MOVING_KINDS:
            return None
        assert self.tracking.fill is not None
        return {
            "score": self.score,
            "fill": self.tracking.fill,
            "rules": TRACKING_RULES_VERSION,
        }

    def every_in(self, kind: Kind) -> Every:
        """Frames from keyframe to keyframe in such an input; 1 where nothing moves."""
        return self.every if kind in MOVING_KINDS else 1

    def check_kind(self, kind: Kind) -> None:
        """Raises OptionError: objects are selected that are not tracked in such an input."""
        if self.selection and kind not in MOVING_KINDS:
            raise OptionError(
                "`ids`, `follow` and `at` select objects of videos; photos have none."
            )

    def _check_saved(self, model: object) -> None:
        if self.saved is None:
            return
        if model is not None:
            raise OptionError("Saved detections take the place of a model; leave `model` out.")
        if self.every != 1:
            raise OptionError("Saved detections need no model to skip frames; leave `every` out.")
        if self.model_options.tiles is not None:
            raise OptionError("Saved detections are not looked for again; leave `tiles` out.")
        if self.save:
            raise OptionError("What comes from saved detections is not saved again; copy the file.")

    def _lowest_score(self, keep_score: float | None) -> float:
        if keep_score is None:
            keep_score = DEFAULT_KEEP_SCORE if self.save is None else SAVED_KEEP_SCORE
        check_fraction("keep_score", keep_score)
        return self.saved.header.kept_score if self.saved else min(keep_score, self.score)

    def _choose(
        self, names: tuple[str, ...], model: str | Path | Predictor | None
    ) -> tuple[ModelChoice, Predictor | None]:
        if self.saved:
            return choose_from_saved(self.saved, names, self.score), None
        if model is None or (isinstance(model, str | Path) and not is_plugin(model)):
            return choose_model(names, model), None
        if isinstance(model, str | Path):
            predictor, title = load_plugin(model), str(model)
        else:
            check_predictor(model)
            predictor, title = model, type(model).__name__
        classes = dict(predictor.classes)
        return ModelChoice(title, choose_labels(names, title, classes), classes), predictor

    def _load(self, on_download: OnDownload | None) -> Predictor:
        if is_plugin(self.choice.model):
            return load_plugin(self.choice.model)
        from vidseg.models.predictor import load_predictor  # torch is heavy

        return load_predictor(
            self.choice.model,
            device=self.model_options.device,
            precision=self.model_options.precision,
            size=self.model_options.size,
            keep_score=self.keep_score,
            labels=self.labels,
            batch_size=self.model_options.batch_size,
            on_download=on_download,
        )


def _renamed(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords under the names of the fields that they stand for."""
    words = dict(keywords)
    if "track" in words:
        words["enabled"] = words.pop("track")
    if "ids" in words:
        words["ids"] = tuple(words["ids"])
    if words.get("at") is not None:
        words["at"] = exact_seconds("at", words["at"])
    return words


def _with(options: Options, words: dict[str, Any]) -> Options:
    """The options with those of `words` that are their fields, which are taken out of `words`."""
    mine = {each.name: words.pop(each.name) for each in fields(options) if each.name in words}
    return replace(options, **mine)


def _fill(fill: int | None, saved: Detections | None, every: Every) -> int:
    """`fill`, or by default that of the saved ids, so that they stay as they are; else
    `DEFAULT_FILL_FRAMES`, or the step between keyframes."""
    if fill is not None:
        return fill
    tracking = saved.header.options.get("tracking") if saved else None
    return int(tracking["fill"]) if tracking else max(DEFAULT_FILL_FRAMES, max_keyframe_step(every))


def check_fraction(name: str, value: float) -> None:
    """Raises OptionError: `value` is not a number within 0..1."""
    if not isinstance(value, Real) or not 0 <= value <= 1:
        raise OptionError(f"{name} must be between 0 and 1, got {value}.")


def check_positive(name: str, value: int | None) -> None:
    """Raises OptionError: `value` is no whole number, or below 1."""
    if value is None:
        return
    if not isinstance(value, Integral) or value < 1:
        raise OptionError(f"{name} must be a whole number and at least 1, got {value}.")


def check_every(every: Every) -> None:
    """Raises OptionError: neither `auto` nor a number of frames in range."""
    if every != "auto":
        check_buffered("every", every, least=1)
