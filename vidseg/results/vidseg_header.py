"""The first line of a `.vidseg` file: what was looked for, in what, and by what.

The line is one JSON object. Its last entry, `crc32`, is the CRC-32 of the text before that entry,
so that no other class name or score is ever read from a damaged line.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from vidseg.errors import InputError, OptionError
from vidseg.models.names import parse_classes
from vidseg.results._header_checks import (
    check_model,
    check_options,
    check_part,
    check_score,
    check_source,
    check_text,
    parse_labels,
)

FORMAT, VERSION = "vidseg detections", 2
"""Version 1 had no `crc32`; it is still read."""

MAX_HEADER_BYTES = 1 << 24
"""Room for the names of half a million photos."""

SUFFIX = ".vidseg"

_CHECKSUM_KEY = b', "crc32": '
_START = json.dumps({"format": FORMAT}).encode()[:-1]
"""How every file begins."""


@dataclass(frozen=True, slots=True)
class Header:
    """What was looked for, in what, and by what."""

    source: dict[str, Any]
    """Name, bytes, sha256 (of both ends), kind, size, rate and frames of the input; for a folder
    also the names of its `photos`."""
    model: dict[str, Any]
    """Name of the model; for a model file also its bytes and sha256."""
    classes: dict[int, str]
    """Label to name of every class of the model."""
    kept_score: float
    """Objects below this score were not kept."""
    labels: list[int] | None = None
    """Labels that were looked for; None for all."""
    options: dict[str, Any] = field(default_factory=dict)
    """Further options that decide what is found."""
    program: str = ""
    part: dict[str, Any] | None = None
    """For a part of a video, its `frames` and what has to be equal in all parts; None for a whole
    file."""

    def to_line(self) -> bytes:
        """The first line of a file.

        Raises OptionError: it could not be read back, as for a class name with control characters.
        """
        facts = {"format": FORMAT, "version": VERSION, **asdict(self)}
        text = json.dumps(facts).encode()
        line = b"%s%s%d}\n" % (text[:-1], _CHECKSUM_KEY, zlib.crc32(text[:-1]))
        try:
            parse_header(line)
        except ValueError as error:
            raise OptionError(f"These detections cannot be saved: their header {error}.") from error
        return line


def read_header(file: BinaryIO, path: Path) -> Header:
    """The header of an open file; its records come after it.

    Raises InputError: this is not a `.vidseg` file, or its header is corrupted.
    """
    line = read_header_line(file)
    try:
        return parse_header(line)
    except ValueError as error:
        if line.startswith(_START):
            raise InputError(f"{path} cannot be used: its header {error}.") from error
        raise InputError(
            f"{path} is not a file of detections; make one with vidseg detect."
        ) from error


def is_detections(path: Path) -> bool:
    """Whether a file is one of detections, by its name or by how it begins."""
    if path.suffix.lower() == SUFFIX:
        return True
    try:
        with path.open("rb") as file:
            return file.read(len(_START)) == _START
    except OSError:
        return False


def read_header_line(file: BinaryIO) -> bytes:
    """The first line, or as much of it as a header may have."""
    return file.readline(MAX_HEADER_BYTES + 1)


def parse_header(line: bytes) -> Header:
    """Raises ValueError: half a sentence about what is wrong, which follows "its header"."""
    facts = _facts(line)
    try:
        kept_score, source = check_score(facts.pop("kept_score")), check_source(facts.pop("source"))
        classes = parse_classes(facts.pop("classes"))
        header = Header(
            source=source,
            model=check_model(facts.pop("model")),
            classes=classes,
            kept_score=kept_score,
            labels=parse_labels(facts.pop("labels"), classes),
            options=check_options(facts.pop("options")),
            program=check_text("program", facts.pop("program"), empty=True),
            part=check_part(facts.pop("part", None)),
        )
    except KeyError as error:
        raise ValueError(f"has no {error.args[0]}") from error
    if facts:
        raise ValueError(f"has the unknown entry {min(facts)[:40]!r}")
    return header


def _facts(line: bytes) -> dict[str, Any]:
    """The line's entries without `format`, `version` and `crc32`, which are checked here."""
    if len(line) > MAX_HEADER_BYTES:
        raise ValueError(f"has more than {MAX_HEADER_BYTES >> 20} MB, as of too many photos")
    if not line.endswith(b"\n"):
        raise ValueError("is cut off")
    try:
        facts = json.loads(line, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ValueError("is corrupted; make the file again") from error
    if not isinstance(facts, dict) or facts.pop("format", None) != FORMAT:
        raise ValueError("is of another format")
    version, checksum = facts.pop("version", None), facts.pop("crc32", None)
    if type(version) is not int or version < 1:
        raise ValueError("has no version")
    if version > VERSION:
        raise ValueError("is of a later version; a newer vidseg reads it")
    if version > 1 and checksum != zlib.crc32(line[: line.rfind(_CHECKSUM_KEY)]):
        raise ValueError("is corrupted; make the file again")
    return facts


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")
