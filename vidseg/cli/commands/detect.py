"""vidseg detect."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Literal

import click

from vidseg.cli.batch import (
    Job,
    Plan,
    Todo,
    detections_plan,
    folder_made,
    introduce,
    run_jobs,
    several_frames,
    sort_jobs,
)
from vidseg.cli.drawing import media_arguments
from vidseg.cli.options import (
    EVERY_OPTION,
    ClusterFlags,
    ModelFlags,
    RunFlags,
    Span,
    cluster_options,
    examples,
    model_flags,
    option,
    run_options,
    skip_existing_option,
    span_options,
)
from vidseg.cli.param_types import FrameSpan
from vidseg.cli.sharing import share_jobs
from vidseg.cli.threads import limit_threads
from vidseg.errors import OptionError
from vidseg.remote.paths import as_path

if TYPE_CHECKING:
    from vidseg.cluster.worker import Do
    from vidseg.pipeline.run_options import RunOptions, RunResult
    from vidseg.pipeline.search import Search


@click.command(
    epilog=examples(
        "vidseg detect street.mp4 street.vidseg",
        "vidseg detect --resume street.mp4 street.vidseg",
        "vidseg detect --workers 8 street.mp4 street.vidseg",
        "vidseg detect --frames 960:1920 street.mp4 parts/",
        "vidseg splash --detections street.vidseg --class dog street.mp4 dogs.mp4",
    )
)
@media_arguments
@option(
    "--keep-score",
    type=float,
    default=0.05,
    help="Lowest confidence that is kept, 0 to 1; lower ones cannot be shown later.",
)
@option(
    "--score",
    type=float,
    default=0.5,
    help="Tracking threshold; other commands reuse the ids if given the same --score.",
)
@option(
    "--track/--no-track",
    default=True,
    help="Track the objects of a video: ids are saved, and gaps filled.",
)
@EVERY_OPTION
@option(
    "--compact",
    is_flag=True,
    help="Store masks in 16 levels instead of 256: a third smaller or more, edges as good.",
)
@option("--resume", is_flag=True, help="Go on where an interrupted run ended.")
@option(
    "--frames",
    type=FrameSpan(),
    metavar="A:B",
    show_default="all",
    help="Look at frames A to before B alone; they become a part, for merge, in the folder OUT.",
)
@model_flags
@span_options
@run_options
@skip_existing_option
@cluster_options
def detect(
    *,
    sources: tuple[str, ...],
    target: str,
    keep_score: float,
    score: float,
    track: bool,
    every: int | Literal["auto"],
    compact: bool,
    frames: tuple[int, int | None] | None,
    model: ModelFlags,
    span: Span,
    run: RunFlags,
    cluster: ClusterFlags,
) -> None:
    """Save everything that is found in IN in the file OUT, for use by other commands.

    `--detections OUT` gives it to overlay, splash and frames, which then need no model. Until it is
    complete, the file is called OUT.part. Several inputs get a file each in the folder OUT.
    """
    kept = max(score, keep_score)
    search = model.search(score=kept, keep_score=keep_score, track=track, every=every)
    if frames is not None:
        if cluster:
            raise OptionError("--frames is one worker's share; leave --workers and --cluster out.")
        job = _part_job(sources, target, span)
        _detect_part(job, frames, search, compact=compact, run=run)
        return
    plan = detections_plan(sources, target)
    with folder_made(plan):
        todo = sort_jobs(plan, run, _output_check(plan, run))
        limit_threads(several=several_frames(sources))
        from vidseg.pipeline.detect_to_file import detect_to_file

        def task_of(job: Job) -> "Do":
            return partial(detect_to_file, job.source, job.target, span=span, compact=compact)

        def do(job: Job, options: "RunOptions") -> "RunResult | None":
            return task_of(job)(search=search, options=options)

        introduce(search, run)
        if not cluster:
            run_jobs(todo, do, run)
        elif todo.single:
            _detect_shared(todo, search, span, compact=compact, run=run, cluster=cluster)
        else:
            again = _options_again(search, run)
            share_jobs(todo, task_of, search=search, run=run, cluster=cluster, options_again=again)


def _detect_shared(
    todo: Todo,
    search: "Search",
    span: Span,
    *,
    compact: bool,
    run: RunFlags,
    cluster: ClusterFlags,
) -> None:
    """One video, whose frames the workers share."""
    from vidseg.cluster.shared import detect as detect_shared
    from vidseg.pipeline.detected_frames import check_shared

    check_shared(span)

    def do(job: Job, options: "RunOptions") -> "RunResult":
        where = cluster.options()
        return detect_shared(
            job.source, job.target, search=search, cluster=where, options=options, compact=compact
        )

    run_jobs(todo, do, run)


def _options_again(search: "Search", run: RunFlags) -> "RunOptions":
    """How an input is done again whose worker died: it goes on, or, with keyframes, begins anew."""
    from vidseg.pipeline.run_options import RunOptions

    if search.every == 1:
        return RunOptions(run.force, resume=True)
    return RunOptions(force=True)


def _output_check(plan: Plan, run: RunFlags) -> Callable[[Job], None]:
    from vidseg.results.vidseg_writer import check_detections_output

    sources = [job.source for job in plan.jobs]
    return lambda job: check_detections_output(
        job.target, sources, resume=run.resume, force=run.force
    )


def _part_job(sources: tuple[str, ...], target: str, span: Span) -> Job:
    source, *others = sources
    if others:
        raise OptionError("--frames is for one input; run the inputs one after another.")
    if span != Span():
        raise OptionError(
            "--frames goes without --start, --end, --keep-going and --keep-interlaced."
        )
    return Job(as_path(source), as_path(target))


def _detect_part(
    job: Job,
    frames: tuple[int, int | None],
    search: "Search",
    *,
    compact: bool,
    run: RunFlags,
) -> None:
    limit_threads()
    from vidseg.pipeline.detect_part import detect_part
    from vidseg.results.parts import part_path
    from vidseg.results.vidseg_writer import check_detections_output

    def do(job: Job, options: "RunOptions") -> "RunResult | None":
        return detect_part(
            job.source, job.target, frames, search=search, options=options, compact=compact
        )

    def check(job: Job) -> None:
        if job.target.is_dir():  # made only when a first part is written
            check_detections_output(part_path(job.target, frames), force=run.force)

    todo = Todo([job], [], single=True) if run.resume else sort_jobs(Plan([job]), run, check)
    introduce(search, run)
    run_jobs(todo, do, run)
