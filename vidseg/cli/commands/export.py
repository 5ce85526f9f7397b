"""vidseg export."""

from typing import TYPE_CHECKING

import click

from vidseg.cli.batch import Job, Todo, run_jobs
from vidseg.cli.console import say
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
from vidseg.cli.progress import Download
from vidseg.cli.standard_output import written_to
from vidseg.cli.threads import limit_threads
from vidseg.remote.paths import as_path
from vidseg.results.formats.names import FORMATS

if TYPE_CHECKING:
    from vidseg.pipeline.run_options import RunOptions, RunResult


@click.command(
    epilog=examples(
        "vidseg export --format coco street.vidseg street.json",
        "vidseg export --format yolo --class car --score 0.7 street.vidseg street_cars",
        "vidseg export --onnx everyday everyday_onnx",
    )
)
@click.argument("source", metavar="DETECTIONS|MODEL")
@click.argument("target", type=OutputPath(stdout=True), metavar="OUT")
@option(
    "--format",
    "name",
    type=click.Choice(list(FORMATS)),
    show_default="none",
    help="Write the objects of DETECTIONS in this format.",
)
@option(
    "--onnx",
    is_flag=True,
    help="Write the networks of MODEL, a name or a file, into the folder OUT as ONNX files.",
)
@CLASS_OPTION
@SCORE_OPTION
@MAX_OBJECTS
@TOLERANCE_OPTION
@run_options
def export(
    *,
    source: str,
    target: str,
    name: str | None,
    onnx: bool,
    classes: tuple[str, ...],
    score: float,
    max_objects: int | None,
    tolerance: float | None,
    run: RunFlags,
) -> None:
    """Write saved detections, a file of `vidseg detect`, in another format, or a model as ONNX.

    OUT is a file or a folder, as the format has it; - is standard output, for text.
    """
    if onnx == (name is not None):
        raise click.UsageError("Give --format for detections, or --onnx for a model.")
    if onnx:
        _export_model(source, target, run)
        return
    assert name is not None
    from vidseg.pipeline.export_file import export as write
    from vidseg.pipeline.search import Search

    search = Search(split_names(classes), score=score, max_objects=max_objects, detections=source)

    def do(job: Job, options: "RunOptions") -> "RunResult":
        with written_to(target, name) as path:
            return write(path, name, search=search, options=options, tolerance=tolerance)

    run_jobs(Todo([Job(as_path(source), as_path(target))], [], single=True), do, run)


def _export_model(model: str, target: str, run: RunFlags) -> None:
    from vidseg.models.onnx_export import export_onnx

    if target == "-":
        raise click.UsageError("A model is written into a folder; name one.")
    limit_threads()
    on_download = Download().on_bytes if run.progress else None
    files = export_onnx(model, target, force=run.force, on_download=on_download)
    if not run.quiet:
        say(f"{target}: {', '.join(files)}")
