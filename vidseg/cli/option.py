"""Makes an option of a command."""

from collections.abc import Callable
from typing import Any

import click

Command = Callable[..., Any]


def option(*names: str, **settings: Any) -> Callable[[Command], Command]:
    """`click.option` that shows its default and, in any command, reads VIDSEG_<NAME>."""
    long = next(name for name in names if name.startswith("--"))
    variable = "VIDSEG_" + long.split("/")[0][2:].upper().replace("-", "_")
    return click.option(*names, **{"show_default": True, "envvar": variable, **settings})


def examples(*lines: str) -> str:
    """The epilog of a command's help, with its line breaks kept."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
