"""What the commands that draw on or save an input share."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vidseg.cli.batch import (
    Job,
    Todo,
    check_one_input,
    introduce,
    media_plan,
    outputs_checked,
    run_jobs,
    several_frames,
)
from vidseg.cli.cluster_options import ClusterFlags
from vidseg.cli.options import Command, Quality, RunFlags, Span
from vidseg.cli.param_types import InputPath, OutputPath
from vidseg.cli.sharing import check_several, share_jobs
from vidseg.cli.threads import limit_threads
from vidseg.cli.trial import Trial, draw_preview, tell_estimates

if TYPE_CHECKING:
    from vidseg.cluster.worker import Do
    from vidseg.effects import Effect
    from vidseg.pipeline.outputs import Output
    from vidseg.pipeline.run_options import RunOptions, RunResult
    from vidseg.pipeline.search import Search


def media_arguments(command: Command) -> Command:
    """IN... and OUT, as `sources` and `target`."""
    target = click.argument("target", type=OutputPath(), metavar="OUT")
    sources = click.argument("sources", type=InputPath(), metavar="IN...", nargs=-1, required=True)
    return sources(target(command))


def draw(
    sources: Sequence[str],
    target: str,
    effect: "Callable[[], Effect]",
    *,
    search: "Search",
    span: Span,
    quality: Quality,
    run: RunFlags,
    trial: Trial,
    cluster: ClusterFlags | None = None,
) -> None:
    """Draw on every frame of each input; `effect` is called once options and paths are checked."""
    from vidseg.video.codecs import choose_codec

    plan = media_plan(sources, target)
    check_one_input(plan, search)
    encodings = {
        job: choose_codec(
            job.target, quality.codec, quality.crf, quality.preset, depth=quality.depth
        )
        for job in plan.jobs
    }
    if trial.preview is not None:
        draw_preview(plan, trial.preview, effect, search=search, span=span, run=run)
        return
    with outputs_checked(plan, run) as todo:
        limit_threads(several=several_frames(sources))
        from vidseg.pipeline.outputs import VideoOutput

        drawn = effect()

        def output(job: Job, target: Path) -> "Output":
            return VideoOutput(target, drawn, encodings[job])

        make_or_tell(todo, output, search=search, span=span, run=run, trial=trial, cluster=cluster)


def make_or_tell(
    todo: Todo,
    output: "Callable[[Job, Path], Output]",
    *,
    search: "Search",
    span: Span,
    run: RunFlags,
    trial: Trial,
    cluster: ClusterFlags | None = None,
) -> None:
    """Make the output of each job under its name or, for a dry run, tell about it.

    `output` makes the output of a job, to be written to a path.
    """
    if trial.dry_run:
        tell_estimates(todo, output, search=search, span=span, run=run)
        return
    outputs = {job: [output(job, job.target)] for job in todo.jobs}
    make(outputs, todo, search=search, span=span, run=run, cluster=cluster)


def make(
    outputs: "Mapping[Job, Sequence[Output]]",
    todo: Todo,
    *,
    search: "Search",
    span: Span,
    run: RunFlags,
    cluster: ClusterFlags | None = None,
) -> None:
    """Make the outputs of each job in one pass over its input, here or on workers."""
    from vidseg.pipeline.run import run as run_outputs

    def task_of(job: Job) -> "Do":
        return partial(run_outputs, job.source, outputs[job], span=span)

    def do(job: Job, options: "RunOptions") -> "RunResult | None":
        return task_of(job)(search=search, options=options)

    introduce(search, run)
    if cluster:
        check_several(todo)
        share_jobs(todo, task_of, search=search, run=run, cluster=cluster)
    else:
        run_jobs(todo, do, run)
