"""The command line: one file per command; heavy libraries are imported inside the functions."""

import sys
import traceback
from typing import Any

import click

from vidseg.cli.commands.classes import classes
from vidseg.cli.commands.compare import compare
from vidseg.cli.commands.cutout import cutout
from vidseg.cli.commands.data import data
from vidseg.cli.commands.demo import demo
from vidseg.cli.commands.detect import detect
from vidseg.cli.commands.doctor import doctor
from vidseg.cli.commands.draw import draw
from vidseg.cli.commands.evaluate import evaluate
from vidseg.cli.commands.export import export
from vidseg.cli.commands.frames import frames
from vidseg.cli.commands.info import info
from vidseg.cli.commands.inspect import inspect
from vidseg.cli.commands.live import live
from vidseg.cli.commands.merge import merge
from vidseg.cli.commands.models import models
from vidseg.cli.commands.overlay import overlay
from vidseg.cli.commands.report import report
from vidseg.cli.commands.run import run
from vidseg.cli.commands.splash import splash
from vidseg.cli.commands.train import train
from vidseg.cli.config_file import add_config_option
from vidseg.cli.exit_codes import CommandError, errors_as_sentences, stop_on_signals
from vidseg.cli.options import VERBOSITY, examples
from vidseg.cli.threads import numpy_on_one_thread, opencv_silent
from vidseg.version import __version__

HOW_TO_BEGIN = """\
vidseg finds the objects in a video, and draws, splashes, cuts out or saves them.

  vidseg demo                                        try it on a bundled clip
  vidseg overlay VIDEO out.mp4 --preview look.png    nine moments of a video of yours
  vidseg overlay VIDEO out.mp4                       all of it: masks, boxes and labels
  vidseg splash --class person VIDEO out.mp4         people in colour, the rest grey
  vidseg classes                                     what --class can be
  vidseg doctor                                      what this machine has, and lacks

vidseg --help lists all commands, and vidseg COMMAND --help the options of one."""
"""What `vidseg` alone prints."""


class Program(click.Group):
    """A group whose commands stop cleanly on signals and report errors as one sentence."""

    def invoke(self, ctx: click.Context) -> Any:
        numpy_on_one_thread()
        opencv_silent()
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
        live,
        detect,
        merge,
        export,
        data,
        train,
        evaluate,
        report,
        inspect,
        compare,
        classes,
        models,
        info,
        demo,
        doctor,
    ],
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(
        "vidseg overlay street.mp4 street_objects.mp4",
        "vidseg splash --class balloon party.mp4 party_splash.mp4",
    )
    + "\n\nExit codes: 0 done, 1 something went wrong, 2 wrong options, 130 Ctrl-C, 143 SIGTERM.",
)
@click.version_option(__version__, prog_name="vidseg")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Find objects in every frame of a video, and draw, splash or save them.

    IN may be a video, an animated image, a photo or a folder of photos.
    """
    if ctx.invoked_subcommand is None:
        click.echo(HOW_TO_BEGIN)


add_config_option(main)
