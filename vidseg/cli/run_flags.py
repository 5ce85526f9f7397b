"""Options of how a run behaves and how much it says, as decorators."""

import sys
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Any

import click

from vidseg.cli.console import log_to_console
from vidseg.cli.option import Command, option
from vidseg.cli.progress import ProgressLines

VERBOSITY = "vidseg.verbosity"
"""Key in `ctx.meta`: -1 for -q, 0, 1 for -v, 2 for -vv."""


@dataclass(frozen=True, slots=True)
class ProgressFlags:
    """How much to say, and how."""

    quiet: bool
    bar: bool
    """A bar for people."""
    json: bool = False
    """Lines for programs."""

    def lines(self, file: object = None, *, unit: str = "frames") -> ProgressLines | None:
        """What tells programs of the progress with `file`, if that is wanted."""
        return ProgressLines(None if file is None else str(file), unit=unit) if self.json else None


@dataclass(frozen=True, slots=True)
class RunFlags:
    """How to treat outputs that exist, and how much to say."""

    force: bool
    telling: ProgressFlags
    resume: bool = False
    """Go on with the detections that an interrupted run saved."""
    skip_existing: bool = False
    watch: Path | None = None
    """Picture of the last drawn frame, renewed while the run goes on."""

    @property
    def quiet(self) -> bool:
        return self.telling.quiet

    @property
    def progress(self) -> bool:
        """Whether to show bars."""
        return self.telling.bar


def run_options(command: Command) -> Command:
    """How to behave: gives `run`, `RunFlags`; -q and -v take effect at once."""

    @option("-f", "--force", is_flag=True, help="Overwrite the output where it exists.")
    @progress_options
    @wraps(command)
    def wrapper(
        *,
        force: bool,
        telling: ProgressFlags,
        resume: bool = False,
        **others: Any,
    ) -> Any:
        return command(run=RunFlags(force, telling, resume), **others)

    return wrapper


def skip_existing_option(command: Command) -> Command:
    """What to do where an output exists; adds it to `run`, which `run_options` gives before."""

    @option(
        "--skip-existing",
        is_flag=True,
        help="Leave out inputs whose output exists, as after a batch that was interrupted.",
    )
    @wraps(command)
    def wrapper(*, run: RunFlags, skip_existing: bool, **others: Any) -> Any:
        return command(run=replace(run, skip_existing=skip_existing), **others)

    return wrapper


def watch_option(command: Command) -> Command:
    """Whether to show the last drawn frame; adds it to `run`, which `run_options` gives before."""

    @option(
        "--watch",
        metavar="FILE.jpg",
        show_default="none",
        help="Keep a picture of the last drawn frame in this file, renewed every two seconds.",
    )
    @wraps(command)
    def wrapper(*, run: RunFlags, watch: str | None, **others: Any) -> Any:
        return command(run=replace(run, watch=Path(watch) if watch else None), **others)

    return wrapper


def progress_options(command: Command) -> Command:
    """How much to say: gives `telling`, `ProgressFlags`; -q and -v take effect at once."""

    @option(
        "--progress/--no-progress",
        default=None,
        show_default="on a terminal",
        help="Show a progress bar on stderr.",
    )
    @option(
        "--progress-json",
        is_flag=True,
        help="Tell progress on stderr as JSON instead, for programs: an object a line, at most two "
        "lines a second.",
    )
    @verbosity_options
    @wraps(command)
    def wrapper(*, progress: bool | None, progress_json: bool, **others: Any) -> Any:
        quiet = click.get_current_context().meta[VERBOSITY] < 0
        terminal = sys.stderr.isatty()
        wanted = terminal and not quiet if progress is None else progress
        telling = ProgressFlags(quiet, wanted and not progress_json, progress_json)
        return command(telling=telling, **others)

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
