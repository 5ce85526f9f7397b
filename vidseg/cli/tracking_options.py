"""The options of tracking: keyframes, gaps, smoothing, and which tracks to show."""

from fractions import Fraction
from functools import wraps
from typing import Any

import click

from vidseg.cli.option import Command, option
from vidseg.cli.param_types import Time


class Every(click.ParamType):
    """`auto`, or a number of frames."""

    name = "N|auto"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str:
        if value == "auto":
            return "auto"
        if not str(value).isdecimal() or not int(str(value)):
            self.fail(f"{value!r} is not a step; use auto or a number from 1", param, ctx)
        return int(str(value))


class Ids(click.ParamType):
    """Ids of objects, separated by commas."""

    name = "n"
    envvar_list_splitter = ";"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        words = str(value).split(",")
        if not all(word.strip().isdecimal() for word in words):
            self.fail(f"{value!r} is not an id; write numbers such as 3 or 1,4", param, ctx)
        return tuple(int(word) for word in words)


class Point(click.ParamType):
    """x,y in pixels."""

    name = "x,y"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float]:
        if isinstance(value, tuple):
            return value
        try:
            x, y = (float(word) for word in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not a point; write x,y in pixels: 320,180", param, ctx)
        return x, y


class Follow(click.ParamType):
    """largest, first, or an id."""

    name = "largest|first|N"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        if str(value) not in ("largest", "first") and not str(value).isdecimal():
            self.fail(f"{value!r} is an unknown target; use largest, first or an id", param, ctx)
        return str(value)


EVERY_OPTION = option(
    "--every",
    type=Every(),
    default=1,
    help="Run the model on every N-th frame only, and move objects in between; auto adapts N to "
    "the motion.",
)


def follow_options(command: Command) -> Command:
    """How objects are tracked, and which to show: gives `following`, keywords of `Search`."""

    @option(
        "--track/--no-track",
        default=True,
        help="Track the objects of a video: ids, steady colours, gaps filled, edges smoothed.",
    )
    @EVERY_OPTION
    @option(
        "--fill",
        type=int,
        metavar="K",
        show_default="5, or N of --every",
        help="Longest gap, in frames, that is filled where an object is missed; 0 is off.",
    )
    @option(
        "--smooth",
        type=int,
        metavar="R",
        default=2,
        help="Smoothing radius of boxes and edges, in frames; 0 is off.",
    )
    @_choice_options
    @wraps(command)
    def wrapper(
        *,
        track: bool,
        every: int | str,
        fill: int | None,
        smooth: int,
        chosen: dict[str, Any],
        **others: Any,
    ) -> Any:
        following = {"track": track, "every": every, "fill": fill, "smooth": smooth, **chosen}
        return command(following=following, **others)

    return wrapper


def _choice_options(command: Command) -> Command:
    """Which tracks to show: gives `chosen`."""

    @option(
        "--id",
        "ids",
        type=Ids(),
        multiple=True,
        show_default="all objects",
        help="Show only the object with this id; repeat the option, or separate ids by commas.",
    )
    @option(
        "--follow",
        type=Follow(),
        show_default="all objects",
        help="Show one object: the largest or the first until it is gone, or an id.",
    )
    @option(
        "--at",
        type=Time(),
        show_default="none",
        help="Time of --point.",
    )
    @option(
        "--point",
        type=Point(),
        show_default="none",
        help="x,y in pixels: show the object at this point at the time --at, in the whole video.",
    )
    @wraps(command)
    def wrapper(
        *,
        ids: tuple[tuple[int, ...], ...],
        follow: str | None,
        at: Fraction | None,
        point: tuple[float, float] | None,
        **others: Any,
    ) -> Any:
        numbers = tuple(number for some in ids for number in some)
        if follow is not None and follow.isdecimal():
            numbers, follow = (*numbers, int(follow)), None
        chosen = {"ids": numbers, "follow": follow, "at": at, "point": point}
        return command(chosen=chosen, **others)

    return wrapper
