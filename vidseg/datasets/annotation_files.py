"""Read annotation files in bounded time and memory; what is wrong with them is one sentence."""

import codecs
import json
import math
import mmap
import os
import stat
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from vidseg.errors import InputError
from vidseg.models.names import MAX_NAME_LENGTH, UNPRINTABLE

MALFORMED_ERRORS = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError)
"""Errors of reading a document that does not follow its format."""
MAX_FILE_BYTES = 2 << 30
"""Larger annotation files are refused: a document takes about ten times its file in memory."""
MAX_XML_BYTES = 256 << 20
MAX_REASON_LENGTH = 160
MAX_PHOTO_PIXELS = 500_000_000
"""A larger stated size is a mistake in the file."""
PSEUDO_FILE_SYSTEMS = ("/proc", "/sys", "/dev")
"""Files there may be endless, or wait forever."""


def is_regular_file(path: Path | str) -> bool:
    """Whether it is a file of finite size: no folder, device, FIFO or file of the kernel."""
    try:
        facts = os.stat(path)
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return False
    return stat.S_ISREG(facts.st_mode) and facts.st_dev not in pseudo_devices()


@cache
def pseudo_devices() -> frozenset[int]:
    """The device numbers of `PSEUDO_FILE_SYSTEMS`."""
    there = (path for path in PSEUDO_FILE_SYSTEMS if os.path.isdir(path))
    return frozenset(os.stat(path).st_dev for path in there)


def read_bytes(path: Path, *, max_bytes: int = MAX_FILE_BYTES) -> bytes:
    """Raises InputError: the file is missing, unreadable, no regular file, or too large."""
    check_readable(path, max_bytes=max_bytes)
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error


def check_readable(path: Path, *, max_bytes: int = MAX_FILE_BYTES) -> None:
    """Raises InputError: the file is missing, no regular file, or too large."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    if not is_regular_file(path):
        raise InputError(f"{path} cannot be read: it is not a regular file.")
    if size > max_bytes:
        raise InputError(
            f"{path} cannot be read: it has {size / 1e6:.1f} MB, and such files may have "
            f"{max_bytes / 1e6:.1f} MB; divide it."
        )


def mapped_bytes(path: Path) -> mmap.mmap | bytes:
    """The file's bytes, mapped and not loaded: COCO's files are large."""
    check_readable(path)
    try:
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except ValueError:  # an empty file cannot be mapped
        return b""
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error


def read_text(path: Path, *, max_bytes: int = MAX_FILE_BYTES) -> str:
    """UTF-8, or UTF-16 with a byte order mark.

    Raises InputError: the file cannot be read, or has another encoding.
    """
    data = read_bytes(path, max_bytes=max_bytes)
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text; save it in that encoding.") from error


def parse_json(text: str) -> Any:
    """As `json.loads`, but ValueError too where the nesting is too deep for it."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def read_json(path: Path) -> dict[str, Any]:
    """Raises InputError: the file is no JSON object."""
    document = read_json_value(path)
    if not isinstance(document, dict):
        raise InputError(f"{path} holds a JSON {type(document).__name__}, not an object.")
    return document


def read_json_value(path: Path) -> Any:
    """Raises InputError: the file is not valid JSON."""
    try:
        return parse_json(read_text(path))
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is not valid JSON: {error}.") from error


def read_xml(path: Path) -> ElementTree.Element:
    """Raises InputError: the file is not valid XML."""
    text = read_text(path, max_bytes=MAX_XML_BYTES)
    try:
        return ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:  # ValueError: a lone surrogate
        raise InputError(f"{path} is not valid XML: {error}.") from error


def checked_name(value: Any) -> str:
    """A name from a document, stripped.

    Raises ValueError: it is no text, blank, too long, or has characters that cannot be written.
    """
    name = value.strip() if isinstance(value, str) else ""
    if not name or len(name) > MAX_NAME_LENGTH:
        raise ValueError(f"{shortened(value)} is not a name")
    if any(unicodedata.category(character) in UNPRINTABLE for character in name):
        raise ValueError(f"{name!a} has characters that cannot be written")
    return name


def checked_id(value: Any) -> int | str:
    """An id from a document: a whole number, which may be written as text, or other text.

    Raises ValueError: it is neither.
    """
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{shortened(value)} is not an id")
    if value != int(value):
        raise ValueError(f"{value} is not an id")
    return int(value)


def checked_flag(value: Any) -> bool:
    """A yes or no, which may be written as a number or as text; ValueError if it is neither."""
    if value in (None, ""):
        return False
    flags = {"0": False, "1": True, "false": False, "true": True}
    text = str(value).strip().lower().removesuffix(".0")
    if text not in flags:
        raise ValueError(f"{shortened(value)} is not 0 or 1")
    return flags[text]


def checked_size(height: Any, width: Any) -> tuple[int, int] | None:
    """(height, width) from a document, None where it states none; ValueError if not positive."""
    if not height or not width:
        return None
    size = int(height), int(width)
    if min(size) < 1 or size[0] * size[1] > MAX_PHOTO_PIXELS:
        raise ValueError(f"a photo of {size[1]}x{size[0]} pixels")
    return size


def shortened(value: Any) -> str:
    """Its `repr`, cut where it is long."""
    text = repr(value)
    return text if len(text) <= MAX_REASON_LENGTH else text[:MAX_REASON_LENGTH] + "..."


def reason(error: BaseException) -> str:
    """What a malformed document raised, for a sentence."""
    return shortened(error)
