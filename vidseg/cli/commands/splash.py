"""vidseg splash."""

from typing import TYPE_CHECKING

import click

from vidseg.cli.drawing import draw, media_arguments
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
from vidseg.cli.trial import Trial, trial_options

if TYPE_CHECKING:
    from vidseg.effects import Effect
    from vidseg.pipeline.search import Search


@click.command(
    epilog=examples(
        "vidseg splash --class balloon examples/balloons.mp4 balloons_splash.mp4",
        "vidseg splash --class person --feather 6 holiday.mov holiday_splash.mov",
    )
)
@media_arguments
@option(
    "--feather",
    type=click.FloatRange(0, 250),
    show_default="as soft as the masks",
    help="Pixels over which colour fades to grey; up to 250; 0 is a hard edge.",
)
@search_options
@span_options
@encoding_options
@trial_options
@run_options
@cluster_options
def splash(
    *,
    sources: tuple[str, ...],
    target: str,
    feather: float | None,
    search: "Search",
    span: Span,
    quality: Quality,
    run: RunFlags,
    trial: Trial,
    cluster: ClusterFlags,
) -> None:
    """Keep the objects of IN in colour and turn the rest grey.

    A frame where nothing was found is all grey. OUT is named as for `vidseg overlay`.
    """

    def effect() -> "Effect":
        from vidseg.effects import Splash

        return Splash(feather)

    draw(
        sources,
        target,
        effect,
        search=search,
        span=span,
        quality=quality,
        run=run,
        trial=trial,
        cluster=cluster,
    )
