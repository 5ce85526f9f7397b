"""Makes an option of a command, and names options in sentences."""

import re
import shlex
from collections.abc import Callable
from typing import Any

import click

Command = Callable[..., Any]

ARGUMENT = re.compile(r"`([a-z_]+)(?:=(?:'([^`]*)'|([^`' ]+)))?`")
"""An argument of a Python call in a sentence of the library: `name`, `name=1` or `name='text'`."""
OPTIONS = {"ids": "id", "classes": "class"}
"""Options that are called otherwise than the arguments of Python calls."""


def as_options(sentence: str) -> str:
    """The library's sentence with the options of the command line: --name 1 for `name=1`."""
    return ARGUMENT.sub(_as_option, sentence)


def _as_option(argument: re.Match[str]) -> str:
    name, text, value = argument.groups()
    words = OPTIONS.get(name, name).replace("_", "-")
    if value == "False":
        return f"--no-{words}"
    if value == "True" or (text is None and value is None):
        return f"--{words}"
    return f"--{words} {value if text is None else shlex.quote(text)}"


def option(*names: str, **settings: Any) -> Callable[[Command], Command]:
    """`click.option` that shows its default and, in any command, reads VIDSEG_<NAME>."""
    long = next(name for name in names if name.startswith("--"))
    variable = "VIDSEG_" + long.split("/")[0][2:].upper().replace("-", "_")
    return click.option(*names, **{"show_default": True, "envvar": variable, **settings})


def examples(*lines: str) -> str:
    """The epilog of a command's help, with its line breaks kept."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
