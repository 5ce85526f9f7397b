"""What the commands that draw on or save an input share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidseg.cli.batch import (
    Job,
    Plan,
    Todo,
    check_one_input,
    introduce,
    media_plan,
    outputs_checked,
    run_jobs,
    several_frames,
)
from vidseg.cli.option import option
from vidseg.cli.options import (
    ClusterFlags,
    Command,
    Quality,
    RunFlags,
    Span,
    cluster_options,
    encoding_options,
    run_options,
    search_options,
    skip_existing_option,
    span_options,
    watch_option,
)
from vidseg.cli.param_types import InputPath, OutputPath
from vidseg.cli.sharing import share_jobs
from vidseg.cli.threads import limit_threads
from vidseg.cli.trial import Trial, draw_preview, tell_estimates, trial_options
from vidseg.errors import OptionError

if TYPE_CHECKING:
    from vidseg.cluster.worker import Do
    from vidseg.effects import Effect
    from vidseg.pipeline.outputs import Output
    from vidseg.pipeline.run_options import RunOptions, RunResult
    from vidseg.pipeline.search import Search
    from vidseg.video.codecs import Encoding


def media_arguments(command: Command) -> Command:
    """IN... and OUT, as `sources` and `target`."""
    target = click.argument("target", type=OutputPath(), metavar="OUT")
    sources = click.argument("sources", type=InputPath(), metavar="IN...", nargs=-1, required=True)
    return sources(target(command))


@dataclass(frozen=True, slots=True)
class Request:
    """What a command that draws was asked for, apart from options of its own."""

    sources: tuple[str, ...]
    target: str
    search: "Search"
    span: Span
    quality: Quality
    run: RunFlags
    trial: Trial
    cluster: ClusterFlags
    parallel_encode: bool


def drawing_options(command: Command) -> Command:
    """IN..., OUT, and the options that all commands that draw share: gives `request`."""

    @media_arguments
    @search_options
    @span_options
    @encoding_options
    @trial_options
    @run_options
    @skip_existing_option
    @watch_option
    @cluster_options
    @option(
        "--parallel-encode",
        is_flag=True,
        help="Let --workers draw and encode one video too, in segments that are joined. The frames "
        "are the same, the bytes of the file are not.",
    )
    @wraps(command)
    def wrapper(
        *,
        sources: tuple[str, ...],
        target: str,
        search: "Search",
        span: Span,
        quality: Quality,
        run: RunFlags,
        trial: Trial,
        cluster: ClusterFlags,
        parallel_encode: bool,
        **others: Any,
    ) -> Any:
        if parallel_encode and not cluster:
            raise OptionError("--parallel-encode is for --workers and --cluster; give one of them.")
        request = Request(
            sources, target, search, span, quality, run, trial, cluster, parallel_encode
        )
        return command(request=request, **others)

    return wrapper


def draw(request: Request, effect: "Callable[[], Effect]") -> None:
    """Draw on every frame of each input; `effect` is called once options and paths are checked."""
    plan = media_plan(request.sources, request.target)
    check_one_input(plan, request.search)
    encodings = {job: encoding_for(job.target, request.quality) for job in plan.jobs}
    if request.trial.preview is not None:
        preview_only(request, plan, effect)
        return
    with outputs_checked(plan, request.run) as todo:
        limit_threads(several=several_frames(request.sources))
        from vidseg.pipeline.outputs import VideoOutput

        drawn = effect()

        def output(job: Job, target: Path) -> "Output":
            return VideoOutput(target, drawn, encodings[job])

        make_or_tell(request, todo, output)


def encoding_for(target: "str | Path", quality: Quality, *, alpha: bool = False) -> "Encoding":
    """How to encode an output of this name.

    Raises OptionError: the name's format does not go with the options.
    """
    from vidseg.video.codecs import choose_codec

    return choose_codec(
        target, quality.codec, quality.crf, quality.preset, depth=quality.depth, alpha=alpha
    )


def preview_only(request: Request, plan: Plan, effect: "Callable[[], Effect]") -> None:
    """Draw a few moments onto the picture that --preview names, and nothing else."""
    assert request.trial.preview is not None
    draw_preview(
        plan,
        request.trial.preview,
        effect,
        search=request.search,
        span=request.span,
        run=request.run,
    )


def make_or_tell(request: Request, todo: Todo, output: "Callable[[Job, Path], Output]") -> None:
    """Make the output of each job under its name or, for a dry run, tell about it.

    `output` makes the output of a job, to be written to a path.
    """
    search, span, run = request.search, request.span, request.run
    if request.trial.dry_run:
        tell_estimates(todo, output, search=search, span=span, run=run)
        return
    outputs = {job: [output(job, job.target)] for job in todo.jobs}
    if request.parallel_encode and todo.single:
        _draw_in_segments(request, todo, outputs)
        return
    make(outputs, todo, search=search, span=span, run=run, cluster=request.cluster)


def _draw_in_segments(
    request: Request, todo: Todo, outputs: "Mapping[Job, Sequence[Output]]"
) -> None:
    from vidseg.cluster.drawing import draw as draw_by_workers

    search, span = request.search, request.span

    def do(job: Job, options: "RunOptions") -> "RunResult":
        workers = request.cluster.finder(job.target)
        return draw_by_workers(
            job.source, outputs[job], search=search, workers=workers, span=span, options=options
        )

    introduce(search, request.run)
    run_jobs(todo, do, request.run)


def make(
    outputs: "Mapping[Job, Sequence[Output]]",
    todo: Todo,
    *,
    search: "Search",
    span: Span,
    run: RunFlags,
    cluster: ClusterFlags | None = None,
) -> None:
    """Make the outputs of each job in one pass over its input, here or on workers; these find the
    objects of a single video, or do a whole input each."""
    from vidseg.pipeline.run import run as run_outputs

    def task_of(job: Job) -> "Do":
        return partial(run_outputs, job.source, outputs[job], span=span)

    def do(job: Job, options: "RunOptions") -> "RunResult | None":
        return task_of(job)(search=search, options=options)

    if run.watch is not None:
        _check_watch(run.watch, run, shared=bool(cluster) and not todo.single)
    introduce(search, run)
    if cluster and todo.single:
        search.share(cluster.finder(todo.jobs[0].target))
    if cluster and not todo.single:
        share_jobs(todo, task_of, search=search, run=run, cluster=cluster)
    else:
        run_jobs(todo, do, run)


def _check_watch(target: Path, run: RunFlags, *, shared: bool) -> None:
    """Raises OptionError: workers draw; OutputExistsError: the picture exists."""
    from vidseg.atomic_output import check_output

    if shared:
        raise OptionError("--watch shows one input at a time, and workers draw several at once.")
    check_output(target, (), force=run.force)
