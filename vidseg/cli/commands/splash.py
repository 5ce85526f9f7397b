"""vidseg splash."""

from typing import TYPE_CHECKING

import click

from vidseg.cli.drawing import Request, draw, drawing_options
from vidseg.cli.options import examples, option

if TYPE_CHECKING:
    from vidseg.effects import Effect


@click.command(
    epilog=examples(
        "vidseg splash --class balloon examples/balloons.mp4 balloons_splash.mp4",
        "vidseg splash --class person --feather 6 holiday.mov holiday_splash.mov",
    )
)
@option(
    "--feather",
    type=click.FloatRange(0, 250),
    show_default="as soft as the masks",
    help="Pixels over which colour fades to grey; up to 250; 0 is a hard edge.",
)
@drawing_options
def splash(*, feather: float | None, request: Request) -> None:
    """Keep the objects of IN in colour and turn the rest grey.

    A frame where nothing was found is all grey. OUT is named as for `vidseg overlay`.
    """

    def effect() -> "Effect":
        from vidseg.effects import Splash

        return Splash(feather)

    draw(request, effect)
