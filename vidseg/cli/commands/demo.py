"""vidseg demo."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vidseg.cli.batch import Job, Plan, folder_made, run_jobs, sort_jobs
from vidseg.cli.console import say
from vidseg.cli.options import RunFlags, Span, examples, run_options, skip_existing_option
from vidseg.cli.param_types import OutputPath
from vidseg.cli.threads import limit_threads

if TYPE_CHECKING:
    from vidseg.pipeline.run_options import RunOptions, RunResult

DEMO_CLIP = Path(__file__).parents[1] / "demo.mp4"
"""Two seconds of the example video, at 640 x 360."""
DEMO_MODEL = "balloon"
"""The bundled model that knows what is in the clip."""


@click.command(epilog=examples("vidseg demo", "vidseg demo --force balloons"))
@click.argument("folder", type=OutputPath(), metavar="[DIR]", default="vidseg_demo")
@run_options
@skip_existing_option
def demo(*, folder: str, run: RunFlags) -> None:
    """Try vidseg on a bundled clip: its overlay and its splash, in DIR (vidseg_demo).

    Takes seconds, and needs no network.
    """
    from vidseg.atomic_output import check_output

    names = ("balloons_overlay.mp4", "balloons_splash.mp4")
    overlaid, splashed = (Path(folder) / name for name in names)
    plan = Plan([Job(DEMO_CLIP, overlaid, (splashed,))], Path(folder))

    def check(job: Job) -> None:
        for target in (job.target, *job.others):
            check_output(target, [job.source], force=run.force)

    def do(job: Job, options: "RunOptions") -> "RunResult":
        search = Search(model=DEMO_MODEL)
        outputs = [
            VideoOutput(overlaid, Overlay(search.names)),
            VideoOutput(splashed, Splash()),
        ]
        return run_outputs(job.source, outputs, search=search, span=Span(), options=options)

    with folder_made(plan):
        todo = sort_jobs(plan, run, check)
        limit_threads()
        from vidseg.effects import Overlay, Splash
        from vidseg.pipeline.outputs import VideoOutput
        from vidseg.pipeline.run import run as run_outputs
        from vidseg.pipeline.search import Search

        run_jobs(todo, do, run)
    if todo.jobs and not run.quiet:
        say("Next, a video of yours: vidseg overlay VIDEO out.mp4 --preview look.png")
