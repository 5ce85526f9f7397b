"""vidseg cutout."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vidseg.cli.batch import (
    Job,
    check_one_input,
    folder_plan,
    media_plan,
    outputs_checked,
    several_frames,
)
from vidseg.cli.drawing import (
    Request,
    drawing_options,
    encoding_for,
    make_or_tell,
    preview_only,
)
from vidseg.cli.options import examples, option
from vidseg.cli.threads import limit_threads

if TYPE_CHECKING:
    from vidseg.effects import Effect
    from vidseg.pipeline.outputs import Output


@click.command(
    epilog=examples(
        "vidseg cutout --class balloon garden.jpg balloons",
        "vidseg cutout --class person dance.mp4 dancers.mov",
    )
)
@option(
    "--refine/--no-refine",
    default=True,
    help="Move the edges of the masks onto the edges of the picture.",
)
@option(
    "--per-object",
    is_flag=True,
    help="One folder per object; those of a photo hold one picture each.",
)
@option("--matte", is_flag=True, help="White objects on black instead of transparency.")
@drawing_options
def cutout(*, refine: bool, per_object: bool, matte: bool, request: Request) -> None:
    """Cut the objects of IN out, onto transparency.

    OUT is a video (.mov as ProRes 4444, .webm or .mkv as VP9), one picture (.png, .webp, .tiff) of
    a photo, or, without an ending, a folder: with a cropped picture of each object in a photo, or
    one picture per frame. With --matte it is named as for `vidseg overlay`. Several inputs get one
    folder each in OUT.
    """
    plan = media_plan(request.sources, request.target)
    folders = len(plan.jobs) > 1 and not matte
    if folders:
        plan = folder_plan(request.sources, request.target)
    check_one_input(plan, request.search)
    encodings = {
        job: encoding_for("folder" if folders else job.target, request.quality, alpha=not matte)
        for job in plan.jobs
    }
    if request.trial.preview is not None:

        def effect() -> "Effect":
            from vidseg.effects.cutout import Cutout, Matte

            return Matte(refine) if matte else Cutout(refine)

        preview_only(request, plan, effect)
        return
    with outputs_checked(plan, request.run, folders=folders or None) as todo:
        limit_threads(several=several_frames(request.sources))
        from vidseg.pipeline.outputs import CutoutOutput

        def output(job: Job, path: Path) -> "Output":
            return CutoutOutput(
                path, refine=refine, per_object=per_object, matte=matte, encoding=encodings[job]
            )

        make_or_tell(request, todo, output)
