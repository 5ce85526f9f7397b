"""vidseg evaluate on annotated clips, and on videos that nobody annotated."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from vidseg.cli.evaluate_request import Asked
from vidseg.cli.progress import Progress
from vidseg.errors import InputError, OptionError

if TYPE_CHECKING:
    from vidseg.evaluation.clips import Clip, MaskTrack
    from vidseg.evaluation.ground_truth import ClassMatch
    from vidseg.pipeline.search import Search
    from vidseg.structures.frame import Frame

Report = tuple[dict[str, Any], list[str]]
"""For stdout, and the table for people."""


def judge_clips(asked: Asked, kind: str) -> Report:
    """Tracks against the annotated clips of the format `kind`."""
    from vidseg.evaluation.read_results import CLIP_READERS
    from vidseg.evaluation.text_tables import clip_lines
    from vidseg.evaluation.trackeval_sequence import JudgedClip
    from vidseg.evaluation.tracking_metrics import check_installed, score_tracks

    check_installed()
    clips = CLIP_READERS[kind].read_truth(asked.path)
    if not clips:
        raise InputError(f"{asked.path} holds no annotated clip of the format {kind}.")
    search = None if asked.detections else asked.search(score=asked.score, track=asked.track)
    judged: list[JudgedClip] = []
    unknown: dict[str, None] = {}
    with Progress(bar=asked.run.progress, quiet=True) as progress:
        done = _counter(progress, sum(clip.frames for clip in clips))
        for clip in clips:
            classes, tracks = _tracks(asked, clip, search, alone=len(clips) == 1, done=done)
            judged.append(JudgedClip(_only(clip, classes), tracks))
            unknown |= dict.fromkeys(classes.unknown if classes else ())
    if unknown:
        asked.tell(f"Left out, for the results do not know them: {', '.join(unknown)}")
    report = {
        "dataset": str(asked.path),
        "format": kind,
        "score": asked.score,
        "tracked": asked.track,
        "one_object_annotated": [clip.name for clip in clips if clip.single],
        "classes_unknown_to_results": [*unknown],
        **score_tracks(judged),
    }
    return report, clip_lines(report)


def judge_video(asked: Asked) -> Report:
    """How steady the objects of a video are."""
    from vidseg.evaluation.temporal_stability import measure_stability, rates
    from vidseg.evaluation.text_tables import video_lines
    from vidseg.pipeline.find import expected_frames, shown_frames
    from vidseg.pipeline.run_options import RunOptions
    from vidseg.pipeline.search import MOVING_KINDS
    from vidseg.video.probe import probe

    given = {"detections": asked.detections} if asked.detections else {}
    search = asked.search(score=asked.score, track=asked.track, **given)
    info = probe(asked.path)
    if info.kind not in MOVING_KINDS:
        raise OptionError(f"{asked.path} is a {info.kind} without annotations: nothing to judge.")
    with (
        Progress(bar=asked.run.progress, quiet=asked.run.quiet) as progress,
        shown_frames(info, search, asked.span, RunOptions()) as found,
    ):
        done = _counter(progress, expected_frames(info, asked.span))
        counts = measure_stability(done(found), longest=asked.gap)
    facts = {"video": str(asked.path), "score": asked.score, "tracked": asked.track}
    report = {**facts, "longest_gap": asked.gap, **rates(counts)}
    return report, video_lines(report)


def _tracks(
    asked: Asked, clip: "Clip", search: "Search | None", *, alone: bool, done: Any
) -> "tuple[ClassMatch | None, list[MaskTrack]]":
    """The classes that are judged (None: all are one) and the tracks found."""
    from vidseg.evaluation.clips import collect_tracks
    from vidseg.evaluation.ground_truth import match_classes
    from vidseg.evaluation.read_results import VIDSEG_SUFFIX, read_tracks, result_of

    if search is None:
        assert asked.detections is not None
        file = result_of(asked.detections, clip, alone=alone)
        if file.suffix != VIDSEG_SUFFIX:
            known = clip.classes
            classes = match_classes(known, known, asked.classes) if known else None
            return classes, read_tracks(file, clip, alone=alone)
        search = asked.search(score=asked.score, track=asked.track, detections=file)
    classes = match_classes(clip.classes, search.names, asked.classes) if clip.classes else None
    with closing(done(_found(clip, search))) as found:
        return classes, collect_tracks(found, classes.numbers if classes else None)


def _found(clip: "Clip", search: "Search") -> Any:
    """The frames of a clip with the objects to show, tracked as those of a video."""
    from vidseg.detection.batched import detect
    from vidseg.pipeline.stages import tracked_objects
    from vidseg.results.replay import replay

    if not clip.pictures:
        raise InputError(
            f"The frames of {clip.name} are not there, so no model can look at them; "
            "put them where the format has them, or give results with --detections."
        )
    frames = _frames(clip)
    if search.saved is not None:
        found = replay(frames, search.saved)
    else:
        found = detect(frames, search.predictor(), batch_size=search.model_options.batch_size)
    return tracked_objects(search, found, "video")


def _frames(clip: "Clip") -> "Iterator[Frame]":
    from vidseg.structures.frame import Frame
    from vidseg.video.decoding.image_reader import load_photo

    for index, path in enumerate(clip.pictures):
        image = load_photo(path)
        if image.shape[:2] != clip.size:
            height, width = clip.size
            raise InputError(f"{path} is {image.shape[1]}x{image.shape[0]}, not {width}x{height}.")
        yield Frame(index, Fraction(index), image, Fraction(1))


def _only(clip: "Clip", classes: "ClassMatch | None") -> "Clip":
    """The clip with the classes that are judged."""
    if classes is None:
        return clip
    tracks = [track for track in clip.tracks if track.number in classes.names]
    return replace(clip, classes=classes.names, tracks=tracks)


def _counter(progress: Progress, total: int | None) -> Any:
    """Passes frames on and moves the bar, over several streams of them."""
    count = 0

    def counted(found: Any) -> Iterator[Any]:
        nonlocal count
        with closing(found):
            for item in found:
                yield item
                count += 1
                progress.on_frame(count, total)

    return counted
