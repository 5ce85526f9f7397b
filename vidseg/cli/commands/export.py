"""vidseg export."""

from typing import TYPE_CHECKING

import click

from vidseg.cli.batch import Job, Todo, run_jobs
from vidseg.cli.options import (
    CLASS_OPTION,
    MAX_OBJECTS,
    SCORE_OPTION,
    TOLERANCE_OPTION,
    RunFlags,
    examples,
    option,
    run_options,
)
from vidseg.cli.param_types import OutputPath, split_names
from vidseg.cli.standard_output import written_to
from vidseg.remote.paths import as_path
from vidseg.results.formats.names import FORMATS

if TYPE_CHECKING:
    from vidseg.pipeline.run_options import RunOptions, RunResult


@click.command(
    epilog=examples(
        "vidseg export --format coco street.vidseg street.json",
        "vidseg export --format yolo --class car --score 0.7 street.vidseg street_cars",
    )
)
@click.argument("detections", metavar="DETECTIONS")
@click.argument("target", type=OutputPath(stdout=True), metavar="OUT")
@option("--format", "name", type=click.Choice(list(FORMATS)), required=True, help="What to write.")
@CLASS_OPTION
@SCORE_OPTION
@MAX_OBJECTS
@TOLERANCE_OPTION
@run_options
def export(
    *,
    detections: str,
    target: str,
    name: str,
    classes: tuple[str, ...],
    score: float,
    max_objects: int | None,
    tolerance: float | None,
    run: RunFlags,
) -> None:
    """Write saved detections, a file of `vidseg detect`, in another format.

    OUT is a file or a folder, as the format has it; - is standard output, for text.
    """
    from vidseg.pipeline.export_file import export as write
    from vidseg.pipeline.search import Search

    search = Search(
        split_names(classes), score=score, max_objects=max_objects, detections=detections
    )

    def do(job: Job, options: "RunOptions") -> "RunResult":
        with written_to(target, name) as path:
            return write(path, name, search=search, options=options, tolerance=tolerance)

    run_jobs(Todo([Job(as_path(detections), as_path(target))], [], single=True), do, run)
