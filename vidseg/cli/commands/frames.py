"""vidseg frames."""

from typing import TYPE_CHECKING

import click

from vidseg.cli.batch import (
    Job,
    Todo,
    check_one_input,
    folder_plan,
    outputs_checked,
    several_frames,
)
from vidseg.cli.drawing import make
from vidseg.cli.options import (
    TOLERANCE_OPTION,
    ClusterFlags,
    RunFlags,
    Span,
    cluster_options,
    examples,
    option,
    run_options,
    search_options,
    skip_existing_option,
    span_options,
)
from vidseg.cli.param_types import InputPath, OutputPath
from vidseg.cli.standard_output import STANDARD_OUTPUT, written_to
from vidseg.cli.threads import limit_threads
from vidseg.errors import OptionError
from vidseg.remote.paths import as_path
from vidseg.results.formats.names import FORMATS

if TYPE_CHECKING:
    from vidseg.pipeline.search import Search


@click.command(
    epilog=examples(
        "vidseg frames street.mp4 street_masks",
        "vidseg frames --class car --per-object --image street.mp4 street_masks",
    )
)
@click.argument("sources", type=InputPath(), metavar="IN...", nargs=-1, required=True)
@click.argument("target", type=OutputPath(stdout=True), metavar="OUTDIR")
@option(
    "--format",
    "name",
    type=click.Choice(list(FORMATS)),
    show_default="a folder of PNG with instances.json",
    help="Write another format instead; OUTDIR is then a file or a folder, as the format has it.",
)
@option(
    "--per-object",
    is_flag=True,
    help="Also write one 0/255 PNG for every object and frame, which keeps overlaps.",
)
@option("--image", is_flag=True, help="Also write the frame itself.")
@TOLERANCE_OPTION
@search_options
@span_options
@run_options
@skip_existing_option
@cluster_options
def frames(
    *,
    sources: tuple[str, ...],
    target: str,
    name: str | None,
    per_object: bool,
    image: bool,
    tolerance: float | None,
    search: "Search",
    span: Span,
    run: RunFlags,
    cluster: ClusterFlags,
) -> None:
    """Save the objects of every frame of IN in the folder OUTDIR.

    Writes one indexed PNG per frame (0 is background, else the object's number) and instances.json
    with times, classes, scores, boxes and RLE masks. Several inputs get a folder each in OUTDIR.
    """
    if name is not None:
        if per_object:
            raise OptionError("--per-object belongs to the default format; use --format objects.")
        source, *others = sources
        if others:
            raise OptionError("--format writes one output; run the inputs one after another.")
        limit_threads(several=several_frames(sources))
        from vidseg.pipeline.outputs import ExportOutput

        with written_to(target, name) as path:
            output = ExportOutput(path, name, image=image, tolerance=tolerance)
            job = Job(as_path(source), as_path(target))
            todo = Todo([job], [], single=True)
            make({job: [output]}, todo, search=search, span=span, run=run, cluster=cluster)
        return
    if target == STANDARD_OUTPUT:
        raise OptionError("A folder of masks cannot go to standard output; name a text --format.")
    if tolerance is not None:
        raise OptionError("--tolerance belongs to formats of outlines, such as --format labelme.")
    plan = folder_plan(sources, target)
    check_one_input(plan, search)
    with outputs_checked(plan, run, folders=True) as todo:
        limit_threads(several=several_frames(sources))
        from vidseg.pipeline.outputs import MaskFolderOutput

        outputs = {
            job: [MaskFolderOutput(job.target, per_object=per_object, image=image)]
            for job in todo.jobs
        }
        make(outputs, todo, search=search, span=span, run=run, cluster=cluster)
