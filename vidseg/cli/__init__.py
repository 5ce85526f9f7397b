"""The command line: one file a command; heavy libraries are imported inside the functions."""

import sys
import traceback
from typing import Any

import click

from vidseg.cli.commands.classes import classes
from vidseg.cli.commands.compare import compare
from vidseg.cli.commands.cutout import cutout
from vidseg.cli.commands.data import data
from vidseg.cli.commands.detect import detect
from vidseg.cli.commands.draw import draw
from vidseg.cli.commands.evaluate import evaluate
from vidseg.cli.commands.export import export
from vidseg.cli.commands.frames import frames
from vidseg.cli.commands.info import info
from vidseg.cli.commands.inspect import inspect
from vidseg.cli.commands.merge import merge
from vidseg.cli.commands.models import models
from vidseg.cli.commands.overlay import overlay
from vidseg.cli.commands.run import run
from vidseg.cli.commands.splash import splash
from vidseg.cli.commands.train import train
from vidseg.cli.exit_codes import CommandError, errors_as_sentences, stop_on_signals
from vidseg.cli.options import VERBOSITY, examples
from vidseg.cli.threads import numpy_on_one_thread
from vidseg.version import __version__


class Program(click.Group):
    """A group whose commands stop cleanly on signals and report errors as one sentence."""

    def invoke(self, ctx: click.Context) -> Any:
        numpy_on_one_thread()
        try:
            with errors_as_sentences(), stop_on_signals():
                return super().invoke(ctx)
        except CommandError as failure:
            if ctx.meta.get(VERBOSITY, 0) >= 2:
                traceback.print_exc(file=sys.stderr)
            click.echo(f"Error: {failure}", err=True)
            ctx.exit(failure.exit_code)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of use, not of the alphabet."""
        return list(self.commands)


@click.group(
    cls=Program,
    commands=[
        overlay,
        splash,
        draw,
        cutout,
        frames,
        run,
        detect,
        merge,
        export,
        data,
        train,
        evaluate,
        inspect,
        compare,
        classes,
        models,
        info,
    ],
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(
        "vidseg overlay street.mp4 street_objects.mp4",
        "vidseg splash --class balloon party.mp4 party_splash.mp4",
    )
    + "\n\nExit codes: 0 done, 1 something went wrong, 2 wrong options, 130 Ctrl-C, 143 SIGTERM.",
)
@click.version_option(__version__, prog_name="vidseg")
def main() -> None:
    """Find objects in every frame of a video, and draw, splash or save them.

    IN may be a video, an animated image, a photo or a folder of photos.
    """
