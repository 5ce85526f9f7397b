"""vidseg report."""

from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidseg.cli.batch import Job, Plan, introduce, run_jobs, sort_jobs
from vidseg.cli.options import (
    Command,
    RunFlags,
    Span,
    examples,
    option,
    run_options,
    search_options,
    skip_existing_option,
    span_options,
)
from vidseg.cli.param_types import FilePath, InputPath, OutputPath
from vidseg.cli.threads import limit_threads
from vidseg.remote.paths import as_path

if TYPE_CHECKING:
    from vidseg.pipeline.run_options import RunOptions, RunResult
    from vidseg.pipeline.search import Search


def detections_as_input(command: Command) -> Command:
    """IN may be a file of detections: it then stands for --detections."""

    @click.argument("source", type=InputPath(), metavar="IN|DETECTIONS")
    @click.argument("target", type=OutputPath(), metavar="OUT.html")
    @wraps(command)
    def wrapper(*, source: str, target: str, detections: str | None, **others: Any) -> Any:
        from vidseg.results.vidseg_header import is_detections

        if is_detections(Path(source)):
            if detections is not None:
                raise click.UsageError("IN is a file of detections already; leave --detections.")
            detections = source
        return command(source=source, target=target, detections=detections, **others)

    return wrapper


@click.command(
    epilog=examples(
        "vidseg report --class person street.mp4 street.html",
        "vidseg detect street.mp4 street.vidseg && vidseg report street.vidseg street.html",
    )
)
@detections_as_input
@option(
    "--video",
    type=FilePath(),
    show_default="beside the detections, under its name",
    help="Where the video of DETECTIONS is.",
)
@search_options
@span_options
@run_options
@skip_existing_option
def report(
    *,
    source: str,
    target: str,
    video: str | None,
    search: "Search",
    span: Span,
    run: RunFlags,
) -> None:
    """Write a page about every track of IN, its worst moments, and how they were found.

    IN is a video, or a file of `vidseg detect`, whose video is then looked for beside it; or
    annotated clips (YouTube-VIS, DAVIS, MOTS), whose truth is shown beside what is found. The page
    is one file that opens in any browser, without a network.
    """
    from vidseg.atomic_output import check_output

    def check(job: Job) -> None:
        check_output(job.target, [job.source], force=run.force)

    def do(job: Job, options: "RunOptions") -> "RunResult":
        return write(job.source, job.target, search=search, video=video, span=span, options=options)

    todo = sort_jobs(Plan([Job(as_path(source), as_path(target))]), run, check)
    limit_threads()
    from vidseg.pipeline.report import report as write

    if search.saved is None:
        introduce(search, run)
    run_jobs(todo, do, run)
