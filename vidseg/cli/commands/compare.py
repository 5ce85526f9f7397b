"""vidseg compare."""

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from vidseg.cli.json_or_table import JSON_OPTION, print_report
from vidseg.cli.options import (
    CLASS_OPTION,
    SCORE_OPTION,
    TILES_OPTION,
    Quality,
    RunFlags,
    Span,
    encoding_options,
    examples,
    option,
    run_options,
    span_options,
)
from vidseg.cli.param_types import Device, FilePath, ModelName, OutputPath, split_names
from vidseg.cli.progress import Progress
from vidseg.cli.threads import limit_threads

if TYPE_CHECKING:
    from vidseg.pipeline.compare_models import Comparison, OnModel


@click.command(
    epilog=examples(
        "vidseg compare --model maskrcnn_resnet50_fpn --model maskrcnn_resnet50_fpn_v2 street.mp4",
        "vidseg compare --model balloon --model runs/mine/best.pt --end 10 party.mp4 both.mp4",
    )
)
@click.argument("source", type=FilePath(), metavar="IN")
@click.argument("target", type=OutputPath(), metavar="[OUT]", required=False)
@option(
    "--model",
    "models",
    type=ModelName(),
    multiple=True,
    required=True,
    show_default=False,
    help="Name of a model (see `vidseg models`) or a model file; give two or more.",
)
@CLASS_OPTION
@SCORE_OPTION
@option("--device", type=Device(), default="auto", help="auto, cpu, cuda, cuda:N or mps.")
@TILES_OPTION
@JSON_OPTION
@encoding_options
@span_options
@run_options
def compare(
    *,
    source: str,
    target: str | None,
    models: tuple[str, ...],
    classes: tuple[str, ...],
    score: float,
    device: str,
    tiles: str | None,
    as_json: bool,
    quality: Quality,
    span: Span,
    run: RunFlags,
) -> None:
    """Run several models on IN: time, memory, objects, and how far they agree.

    Prints a table, or JSON with --json or where stdout is no terminal. OUT, if given, is a video
    that shows what the models find side by side.
    """
    from vidseg.pipeline.search import Search
    from vidseg.video.codecs import choose_codec

    names = split_names(classes)
    options: dict[str, dict[str, Any]] = {
        model: {"classes": names, "model": model, "device": device, "tiles": tiles}
        for model in models
    }
    for each in options.values():
        Search(**each, score=score)  # wrong options come out before anything starts
    given = quality.codec, quality.crf, quality.preset
    encoding = choose_codec(target, *given, depth=quality.depth) if target else None
    limit_threads()
    from vidseg.pipeline.compare_models import compare as measure

    with ExitStack() as bars:
        comparison = measure(
            source,
            options,
            target,
            score=score,
            encoding=encoding,
            span=span,
            force=run.force,
            on_frame=_progress(bars, run),
        )
    print_report(comparison.facts(), table(comparison), as_json=as_json)


def _progress(bars: ExitStack, run: RunFlags) -> "OnModel":
    """A bar for each model."""
    each: dict[str, Progress] = {}

    def on_frame(model: str, done: int, total: int | None) -> None:
        if model not in each:
            lines = run.telling.lines(model)
            told = Progress(bar=run.progress, quiet=True, lines=lines)
            each[model] = bars.enter_context(told)
        each[model].on_frame(done, total)

    return on_frame


def table(comparison: "Comparison") -> list[str]:
    """The comparison for people."""
    first = max(len("model"), *(len(each.model) for each in comparison.models))
    head = f"{'model':<{first}}  loading  a frame  frames/s  peak memory  objects/frame"
    lines = [head]
    for each in comparison.models:
        frame = each.seconds / each.frames
        lines.append(
            f"{each.model:<{first}}  {each.loading:>6.1f}s  {frame:>6.3f}s  {1 / frame:>8.1f}  "
            f"{each.peak_bytes / 1e6:>8.0f} MB  {each.objects / each.frames:>13.1f}"
        )
    for each in comparison.agreements:
        overlap = "" if each.mean_iou is None else f", mean IoU {each.mean_iou:.3f}"
        lines.append(
            f"{each.models[0]} and {each.models[1]} agree: {each.f_measure:.1%} of the objects"
            f"{overlap}"
        )
    return lines
