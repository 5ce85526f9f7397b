"""Evaluate a model, or results, on annotated photos or clips, or on a video without annotations."""

from collections.abc import Iterable
from pathlib import Path

from vidseg.datasets.format_detection import ANNOTATION_SUFFIXES
from vidseg.detection.predictor import Predictor
from vidseg.errors import InputError, OptionError
from vidseg.evaluation.read_results import CLIP_READERS, clip_format
from vidseg.models.options import ModelOptions
from vidseg.pipeline._evaluate_clips import evaluate_clips
from vidseg.pipeline._evaluate_photos import evaluate_photos
from vidseg.pipeline._evaluate_video import evaluate_video
from vidseg.pipeline.evaluation_request import Evaluation, EvaluationOptions, EvaluationRequest
from vidseg.pipeline.finder import Finder
from vidseg.pipeline.run_options import RunOptions
from vidseg.remote.fetch import local
from vidseg.remote.paths import as_path
from vidseg.structures.span import Span


def evaluate(
    data: str | Path,
    model: str | Path | Predictor | None = None,
    *,
    classes: str | Iterable[str] = (),
    detections: str | Path | None = None,
    out: str | Path | None = None,
    options: EvaluationOptions | None = None,
    model_options: ModelOptions | None = None,
    span: Span | None = None,
    run: RunOptions | None = None,
    workers: Finder | None = None,
) -> Evaluation:
    """Evaluate a model, or saved results, as `vidseg evaluate` does.

        vidseg.evaluate("photos/", "runs/mine/best.pt").report["masks"]["AP"]

    Args:
        data: a dataset of photos (COCO's AP); annotated clips as YouTube-VIS JSON, DAVIS or MOTS
            folders (HOTA, IDF1, J&F, AP of tracks); or a video without annotations (temporal
            stability).
        model: a name, a file, or a predictor that keeps scores from 0.05; None: one that knows
            `classes`. A model of `vidseg train` is evaluated on the photos that its run held out,
            if they are among these.
        classes: evaluate these alone.
        detections: results that take the place of a model: COCO results or `.vidseg` of photos,
            YouTube-VIS JSON, MOTS text, DAVIS folders or `.vidseg` of clips, `.vidseg` of a video.
        out: a folder for a page about the result; of photos also for pictures of the worst ones,
            precision over recall, and COCO files.
        span: the part of a video without annotations.
        workers: other processes that look at photos, clips or frames, see `vidseg.cluster`.

    Raises:
        OptionError: neither a model nor results, or options that do not go together.
        InputError: the data or the results cannot be read, or do not belong together.
        ModelError, WeightsUnavailableError: the model cannot be loaded.
        OutputExistsError, OutputError: `out` cannot be written.
    """
    names = (classes,) if isinstance(classes, str) else tuple(classes)
    request = EvaluationRequest(
        local(data),
        model,
        names,
        None if detections is None else local(detections),
        None if out is None else as_path(out),
        options or EvaluationOptions(),
        model_options or ModelOptions(),
        span or Span(),
        run or RunOptions(),
        workers,
    )
    if detections is not None and workers is not None:
        raise OptionError("Results leave workers nothing to find; leave workers out.")
    if detections is not None and model is not None:
        raise OptionError("Results take the place of a model; leave `model` or `detections` out.")
    if not request.data.exists():
        raise InputError(f"{data} does not exist; check the path.")
    kind = request.options.format or clip_format(request.data)
    if kind in CLIP_READERS:
        request.check_fits("clips")
        return evaluate_clips(request, kind)
    if kind is None and _is_video(request.data):
        request.check_fits("videos")
        return evaluate_video(request)
    request.check_fits("photos")
    return evaluate_photos(request)


def _is_video(path: Path) -> bool:
    """Whether it is a file, and not one of annotations."""
    return path.is_file() and path.suffix.lower() not in ANNOTATION_SUFFIXES
