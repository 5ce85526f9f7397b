"""vidseg overlay."""

from typing import TYPE_CHECKING, Literal

import click

from vidseg.cli.drawing import Request, draw, drawing_options
from vidseg.cli.options import examples, option

if TYPE_CHECKING:
    from vidseg.effects import Effect


@click.command(
    epilog=examples(
        "vidseg overlay street.mp4 street_objects.mp4",
        "vidseg overlay --class person,dog --no-boxes --start 1:30 --end 1:45 park.mov out.mp4",
    )
)
@option("--alpha", type=click.FloatRange(0, 1), default=0.5, help="Strength of the masks' colour.")
@option("--masks/--no-masks", default=True, help="Tint the objects.")
@option("--boxes/--no-boxes", default=True, help="Draw boxes.")
@option(
    "--labels",
    type=click.Choice(["id", "class", "score", "none"]),
    default="id",
    help="Write class, score and track id (see --id); class and score; the class; or nothing.",
)
@option("--contours/--no-contours", default=False, help="Draw outlines.")
@option(
    "--color-by",
    type=click.Choice(["object", "class"]),
    default="object",
    help="One colour for every object, or for every class.",
)
@drawing_options
def overlay(
    *,
    alpha: float,
    masks: bool,
    boxes: bool,
    labels: Literal["id", "class", "score", "none"],
    contours: bool,
    color_by: Literal["object", "class"],
    request: Request,
) -> None:
    """Draw the objects of IN over it: masks, boxes and names.

    OUT is a video (.mp4, .mov, .mkv, .webm), a .gif, a photo, or, without an ending, a folder of
    photos. A slash at its end, or several inputs: a folder for outputs named as the inputs.
    """

    def effect() -> "Effect":
        from vidseg.effects import Overlay

        return Overlay(
            request.search.names,
            alpha=alpha,
            masks=masks,
            boxes=boxes,
            labels=labels,
            contours=contours,
            color_by=color_by,
        )

    draw(request, effect)
