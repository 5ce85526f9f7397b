"""One video that workers draw and encode in segments."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from vidseg.cluster._ray import connected, load_ray
from vidseg.cluster._spans import plan_spans
from vidseg.cluster._start import own_environment
from vidseg.cluster.shared import Workers, run_tasks
from vidseg.cluster.worker import Task
from vidseg.concurrency import closing_input
from vidseg.errors import OptionError, VidsegError
from vidseg.pipeline.detected_frames import check_shared
from vidseg.pipeline.draw_segments import (
    check_segments,
    draw_segment,
    join_segments,
    save_segments,
    without_model,
)
from vidseg.pipeline.outputs import Output
from vidseg.pipeline.run import check_outputs
from vidseg.pipeline.run_options import RunOptions, RunResult
from vidseg.pipeline.search import Search
from vidseg.remote.fetch import origin
from vidseg.results.parts import keep_input
from vidseg.structures.span import Span
from vidseg.video.probe import probe

SEGMENT_STEP_FRAMES = 48
"""Segments are multiples of this long: each begins with a picture that takes many bytes."""


def draw(
    source: str | Path,
    outputs: Sequence[Output],
    *,
    search: Search,
    workers: Workers,
    span: Span | None = None,
    options: RunOptions | None = None,
) -> RunResult:
    """Draw one video by workers, who also encode it, in segments that are joined.

    The frames and their times are those of `vidseg.run`; the file is another one, since each
    segment begins anew for the encoder.

    Raises:
        OptionError: more than one output, or one that is no video, an effect that needs earlier
            frames, a span, which is not shared, or a picture to watch.
        VidsegError: as `vidseg.run`; or Ray is missing, or a segment failed.
    """
    options = options or RunOptions()
    check_shared(span or Span())
    if options.watch is not None:
        raise OptionError("`watch` shows what this process draws, and here workers draw.")
    check_outputs(outputs, source, search, options)
    info = probe(source)
    output = check_segments(outputs, info)
    for each in outputs:
        each.check(info)
    search.check_kind(info.kind)
    if search.saved is None:
        search.share(workers)
    ray, where = load_ray(), workers.where
    spans = plan_spans(info.frames, SEGMENT_STEP_FRAMES, where.workers or 1)
    # the second step finds the Ray of the first one
    with workers.parts_folder() as folder, connected(ray, where, own_environment(where)):
        keep_input(info, folder)
        result = save_segments(info, spans, folder, search=search, options=options)
        tasks = [
            Task(
                f"frames from {first}",
                partial(draw_segment, origin(info.path), folder, output, (first, end)),
                retry_errors=True,
            )
            for first, end in spans
        ]
        drawer = without_model(search)
        outcomes = run_tasks(
            tasks, search=drawer, cluster=where, options=options, total=info.frames
        )
        with closing_input(outcomes) as ended:
            for number, outcome in ended:
                if outcome.error is not None:
                    raise VidsegError(f"The {tasks[number].name} failed: {outcome.error}")
        join_segments(info, output, spans, folder, force=options.force)
    return result
