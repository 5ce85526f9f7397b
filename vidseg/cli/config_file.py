"""`--config FILE.toml`: options that recur, from a file that the user names.

Keys are the long names of options, without dashes in front. Those at the top are for every command
that has them; a table is for the command of its name, `[overlay]` or `[data.split]`, and overrides
them. The command line and the environment override both.
"""

import difflib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from vidseg.cli.option import option
from vidseg.errors import InputError, OptionError

OWN_OPTION = "config"
"""A file names no other file."""


def add_config_option(group: click.Group) -> None:
    """Give `--config` to every command in the group, and in groups within it."""
    for _, command in _leaves(group):
        option(
            "--config",
            metavar="FILE.toml",
            show_default="none",
            is_eager=True,
            expose_value=False,
            callback=_use,
            help="Take options that are not given here from this file.",
        )(command)


def read_config(path: Path, program: click.Group, names: tuple[str, ...]) -> dict[str, Any]:
    """Values for the parameters of the command with these names, by the parameters' own names.

    Raises:
        InputError: the file cannot be read.
        OptionError: it is no TOML, or says something that no command understands.
    """
    try:
        config = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:  # TOMLDecodeError and UnicodeDecodeError
        raise OptionError(f"{path} is not valid TOML: {error}.") from error
    common = {key: value for key, value in config.items() if not isinstance(value, dict)}
    tables = {key: value for key, value in config.items() if isinstance(value, dict)}
    everywhere = {key for _, command in _leaves(program) for key in _options(command)}
    for key in common:
        if key.replace("_", "-") in everywhere:
            continue
        if key in program.commands:
            raise OptionError(f"{path} gives the command {key} a value; write a table, [{key}].")
        raise OptionError(_unknown(path, key, "for any command", everywhere))
    found = _tables(path, program, tables)
    command = _command(program, names)
    known = _options(command)
    shared = {key: value for key, value in common.items() if key.replace("_", "-") in known}
    return _values(path, shared, command) | found.get(names, {})


def _use(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is None or ctx.resilient_parsing:
        return
    names, root = [ctx.info_name or ""], ctx.parent
    while root is not None and root.parent is not None:
        names.append(root.info_name or "")
        root = root.parent
    if root is None or not isinstance(root.command, click.Group):
        return
    ctx.default_map = read_config(Path(value), root.command, tuple(reversed(names)))


def _leaves(
    group: click.Group, before: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that does something, with its names from the program down."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _leaves(command, (*before, name))
        else:
            yield (*before, name), command


def _command(program: click.Group, names: tuple[str, ...]) -> click.Command:
    return dict(_leaves(program))[names]


def _options(command: click.Command) -> dict[str, click.Option]:
    """Key in the file to the option that it sets."""
    return {
        word.removeprefix("--"): each
        for each in command.params
        if isinstance(each, click.Option) and each.name != OWN_OPTION
        for word in each.opts
        if word.startswith("--")
    }


def _tables(
    path: Path, group: click.Group, tables: Mapping[str, Any], before: tuple[str, ...] = ()
) -> dict[tuple[str, ...], dict[str, Any]]:
    """The values of each command that has a table."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for name, table in tables.items():
        names = (*before, name)
        if name not in group.commands or not isinstance(table, dict):
            raise OptionError(_unknown(path, ".".join(names), "as a command", group.commands))
        command = group.commands[name]
        if isinstance(command, click.Group):
            found |= _tables(path, command, table, names)
        else:
            found[names] = _values(path, table, command, f"for {' '.join(names)}")
    return found


def _values(
    path: Path, table: Mapping[str, Any], command: click.Command, where: str = ""
) -> dict[str, Any]:
    """What click takes as the defaults of a command's parameters."""
    options, values = _options(command), dict[str, Any]()
    for key, value in table.items():
        each = options.get(key.replace("_", "-"))
        if each is None:
            raise OptionError(_unknown(path, key, where, options))
        assert each.name is not None
        values[each.name] = _value(path, key, value, each)
    return values


def _value(path: Path, key: str, value: Any, each: click.Option) -> Any:
    """As on the command line: text that the option's own type reads; or true and false."""
    if each.is_flag:
        if not isinstance(value, bool):
            raise OptionError(f"{key} in {path} is true or false, got {value!r}.")
        return value
    single = value if isinstance(value, list) else [value]
    if any(isinstance(one, bool | dict | list) for one in single):
        raise OptionError(f"{key} in {path} takes text or a number, got {value!r}.")
    if isinstance(value, list) and not each.multiple:
        raise OptionError(f"{key} in {path} takes one value, got {len(value)}.")
    return [str(one) for one in single] if each.multiple else str(value)


def _unknown(path: Path, key: str, where: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(key.replace("_", "-").rpartition(".")[2], list(known), n=1)
    hint = f"; did you mean {close[0]}?" if close else "."
    if key.startswith("no-"):
        hint = f"; write {key.removeprefix('no-')} = false."
    return f"{path} sets {key!r}, which is not known{' ' + where if where else ''}{hint}"
