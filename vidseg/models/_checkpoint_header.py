"""The header of a model file, checked completely in one place. Imports no torch."""

import json
from typing import Any

from vidseg.models.names import MAX_INPUT_SIZE, MIN_INPUT_SIZE, parse_classes

MAX_HEADER_BYTES = 16 << 20
"""A header of 10,000 classes takes less than 2 MB."""

MAX_LONGEST_SIDE = 2 * MAX_INPUT_SIZE
"""Pixels: the shorter side at its largest, in a 2:1 frame."""

MAX_ARCHITECTURE_LENGTH = 100
"""Characters."""

REQUIRED_KEYS = ("architecture", "classes", "image_size")


def parse_header(data: bytes) -> dict[str, Any]:
    """The header with ``classes`` keyed by integer label and ``image_size`` as a tuple.

    Raises ValueError: half a sentence about what is wrong, which follows the file's name.
    """
    try:
        header = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"has a header that is not JSON ({_reason(error)})") from error
    if not isinstance(header, dict):
        raise ValueError("has a header that is not a JSON object")
    missing = [key for key in REQUIRED_KEYS if key not in header]
    if missing:
        raise ValueError(f"has a header without {', '.join(missing)}")
    provenance = header.get("provenance", {})
    if not isinstance(provenance, dict):
        raise ValueError("has a header whose provenance is not a JSON object")
    return {
        **header,
        "architecture": _architecture(header["architecture"]),
        "classes": parse_classes(header["classes"]),
        "image_size": _image_size(header["image_size"]),
    }


def _architecture(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_ARCHITECTURE_LENGTH:
        raise ValueError("has a header whose architecture is not a name")
    return value


def _image_size(value: object) -> tuple[int, int]:
    sides = value if isinstance(value, list) and len(value) == 2 else []
    shorter, longest = (side if type(side) is int else 0 for side in sides or (0, 0))
    if (
        not MIN_INPUT_SIZE <= shorter <= MAX_INPUT_SIZE
        or not shorter <= longest <= MAX_LONGEST_SIDE
    ):
        raise ValueError(
            "has a header whose image_size is not [shorter, longest] side in pixels, "
            f"{MIN_INPUT_SIZE} to {MAX_INPUT_SIZE} and at most {MAX_LONGEST_SIDE}"
        )
    return shorter, longest


def _reason(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)
