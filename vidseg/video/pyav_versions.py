"""The differences between PyAV 18 and 19, in one place: how files open, and exact ratios."""

from fractions import Fraction
from typing import Any, BinaryIO, Protocol, cast

import av
from av.container import InputContainer, OutputContainer

TAG_OPTIONS: dict[str, Any] = (
    {"metadata_errors": "surrogateescape"} if int(av.__version__.split(".")[0]) < 19 else {}
)
"""Keeps tags that are not valid UTF-8. PyAV 19 always does and has no such option."""


class Readable(Protocol):
    """What PyAV reads from in place of a file of a name."""

    def read(self, size: int) -> bytes: ...


class Ratio(Protocol):
    """A `Fraction`, or the `AVRational` of PyAV 19."""

    @property
    def numerator(self) -> int: ...
    @property
    def denominator(self) -> int: ...


def open_input(
    file: str | Readable, options: dict[str, str], *, timeout: float | None = None
) -> InputContainer:
    """Open a file to read; `options` are those of the demuxer. With `timeout`, in seconds, opening
    and each read give up after that long."""
    opened = av.open(
        file,
        "r",
        container_options=options,
        timeout=None if timeout is None else (timeout, timeout),
        **TAG_OPTIONS,
    )
    return cast(InputContainer, opened)


def open_output(file: str | BinaryIO, container: str, options: dict[str, str]) -> OutputContainer:
    """Open a file to write; `options` are those of the muxer."""
    opened = av.open(file, "w", format=container, container_options=options, **TAG_OPTIONS)
    return cast(OutputContainer, opened)


def ratio(value: Ratio | None) -> Fraction | None:
    """A time base, rate or aspect of PyAV as an exact fraction; None if it is not set.

    Up to PyAV 18 these are fractions or None. In PyAV 19 they are `AVRational`, whose arithmetic
    rounds, and which is false where it is not set: 0/1 or x/0.
    """
    return Fraction(value.numerator, value.denominator) if value else None
