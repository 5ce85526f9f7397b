"""Read annotation files; what is wrong with them is one sentence."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from vidseg.errors import InputError

MALFORMED = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError)
"""Errors of reading a document that does not follow its format."""


def checked_name(value: Any) -> str:
    """A name from a document, stripped; ValueError if it is no text or blank."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{value!r} is not a name")
    return value.strip()


def read_text(path: Path) -> str:
    """Raises InputError: the file is missing, unreadable, or not UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text.") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error


def read_json(path: Path) -> dict[str, Any]:
    """Raises InputError: the file is no JSON object."""
    try:
        document = json.loads(read_text(path))
    except ValueError as error:
        raise InputError(f"{path} is not valid JSON: {error}.") from error
    if not isinstance(document, dict):
        raise InputError(f"{path} holds a JSON {type(document).__name__}, not an object.")
    return document


def read_xml(path: Path) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(read_text(path))
    except ElementTree.ParseError as error:
        raise InputError(f"{path} is not valid XML: {error}.") from error
