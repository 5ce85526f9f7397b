"""vidseg run."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vidseg.cli.batch import Job, Todo, several_frames
from vidseg.cli.drawing import make
from vidseg.cli.options import (
    ClusterFlags,
    Quality,
    RunFlags,
    Span,
    cluster_options,
    encoding_options,
    examples,
    run_options,
    search_options,
    span_options,
    watch_option,
)
from vidseg.cli.output_specs import OutputSpec, outputs_for, refuse_slashes, to_option
from vidseg.cli.param_types import FilePath
from vidseg.cli.threads import limit_threads
from vidseg.remote.paths import as_path

if TYPE_CHECKING:
    from vidseg.pipeline.search import Search


@click.command(
    epilog=examples(
        "vidseg run street.mp4 --to overlay=drawn.mp4 --to splash=splashed.mp4 --to coco=out.json",
        "vidseg run party.mov --class person --to pixelate:cells=8=safe.mov --to frames=masks",
    )
)
@click.argument("source", type=FilePath(), metavar="IN")
@to_option
@search_options
@span_options
@encoding_options
@run_options
@watch_option
@cluster_options
def run(
    *,
    source: str,
    wanted: list[OutputSpec],
    search: "Search",
    span: Span,
    quality: Quality,
    run: RunFlags,
    cluster: ClusterFlags,
) -> None:
    """Make several outputs of IN at once: it is read, and its objects are found, only once.

    If one output fails, the run ends and leaves none that is not whole.
    """
    limit_threads(several=several_frames([source]))
    if not Path(source).is_dir():
        refuse_slashes(wanted)
    outputs = outputs_for(wanted, search, quality)
    targets = [output.target for output in outputs] + ([search.save] if search.save else [])
    job = Job(as_path(source), targets[0], tuple(targets[1:]))
    todo = Todo([job], [], single=True)
    make({job: outputs}, todo, search=search, span=span, run=run, cluster=cluster)
