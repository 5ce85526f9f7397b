"""Options of how a run behaves and how much it says, as decorators."""

import sys
from dataclasses import dataclass
from functools import wraps
from typing import Any

import click

from vidseg.cli.console import log_to_console
from vidseg.cli.option import Command, option

VERBOSITY = "vidseg.verbosity"
"""Key in `ctx.meta`: -1 for -q, 0, 1 for -v, 2 for -vv."""


@dataclass(frozen=True, slots=True)
class RunFlags:
    """How to treat outputs that exist, and how much to say."""

    force: bool
    skip_existing: bool
    quiet: bool
    progress: bool
    resume: bool = False
    """Go on with the detections that an interrupted run saved."""


def run_options(command: Command) -> Command:
    """How to behave: gives `run`, `RunFlags`; -q and -v take effect at once."""

    @option("-f", "--force", is_flag=True, help="Overwrite the output where it exists.")
    @option(
        "--skip-existing",
        is_flag=True,
        help="Leave out inputs whose output exists, as after a batch that was interrupted.",
    )
    @option(
        "--progress/--no-progress",
        default=None,
        show_default="on a terminal",
        help="Show a progress bar on stderr.",
    )
    @verbosity_options
    @wraps(command)
    def wrapper(
        *,
        force: bool,
        skip_existing: bool,
        progress: bool | None,
        resume: bool = False,
        **others: Any,
    ) -> Any:
        quiet = click.get_current_context().meta[VERBOSITY] < 0
        terminal = sys.stderr.isatty()
        wanted = terminal and not quiet if progress is None else progress
        return command(run=RunFlags(force, skip_existing, quiet, wanted, resume), **others)

    return wrapper


def verbosity_options(command: Command) -> Command:
    """-q and -v: how much of the library's log is shown."""

    @option("-q", "--quiet", is_flag=True, help="Print errors only.")
    @option(
        "-v",
        "--verbose",
        count=True,
        show_default=False,
        help="Print more; -vv also shows tracebacks.",
    )
    @wraps(command)
    def wrapper(*, quiet: bool, verbose: int, **others: Any) -> Any:
        verbosity = click.get_current_context().meta[VERBOSITY] = -1 if quiet else verbose
        with log_to_console(verbosity):
            return command(**others)

    return wrapper
