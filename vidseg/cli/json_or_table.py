"""Reports: a table for people, JSON for programs."""

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import click

from vidseg.cli.console import say
from vidseg.cli.option import option

JSON_OPTION = option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print JSON, as where stdout is no terminal, in place of a table.",
)


def print_report(facts: Mapping[str, Any], table: Iterable[str], *, as_json: bool) -> None:
    """On a terminal the table, else JSON on stdout and the table on stderr unless -q was given."""
    on_terminal = is_terminal()
    if on_terminal and not as_json:
        for line in table:
            click.echo(line)
        return
    if not on_terminal and not is_quiet():
        for line in table:
            say(line)
    text = json.dumps(facts, indent=2, ensure_ascii=False)
    if not text.isprintable() and any("\ud800" <= character <= "\udfff" for character in text):
        text = json.dumps(facts, indent=2)  # names of files that are not UTF-8
    click.echo(text)


def is_terminal() -> bool:
    """Whether stdout is a terminal."""
    return sys.stdout is not None and sys.stdout.isatty()


def is_quiet() -> bool:
    """Whether -q was given."""
    from vidseg.cli.options import VERBOSITY

    return click.get_current_context().meta[VERBOSITY] < 0
