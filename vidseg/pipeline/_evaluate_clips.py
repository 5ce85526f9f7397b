"""Metrics of tracks on annotated clips."""

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from vidseg.atomic_output import check_output
from vidseg.detection.batched import detect
from vidseg.errors import InputError
from vidseg.evaluation.clips import Clip, MaskTrack, collect_tracks
from vidseg.evaluation.ground_truth import ClassMatch, match_classes
from vidseg.evaluation.read_results import CLIP_READERS, VIDSEG_SUFFIX, read_tracks, result_of
from vidseg.evaluation.text_tables import clip_lines
from vidseg.evaluation.trackeval_sequence import EvaluatedClip
from vidseg.evaluation.tracking_metrics import check_installed, score_tracks
from vidseg.pipeline._evaluation_pages import clip_words, clips_page, read_clip, write_into
from vidseg.pipeline.evaluation_request import Evaluation, EvaluationRequest, FrameCounter
from vidseg.pipeline.run_options import RunOptions
from vidseg.pipeline.search import Search
from vidseg.pipeline.stages import tracked_objects
from vidseg.results.replay import replay
from vidseg.structures.instances import Found


def evaluate_clips(request: EvaluationRequest, kind: str) -> Evaluation:
    """TrackEval's metrics on the clips of the format `kind`; writes a page if there is an `out`."""
    check_installed()
    if request.out is not None:
        check_output(request.out, [request.data], force=request.run.force, folder=True)
    search, notes = (None, []) if request.detections else request.search()
    found = found_on_clips(request, kind, search)
    if found.unknown:
        notes.append(f"Left out, as the results do not have them: {', '.join(found.unknown)}")
    report = {
        **request.subject,
        "dataset": str(request.data),
        "format": kind,
        "score": request.options.score,
        "tracked": request.options.track,
        "one_object_annotated": [each.clip.name for each in found.evaluated if each.clip.single],
        "classes_unknown_to_results": found.unknown,
        **score_tracks(found.evaluated),
    }
    if request.out is not None:
        page = clips_page(found.evaluated, request, clip_words(request, kind), report["clips"])
        write_into(request.out, page, request.run)
    return Evaluation(report, clip_lines(report), notes)


class FoundOnClips(NamedTuple):
    evaluated: list[EvaluatedClip]
    """Each clip, with its classes that are evaluated, and the tracks found in it."""
    unknown: list[str]
    """Classes that the results do not have."""


def found_on_clips(request: EvaluationRequest, kind: str, search: Search | None) -> FoundOnClips:
    """The clips of the format `kind`, with what `search` finds, or the results of the request.

    Raises InputError: there are no clips, or they do not fit the results.
    """
    clips = CLIP_READERS[kind].read_truth(request.data)
    if not clips:
        raise InputError(f"{request.data} holds no annotated clip of the format {kind}.")
    evaluated: list[EvaluatedClip] = []
    unknown: dict[str, None] = {}
    with closing(_all_tracks(request, clips, search)) as found:
        for clip, (classes, tracks) in zip(clips, found, strict=True):
            evaluated.append(EvaluatedClip(_only(clip, classes), tracks))
            unknown |= dict.fromkeys(classes.unknown if classes else ())
    return FoundOnClips(evaluated, [*unknown])


Tracks = tuple[ClassMatch | None, list[MaskTrack]]
"""The classes that are evaluated (None if the clip has none) and the tracks found."""


def _all_tracks(
    request: EvaluationRequest, clips: Sequence[Clip], search: Search | None
) -> Generator[Tracks, None, None]:
    """What is found in each clip, by workers where there are some."""
    total = sum(clip.frames for clip in clips)
    if request.workers is not None and search is not None:
        bare = [replace(clip, tracks=[]) for clip in clips]  # no worker needs the annotations
        calls = [partial(find_tracks, clip, request.classes) for clip in bare]
        yield from request.workers.results(calls, search, request.counting(total))
        return
    counter = FrameCounter(request.run, total)
    for clip in clips:
        yield _tracks(request, clip, search, counter, alone=len(clips) == 1)


def _tracks(
    request: EvaluationRequest,
    clip: Clip,
    search: Search | None,
    counter: FrameCounter,
    *,
    alone: bool,
) -> Tracks:
    if search is None:
        assert request.detections is not None
        file = result_of(request.detections, clip, alone=alone)
        if file.suffix != VIDSEG_SUFFIX:
            known = clip.classes
            classes = match_classes(known, known, request.classes) if known else None
            return classes, read_tracks(file, clip, alone=alone)
        search, _ = request.search(detections=file)
    return _searched(clip, request.classes, search, counter, request.run)


def find_tracks(clip: Clip, names: Sequence[str], *, search: Search, options: RunOptions) -> Tracks:
    """What one worker finds in one clip."""
    return _searched(clip, names, search, FrameCounter(options, clip.frames), options)


def _searched(
    clip: Clip, names: Sequence[str], search: Search, counter: FrameCounter, run: RunOptions
) -> Tracks:
    classes = match_classes(clip.classes, search.names, names) if clip.classes else None
    with closing(counter.counted(_found(clip, search, run))) as found:
        return classes, collect_tracks(found, classes.numbers if classes else None)


def _found(clip: Clip, search: Search, run: RunOptions) -> Generator[Found, None, None]:
    """The frames of a clip with the objects to show, tracked as those of a video."""
    if not clip.pictures:
        raise InputError(
            f"The frames of {clip.name} are missing, and a model needs them; put them where the "
            "format has them, or give results with `detections`."
        )
    frames = read_clip(clip, range(clip.frames))
    if search.saved is not None:
        found = replay(frames, search.saved)
    else:
        model = search.predictor(run.on_download)
        found = detect(frames, model, batch_size=search.model_options.batch_size)
    return tracked_objects(search, found, "video")


def _only(clip: Clip, classes: ClassMatch | None) -> Clip:
    """The clip with the classes that are evaluated."""
    if classes is None:
        return clip
    tracks = [track for track in clip.tracks if track.number in classes.names]
    return replace(clip, classes=classes.names, tracks=tracks)
