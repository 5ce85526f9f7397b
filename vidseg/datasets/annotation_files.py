"""Reading annotation files, with one sentence for what is wrong with them."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from vidseg.errors import InputError

BROKEN = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError)
"""What reading a document raises that is not built as its format says."""


def text(value: Any) -> str:
    """A name from a document; ValueError where it is none."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{value!r} is no name")
    return value.strip()


def read_text(path: Path) -> str:
    """Raises InputError: not there, not readable, or not text."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text in UTF-8.") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error


def read_json(path: Path) -> dict[str, Any]:
    """Raises InputError where it is no JSON object."""
    try:
        document = json.loads(read_text(path))
    except ValueError as error:
        raise InputError(f"{path} is no JSON: {error}.") from error
    if not isinstance(document, dict):
        raise InputError(f"{path} holds a JSON {type(document).__name__}, not an object.")
    return document


def read_xml(path: Path) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(read_text(path))
    except ElementTree.ParseError as error:
        raise InputError(f"{path} is no XML: {error}.") from error
