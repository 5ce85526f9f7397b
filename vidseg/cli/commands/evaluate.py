"""vidseg evaluate."""

import click

from vidseg.cli.commands.data import CLASS_ATTRIBUTE, CLASS_NAME, CROWDS
from vidseg.cli.commands.data import FORMATS as PHOTO_FORMATS
from vidseg.cli.console import say
from vidseg.cli.json_or_table import JSON_OPTION, print_report
from vidseg.cli.option import as_options
from vidseg.cli.options import (
    SCORE_OPTION,
    ClusterFlags,
    ModelFlags,
    RunFlags,
    Span,
    cluster_options,
    examples,
    model_flags,
    option,
    run_options,
    span_options,
)
from vidseg.cli.param_types import FilePath
from vidseg.cli.progress import Download, Progress
from vidseg.cli.threads import limit_threads

CLIP_FORMATS = ("ytvis", "davis", "mots")


@click.command(
    epilog=examples(
        "vidseg evaluate --model balloon --split val --out report photos/",
        "vidseg evaluate --model balloon --class balloon party.mp4",
        "vidseg evaluate --detections results/ DAVIS/",
    )
)
@click.argument("path", type=FilePath(), metavar="DATA")
@option(
    "--detections",
    type=FilePath(),
    show_default="none",
    help="Evaluate these results, not a model: COCO, YouTube-VIS, MOTS, DAVIS or .vidseg.",
)
@option(
    "--out",
    type=FilePath(),
    metavar="DIR",
    show_default="none",
    help="Also write a page, and pictures.",
)
@option("--split", show_default="all", help="Only this split: train, val or test.")
@option(
    "--format",
    "name",
    type=click.Choice([*CLIP_FORMATS, *PHOTO_FORMATS]),
    show_default="detected",
    help="Format of the annotations.",
)
@CLASS_ATTRIBUTE
@CLASS_NAME
@CROWDS
@SCORE_OPTION
@option(
    "--max-objects",
    type=click.IntRange(min=1),
    default=100,
    metavar="N",
    help="Detections per photo that count for AP, those with the best scores.",
)
@option("--track/--no-track", default=True, help="Track the objects of clips and videos.")
@option(
    "--gap",
    type=click.IntRange(min=1),
    default=5,
    metavar="N",
    help="An object that is away for at most N frames and comes back has flickered.",
)
@JSON_OPTION
@model_flags
@span_options
@run_options
@cluster_options
def evaluate(
    *,
    path: str,
    detections: str | None,
    out: str | None,
    split: str | None,
    name: str | None,
    class_attribute: str | None,
    class_name: str,
    crowds_as_objects: bool,
    score: float,
    max_objects: int,
    track: bool,
    gap: int,
    as_json: bool,
    model: ModelFlags,
    span: Span,
    run: RunFlags,
    cluster: ClusterFlags,
) -> None:
    """Evaluate a model, or results, on annotated photos or clips, or on a video.

    DATA is a dataset of photos (COCO's AP), annotated clips as YouTube-VIS JSON, DAVIS folders or
    MOTS (HOTA, IDF1, J&F, AP of tracks), or a video without annotations (flicker, coverage). A
    model of `vidseg train` is evaluated on the photos that its run held out.
    """
    from vidseg.pipeline.evaluate import evaluate as evaluate_data
    from vidseg.pipeline.evaluation_request import EvaluationOptions
    from vidseg.pipeline.run_options import RunOptions

    options = EvaluationOptions(
        score=score,
        track=track,
        max_gap=gap,
        max_objects=max_objects,
        format=name,
        split=split,
        class_attribute=class_attribute,
        class_name=class_name,
        crowds_as_objects=crowds_as_objects,
    )
    limit_threads()
    lines = run.telling.lines(path)
    with Progress(bar=run.progress, quiet=True, lines=lines) as progress:
        download = Download().on_bytes if run.progress else None
        evaluation = evaluate_data(
            path,
            model.model,
            classes=model.classes,
            detections=detections,
            out=out,
            options=options,
            model_options=model.options(),
            span=span,
            run=RunOptions(run.force, progress.on_frame, download, on_found=progress.on_found),
            workers=cluster.finder() if cluster else None,
        )
    for note in evaluation.notes if not run.quiet else ():
        say(as_options(note))
    print_report(evaluation.report, evaluation.table, as_json=as_json)
