"""Options that several commands share, as decorators.

Each decorator collects its options in one value, checked before the command runs, and passes it by
name: `search_options` gives `search`, `model_options` gives `searching`, `span_options` gives
`span`, `run_options` gives `run`, `encoding_options` gives `quality`.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

import click

from vidseg.cli.console import log_to_console
from vidseg.cli.encoding_options import Quality as Quality
from vidseg.cli.encoding_options import encoding_options as encoding_options
from vidseg.cli.option import Command, option
from vidseg.cli.option import examples as examples
from vidseg.cli.param_types import BatchSize, ClassNames, Device, Model, Time, split_names
from vidseg.cli.tracking_options import EVERY as EVERY
from vidseg.cli.tracking_options import follow_options
from vidseg.models.names import PRECISIONS
from vidseg.structures.span import Span as Span

if TYPE_CHECKING:
    from vidseg.pipeline.search import Search

VERBOSITY = "vidseg.verbosity"
"""Key in `ctx.meta`: -1 for -q, 0, 1 for -v, 2 for -vv."""


@dataclass(frozen=True, slots=True)
class RunFlags:
    """How to treat outputs that exist, and how much to say."""

    force: bool
    skip_existing: bool
    quiet: bool
    progress: bool


CLASS = option(
    "--class",
    "classes",
    type=ClassNames(),
    multiple=True,
    show_default="all classes",
    help="Class to look for, by name; repeat the option, or separate names by commas.",
)
SCORE = option(
    "--score", type=float, default=0.5, help="Show objects with this confidence or more, 0 to 1."
)
MAX_OBJECTS = option(
    "--max-objects",
    type=int,
    show_default="no limit",
    help="Show at most N objects in a frame, those with the best scores.",
)

TOLERANCE = option(
    "--tolerance",
    type=float,
    metavar="PIXELS",
    show_default="1/80 of each object's size",
    help="How far the outlines of yolo, labelme and via may be from the masks; 0 is exact.",
)


def _use_mirror(_: click.Context, __: click.Parameter, url: str | None) -> None:
    """The library reads the mirror from the environment, so that it need not be passed along."""
    if url:
        os.environ["VIDSEG_WEIGHTS_URL"] = url


WEIGHTS_URL = option(
    "--weights-url",
    metavar="URL",
    callback=_use_mirror,
    expose_value=False,
    show_default="torchvision's server",
    help="Download weights that are missing from this folder of a mirror.",
)


def model_options(command: Command) -> Command:
    """Which classes to find, with which model: gives `searching`, which makes a `Search`."""

    @CLASS
    @option(
        "--model",
        type=Model(),
        show_default="one that knows the classes",
        help="Name of a model (see `vidseg models`), a model file, or a predictor of your own: "
        "module:object or file.py:object.",
    )
    @WEIGHTS_URL
    @_speed_options
    @wraps(command)
    def wrapper(
        *,
        classes: tuple[str, ...],
        model: str | None,
        device: str,
        precision: str,
        size: int | None,
        batch_size: int | None,
        **others: Any,
    ) -> Any:
        from vidseg.pipeline.search import Search

        searching = partial(
            Search,
            split_names(classes),
            model=model,
            device=device,
            precision=precision,
            size=size,
            batch_size=batch_size,
        )
        return command(searching=searching, **others)

    return wrapper


def search_options(command: Command) -> Command:
    """Which objects to show, found or saved before: gives `search`, a `Search`."""

    @SCORE
    @MAX_OBJECTS
    @follow_options
    @option(
        "--detections",
        metavar="FILE",
        show_default="none",
        help="Take the objects from this file of `vidseg detect`; no model is loaded.",
    )
    @option(
        "--save-detections",
        metavar="FILE",
        show_default="none",
        help="Also save everything that is found in this file, for use with --detections.",
    )
    @model_options
    @wraps(command)
    def wrapper(
        *,
        searching: "Callable[..., Search]",
        score: float,
        max_objects: int | None,
        following: dict[str, Any],
        detections: str | None,
        save_detections: str | None,
        **others: Any,
    ) -> Any:
        search = searching(
            score=score,
            max_objects=max_objects,
            detections=detections,
            save_detections=save_detections,
            **following,
        )
        return command(search=search, **others)

    return wrapper


def _speed_options(command: Command) -> Command:
    """Where the model runs and how fast: passes these options as keywords of `Search`."""

    @option(
        "--device",
        type=Device(),
        default="auto",
        help="auto, cpu, cuda, cuda:N or mps; auto takes a GPU where there is one.",
    )
    @option(
        "--precision",
        type=click.Choice(PRECISIONS),
        default="auto",
        help="Number format of the model; auto is the fastest without loss of accuracy.",
    )
    @option(
        "--size",
        type=int,
        show_default="the model's own",
        help="Shorter side, in pixels, at which the model sees frames; smaller is faster.",
    )
    @option(
        "--batch-size",
        type=BatchSize(),
        default="auto",
        help="Frames in one call of the model.",
    )
    @wraps(command)
    def wrapper(**others: Any) -> Any:
        return command(**others)

    return wrapper


def span_options(command: Command) -> Command:
    """Which part of the input: gives `span`, a `Span`."""

    @option(
        "--start",
        type=Time(),
        show_default="the beginning",
        help="Time to start at: seconds or hh:mm:ss.sss.",
    )
    @option(
        "--end",
        type=Time(),
        show_default="the end",
        help="Time to stop before: seconds or hh:mm:ss.sss.",
    )
    @option(
        "--keep-going",
        is_flag=True,
        help="Use what can be read of a damaged input, with a warning.",
    )
    @option(
        "--keep-interlaced",
        is_flag=True,
        help="Leave interlaced frames as they are, without deinterlacing.",
    )
    @wraps(command)
    def wrapper(
        *,
        start: Fraction | None,
        end: Fraction | None,
        keep_going: bool,
        keep_interlaced: bool,
        **others: Any,
    ) -> Any:
        return command(span=Span(start, end, keep_going, keep_interlaced), **others)

    return wrapper


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
    def wrapper(*, force: bool, skip_existing: bool, progress: bool | None, **others: Any) -> Any:
        quiet = click.get_current_context().meta[VERBOSITY] < 0
        terminal = sys.stderr.isatty()
        wanted = terminal and not quiet if progress is None else progress
        return command(run=RunFlags(force, skip_existing, quiet, wanted), **others)

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
