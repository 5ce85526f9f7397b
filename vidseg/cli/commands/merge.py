"""vidseg merge."""

from typing import TYPE_CHECKING

import click

from vidseg.cli.batch import Job, Plan, run_jobs, sort_jobs
from vidseg.cli.options import RunFlags, examples, option, run_options, skip_existing_option
from vidseg.cli.param_types import FilePath, OutputPath
from vidseg.cli.threads import limit_threads
from vidseg.remote.paths import as_path

if TYPE_CHECKING:
    from vidseg.pipeline.run_options import RunOptions, RunResult


@click.command(
    epilog=examples(
        "vidseg merge parts/ street.vidseg",
        "vidseg merge --input /data/street.mp4 parts/ street.vidseg",
    )
)
@click.argument("folder", type=FilePath(), metavar="PARTS")
@click.argument("target", type=OutputPath(), metavar="OUT")
@option(
    "--input",
    "source",
    type=FilePath(),
    show_default="where the parts found it",
    help="The video that the parts are of, if it was moved.",
)
@option(
    "--mixed",
    is_flag=True,
    help="Join parts of machines whose results differ in the last bits.",
)
@run_options
@skip_existing_option
def merge(*, folder: str, target: str, source: str | None, mixed: bool, run: RunFlags) -> None:
    """Join the parts that `vidseg detect --frames` wrote into PARTS to one file of detections, OUT.

    It equals the file of one run over the whole video: objects are tracked once, over all parts.
    """
    from vidseg.pipeline.merge import merge as join
    from vidseg.results.vidseg_writer import check_detections_output

    limit_threads(several=True)

    def do(job: Job, options: "RunOptions") -> "RunResult":
        return join(job.source, job.target, source=source, mixed=mixed, options=options)

    def check(job: Job) -> None:
        check_detections_output(job.target, force=run.force)

    run_jobs(sort_jobs(Plan([Job(as_path(folder), as_path(target))]), run, check), do, run)
