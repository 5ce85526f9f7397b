"""A report about annotated clips: the truth beside what was found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vidseg.atomic_output import check_output
from vidseg.errors import OptionError
from vidseg.evaluation.trackeval_sequence import EvaluatedClip
from vidseg.evaluation.tracking_metrics import is_installed, score_tracks
from vidseg.pipeline._evaluate_clips import found_on_clips
from vidseg.pipeline._evaluation_pages import clip_words, clips_page
from vidseg.pipeline._report_words import model_words
from vidseg.pipeline.evaluation_request import EvaluationOptions, EvaluationRequest
from vidseg.pipeline.run_options import RunOptions, RunResult
from vidseg.pipeline.search import Search
from vidseg.structures.span import Span


def report_on_clips(
    source: Path, kind: str, target: str | Path, search: Search, span: Span, options: RunOptions
) -> tuple[str, RunResult]:
    """The page about the clips of the format `kind`, with TrackEval's measures if it is installed.

    Raises OptionError: a search that selects or saves objects.
    """
    if search.selection or search.save is not None:
        raise OptionError("Annotated clips are shown whole; select and save objects of videos.")
    request = EvaluationRequest(
        source,
        None,
        tuple(search.names[label] for label in sorted(search.labels or ())),
        None,
        None,
        EvaluationOptions(score=search.score, track=search.tracking.enabled),
        search.model_options,
        span,
        options,
    )
    request.check_fits("clips")
    check_output(target, [source], force=options.force)
    found = found_on_clips(request, kind, search)
    measures: Mapping[str, Any] = {}
    if is_installed():
        measures = score_tracks(found.evaluated)["clips"]
    words = {**clip_words(request, kind), "Model": model_words(search)}
    return clips_page(found.evaluated, request, words, measures), _counted(found.evaluated)


def _counted(evaluated: list[EvaluatedClip]) -> RunResult:
    return RunResult(
        sum(one.clip.frames for one in evaluated),
        sum(len({frame for track in one.tracks for frame in track.masks}) for one in evaluated),
        sum(len(one.tracks) for one in evaluated),
    )
