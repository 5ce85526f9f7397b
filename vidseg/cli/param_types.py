"""Types of option values that click lacks."""

import re
from collections.abc import Iterable
from fractions import Fraction

import click
from click.shell_completion import CompletionItem

from vidseg.cli.option import as_options
from vidseg.errors import OptionError
from vidseg.remote.paths import as_path

TIME_PATTERN = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?|\.\d+)")


class Time(click.ParamType):
    """Seconds or [hh:]mm:ss.sss, as an exact fraction of a second."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Fraction:
        if isinstance(value, Fraction):
            return value
        match = TIME_PATTERN.fullmatch(str(value).strip())
        if match is None:
            self.fail(f"{value!r} is not a time; write seconds, 12.5, or 00:01:02.5", param, ctx)
        hours, minutes, seconds = match.groups()
        return int(hours or 0) * 3600 + int(minutes or 0) * 60 + Fraction(seconds)


class FrameSpan(click.ParamType):
    """A:B, the frames from A to before B; A: is to the end."""

    name = "a:b"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int | None]:
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"(\d{1,15}):(\d{1,15})?", str(value))
        if match is None:
            self.fail(f"{value!r} are no frames; write A:B, as in 960:1920, or A:", param, ctx)
        first, end = int(match[1]), None if match[2] is None else int(match[2])
        if end is not None and end <= first:
            self.fail(f"{value!r} holds no frame; B must be above A", param, ctx)
        return first, end


class Device(click.ParamType):
    """auto, cpu, cuda, cuda:N or mps."""

    name = "device"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        if not re.fullmatch(r"auto|cpu|cuda(:\d+)?|mps", str(value)):
            self.fail(f"{value!r} is not a device; use auto, cpu, cuda, cuda:N or mps", param, ctx)
        return str(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return _starting(["auto", "cpu", "cuda", "cuda:0", "mps"], incomplete)


class BatchSize(click.ParamType):
    """`auto`, which becomes None, or a number of frames."""

    name = "auto|N"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | None:
        if value == "auto" or value is None:
            return None
        try:
            number = int(str(value))
        except ValueError:
            number = 0
        if number < 1:
            self.fail(f"{value!r} is not a batch size; use auto or a number from 1", param, ctx)
        return number


class ClassNames(click.ParamType):
    """One class name, or several separated by commas."""

    name = "name"
    envvar_list_splitter = ","

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from vidseg.errors import VidsegError
        from vidseg.models.catalog import MODELS, class_names

        typed, comma, _ = incomplete.rpartition(",")
        asked = ctx.params.get("model")
        known: set[str] = set()
        for model in [asked] if asked else MODELS:
            try:
                known.update(class_names(model).values())
            except VidsegError:  # a missing model has no names to offer
                continue
        return _starting(sorted(f"{typed}{comma}{name}" for name in known), incomplete)


class ModelName(click.ParamType):
    """The name of a model, or the path of a checkpoint file."""

    name = "name or file"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from vidseg.models.catalog import MODELS

        return _starting(MODELS, incomplete) or [CompletionItem(incomplete, type="file")]


class FilePath(click.ParamType):
    """A path or URL; an empty one, as of an unset shell variable, would mean this folder."""

    name = "path"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        if not value:
            self.fail("the path is empty", param, ctx)
        try:
            as_path(str(value))
        except OptionError as error:
            self.fail(as_options(str(error)), param, ctx)
        return str(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return [CompletionItem(incomplete, type="file")]


class OutputPath(FilePath):
    """Where to write; `-` is standard output where that can be."""

    def __init__(self, *, stdout: bool = False) -> None:
        self._stdout = stdout

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        path = super().convert(value, param, ctx)
        if path == "-" and not self._stdout:
            self.fail("this cannot be written to standard output; name a file", param, ctx)
        return path


class InputPath(FilePath):
    """One of several inputs before an output; if only one path is given, it is the output."""

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None) -> str:
        return "Name the input or inputs first, and what to write last."


def split_names(values: tuple[str, ...]) -> tuple[str, ...]:
    """`("a,b", "c")` is a, b, c; spaces around names and repeated names are dropped."""
    stripped = (name.strip() for value in values for name in value.split(","))
    names = tuple(dict.fromkeys(name for name in stripped if name))
    if values and not names:
        given = ",".join(values)
        raise click.UsageError(f"--class {given!r} names no class; leave it out for all.")
    return names


def _starting(words: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]
