"""Temporal stability of the objects of a video without annotations."""

from vidseg.errors import OptionError
from vidseg.evaluation.temporal_stability import measure_stability, rates
from vidseg.evaluation.text_tables import video_lines
from vidseg.pipeline.detected_frames import expected_frames
from vidseg.pipeline.evaluation_request import Evaluation, EvaluationRequest, FrameCounter
from vidseg.pipeline.find import shown_frames
from vidseg.pipeline.search import MOVING_KINDS
from vidseg.video.probe import probe


def evaluate_video(request: EvaluationRequest) -> Evaluation:
    """Flicker, coverage and agreement from frame to frame."""
    options = request.options
    search, notes = request.search(detections=request.detections)
    info = probe(request.data)
    if info.kind not in MOVING_KINDS:
        raise OptionError(
            f"{request.data} is a {info.kind} without annotations: there is nothing to evaluate."
        )
    counter = FrameCounter(request.run, expected_frames(info, request.span))
    with shown_frames(info, search, request.span, request.run) as found:
        counts = measure_stability(counter.counted(found), longest=options.max_gap)
    facts = {"video": str(request.data), "score": options.score, "tracked": options.track}
    report = {**request.subject, **facts, "longest_gap": options.max_gap, **rates(counts)}
    return Evaluation(report, video_lines(report), notes)
