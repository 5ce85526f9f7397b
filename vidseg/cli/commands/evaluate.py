"""vidseg evaluate."""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vidseg.cli.commands.data import CLASS_ATTRIBUTE, CLASS_NAME
from vidseg.cli.commands.data import FORMATS as PHOTO_FORMATS
from vidseg.cli.commands.evaluate_photos import judge_photos
from vidseg.cli.commands.evaluate_video import judge_clips, judge_video
from vidseg.cli.evaluate_request import Asked
from vidseg.cli.options import (
    SCORE,
    RunFlags,
    Span,
    examples,
    model_options,
    option,
    run_options,
    span_options,
)
from vidseg.cli.param_types import FilePath
from vidseg.cli.threads import limit_threads
from vidseg.errors import InputError, OptionError

if TYPE_CHECKING:
    from vidseg.pipeline.search import Search

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
    help="Judge these results instead of a model: COCO, YouTube-VIS, MOTS, DAVIS or .vidseg.",
)
@option("--out", type=FilePath(), metavar="DIR", show_default="none", help="Also write pictures.")
@option("--split", show_default="all", help="Only this split: train, val or test.")
@option(
    "--format",
    "name",
    type=click.Choice([*CLIP_FORMATS, *PHOTO_FORMATS]),
    show_default="found by looking",
    help="Format of the annotations.",
)
@CLASS_ATTRIBUTE
@CLASS_NAME
@SCORE
@option("--track/--no-track", default=True, help="Follow the objects of clips and videos.")
@option(
    "--gap",
    type=click.IntRange(min=1),
    default=5,
    metavar="N",
    help="An object that is away for at most so many frames and returns has flickered.",
)
@model_options
@span_options
@run_options
def evaluate(
    *,
    path: str,
    detections: str | None,
    out: str | None,
    split: str | None,
    name: str | None,
    class_attribute: str | None,
    class_name: str,
    score: float,
    track: bool,
    gap: int,
    searching: "partial[Search]",
    span: Span,
    run: RunFlags,
) -> None:
    """Judge a model, or results, by annotated photos or clips, or by how steady a video is.

    DATA is a dataset of photos (COCO's AP), annotated clips as YouTube-VIS JSON, DAVIS folders or
    MOTS (HOTA, IDF1, J&F, AP of tracks), or a video that nobody annotated (flicker, coverage). JSON
    goes to stdout, a table to stderr.
    """
    from vidseg.pipeline.search import check_fraction

    check_fraction("score", score)
    results = Path(detections) if detections else None
    given = Path(out) if out else None
    asked = Asked(Path(path), searching, results, score, track, gap, given, span, run)
    model = searching.keywords["model"]
    if results is not None and model:
        raise OptionError("Results take the place of a model; leave --model or --detections out.")
    if not asked.path.exists():
        raise InputError(f"{path} is not there; check the path.")
    limit_threads()
    clips = name if name in CLIP_FORMATS else None if name else _clip_format(asked.path)
    photos = clips is None and (name is not None or not _is_video(asked.path))
    _check_fits(asked, split, photos=photos, clips=clips is not None)
    if photos:
        options = {"format": name, "class_attribute": class_attribute, "class_name": class_name}
        report, lines = judge_photos(asked, split, options)
    else:
        report, lines = judge_clips(asked, clips) if clips else judge_video(asked)
    for line in lines:
        asked.tell(line)
    judged = {"model": model, "results": detections} if model or detections else {}
    click.echo(json.dumps({**judged, **report}, indent=2, ensure_ascii=False))


def _check_fits(asked: Asked, split: str | None, *, photos: bool, clips: bool) -> None:
    """Raises OptionError: an option that says nothing of such data."""
    if asked.out is not None and not photos:
        raise OptionError("--out shows photos; it has nothing to show of clips and videos.")
    if split is not None and not photos:
        raise OptionError("--split is for photos; clips and videos have none.")
    if (photos or clips) and (asked.span.start is not None or asked.span.end is not None):
        raise OptionError("--start and --end are for videos that nobody annotated.")


def _clip_format(path: Path) -> str | None:
    from vidseg.evaluation.read_results import CLIP_READERS

    return next((name for name, reader in CLIP_READERS.items() if reader.is_truth(path)), None)


def _is_video(path: Path) -> bool:
    """Any file that is not one of annotations."""
    from vidseg.datasets.format_detection import ANNOTATION_SUFFIXES

    return path.is_file() and path.suffix.lower() not in ANNOTATION_SUFFIXES
