"""vidseg export."""

from pathlib import Path

import click

from vidseg.cli.batch import Job, OnFrame, run_jobs
from vidseg.cli.options import (
    CLASS,
    MAX_OBJECTS,
    SCORE,
    Run,
    examples,
    option,
    run_options,
)
from vidseg.cli.param_types import FilePath, split_names
from vidseg.results.formats.names import FORMATS


@click.command(
    epilog=examples(
        "vidseg export --format coco street.vidseg street.json",
        "vidseg export --format yolo --class car --score 0.7 street.vidseg street_cars",
    )
)
@click.argument("detections", metavar="DETECTIONS")
@click.argument("target", type=FilePath(), metavar="OUT")
@option("--format", "name", type=click.Choice(list(FORMATS)), required=True, help="What to write.")
@CLASS
@SCORE
@MAX_OBJECTS
@run_options
def export(
    *,
    detections: str,
    target: str,
    name: str,
    classes: tuple[str, ...],
    score: float,
    max_objects: int | None,
    run: Run,
) -> None:
    """Write saved detections, a file of `vidseg detect`, in another format.

    OUT is a file or a folder, as the format has it.
    """
    from vidseg.pipeline.export_file import export as write
    from vidseg.pipeline.search import Search

    search = Search(
        split_names(classes), score=score, max_objects=max_objects, detections=detections
    )

    def do(job: Job, on_frame: OnFrame) -> None:
        write(job.target, name, search=search, force=run.force, on_frame=on_frame)

    run_jobs([Job(Path(detections), Path(target))], do, run)
