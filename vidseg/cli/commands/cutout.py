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
from vidseg.cli.drawing import make_or_tell, media_arguments
from vidseg.cli.options import (
    ClusterFlags,
    Quality,
    RunFlags,
    Span,
    cluster_options,
    encoding_options,
    examples,
    option,
    run_options,
    search_options,
    span_options,
)
from vidseg.cli.threads import limit_threads
from vidseg.cli.trial import Trial, draw_preview, trial_options

if TYPE_CHECKING:
    from vidseg.effects import Effect
    from vidseg.pipeline.outputs import Output
    from vidseg.pipeline.search import Search


@click.command(
    epilog=examples(
        "vidseg cutout --class balloon garden.jpg balloons",
        "vidseg cutout --class person dance.mp4 dancers.mov",
    )
)
@media_arguments
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
@search_options
@span_options
@encoding_options
@trial_options
@run_options
@cluster_options
def cutout(
    *,
    sources: tuple[str, ...],
    target: str,
    refine: bool,
    per_object: bool,
    matte: bool,
    search: "Search",
    span: Span,
    quality: Quality,
    run: RunFlags,
    trial: Trial,
    cluster: ClusterFlags,
) -> None:
    """Cut the objects of IN out, onto transparency.

    OUT is a video (.mov as ProRes 4444, .webm or .mkv as VP9), one picture (.png, .webp, .tiff) of
    a photo, or, without an ending, a folder: with a cropped picture of each object in a photo, or
    one picture per frame. With --matte it is named as for `vidseg overlay`. Several inputs get one
    folder each in OUT.
    """
    from vidseg.video.codecs import choose_codec

    plan = media_plan(sources, target)
    folders = len(plan.jobs) > 1 and not matte
    if folders:
        plan = folder_plan(sources, target)
    check_one_input(plan, search)
    encodings = {
        job: choose_codec(
            "folder" if folders else job.target,
            quality.codec,
            quality.crf,
            quality.preset,
            depth=quality.depth,
            alpha=not matte,
        )
        for job in plan.jobs
    }
    if trial.preview is not None:

        def effect() -> "Effect":
            from vidseg.effects.cutout import Cutout, Matte

            return Matte(refine) if matte else Cutout(refine)

        draw_preview(plan, trial.preview, effect, search=search, span=span, run=run)
        return
    with outputs_checked(plan, run, folders=folders or None) as todo:
        limit_threads(several=several_frames(sources))
        from vidseg.pipeline.outputs import CutoutOutput

        def output(job: Job, path: Path) -> "Output":
            return CutoutOutput(
                path, refine=refine, per_object=per_object, matte=matte, encoding=encodings[job]
            )

        make_or_tell(todo, output, search=search, span=span, run=run, trial=trial, cluster=cluster)
