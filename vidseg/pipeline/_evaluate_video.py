"""Temporal stability of the objects of a video without annotations."""

from contextlib import ExitStack

from vidseg.atomic_output import check_output
from vidseg.errors import OptionError
from vidseg.evaluation.temporal_stability import measure_stability, rates
from vidseg.evaluation.text_tables import STABILITY_ROWS, video_lines
from vidseg.inspection.found_video import FoundVideo
from vidseg.inspection.video_page import video_page
from vidseg.pipeline._evaluation_pages import write_into
from vidseg.pipeline._report_words import program_name
from vidseg.pipeline.detected_frames import expected_frames
from vidseg.pipeline.evaluation_request import Evaluation, EvaluationRequest, FrameCounter
from vidseg.pipeline.find import shown_frames
from vidseg.pipeline.report import part_about
from vidseg.pipeline.search import MOVING_KINDS
from vidseg.video.probe import probe


def evaluate_video(request: EvaluationRequest) -> Evaluation:
    """Flicker, coverage and agreement from frame to frame; writes a page if there is an `out`."""
    options, span = request.options, request.span
    if request.out is not None:
        check_output(request.out, [request.data], force=request.run.force, folder=True)
    search, notes = request.search(detections=request.detections)
    search.share(request.workers)
    info = probe(request.data)
    if info.kind not in MOVING_KINDS:
        raise OptionError(
            f"{request.data} is a {info.kind} without annotations: there is nothing to evaluate."
        )
    counter = FrameCounter(request.run, expected_frames(info, span))
    with ExitStack() as stack:
        found = stack.enter_context(shown_frames(info, search, span, request.run))
        page = None if request.out is None else stack.enter_context(FoundVideo(search.names))
        counted = counter.counted(found if page is None else page.passing(found))
        counts = measure_stability(counted, longest=options.max_gap)
        facts = {"video": str(request.data), "score": options.score, "tracked": options.track}
        report = {**request.subject, **facts, "longest_gap": options.max_gap, **rates(counts)}
        if page is not None and request.out is not None:
            measures = {title: report[key] for key, title in STABILITY_ROWS.items()}
            part = part_about(page, search, info, span, metrics=measures)
            title = f"{info.path.absolute().name}: stability"
            write_into(request.out, video_page(title, [part], program_name()), request.run)
    return Evaluation(report, video_lines(report), notes)
