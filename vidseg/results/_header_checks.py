"""Checks of what a `.vidseg` header says. Each returns what it was given, or raises ValueError with
half a sentence that follows "its header".

The checksum tells damage; these checks tell what another program, or a person, wrote.
"""

import re
from collections.abc import Container
from fractions import Fraction
from pathlib import Path
from typing import Any, get_args

from vidseg.video.info import Kind

MAX_TEXT_CHARACTERS = 4096
"""The longest path of Linux."""
MAX_NUMBER = 1 << 62
"""Largest count of bytes or frames."""
MAX_FRAME_PIXELS = 1 << 29
"""Twice what a frame of 16K has on either side."""
MAX_WAITING_FRAMES = 1000
"""Ten times the largest `fill` and `every` of the command line."""

_FRACTION = re.compile(r"-?\d{1,40}(/0*[1-9]\d{0,39})?")


def check_text(name: str, value: object, *, empty: bool = False) -> str:
    """A text that a path of the user's may be: names of files are not always encodable."""
    if not isinstance(value, str) or not (value or empty):
        raise ValueError(f"has a {name} that is no text")
    if len(value) > MAX_TEXT_CHARACTERS or "\0" in value:
        raise ValueError(f"has a {name} that is too long or holds a zero byte")
    return value


def check_integer(name: str, value: object, low: int, high: int = MAX_NUMBER) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"has a {name} that is no number from {low} to {high}")
    return value


def check_score(value: object, name: str = "kept_score") -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ValueError(f"has a {name} that is no number from 0 to 1")
    return value


def check_fraction(name: str, value: object) -> Fraction:
    """`1001/30000`; short enough that making it costs nothing."""
    if not isinstance(value, str) or not _FRACTION.fullmatch(value):
        raise ValueError(f"has a {name} that is no fraction")
    return Fraction(value)


def check_frame_size(value: object) -> tuple[int, int]:
    """`[height, width]`."""
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError("has a size that is not [height, width]")
    height, width = (check_integer("size", side, 1, MAX_FRAME_PIXELS) for side in value)
    if height * width > MAX_FRAME_PIXELS:
        raise ValueError(f"has a frame size of {width} x {height}, which is too large")
    return height, width


def check_source(value: object) -> dict[str, Any]:
    """What `fingerprint_of_input` gives."""
    source = _entries("source", value)
    check_text("source name", source["name"])
    check_integer("number of bytes", source["bytes"], 0)
    _check_hash(source["sha256"])
    if source["kind"] not in get_args(Kind):
        raise ValueError("has an unknown kind of source")
    check_frame_size(source["size"])
    if check_fraction("frame rate", source["rate"]) <= 0:
        raise ValueError("has a frame rate that is not above 0")
    if source["frames"] is not None:
        check_integer("number of frames", source["frames"], 0)
    _check_photos(source.get("photos", []), needed=source["kind"] == "folder")
    return source


def check_model(value: object) -> dict[str, Any]:
    """`name`, and for a model file also `bytes` and `sha256`."""
    model = _entries("model", value)
    check_text("model name", model["name"])
    if "sha256" in model:
        check_integer("number of bytes", model["bytes"], 0)
        _check_hash(model["sha256"])
    return model


def parse_labels(value: object, classes: Container[int]) -> list[int] | None:
    """None, or some of the labels of `classes`."""
    if value is None:
        return None
    if not isinstance(value, list) or not all(type(each) is int for each in value):
        raise ValueError("has labels that are no list of numbers")
    if not all(each in classes for each in value):
        raise ValueError("has a label that none of its classes has")
    return value


def check_options(value: object) -> dict[str, Any]:
    """The options that decide how detections are read; others only have to be equal."""
    options = _entries("options", value)
    every = options.get("every", 1)
    if every != "auto":
        check_integer("step of keyframes", every, 1, MAX_WAITING_FRAMES)
    for name in ("start", "end"):
        if options.get(name) is not None:
            check_fraction(name, options[name])
    tracking = options.get("tracking")
    if tracking is not None:
        tracking = _entries("tracking", tracking)
        check_score(tracking["score"], "tracking score")
        check_integer("fill", tracking["fill"], 0, MAX_WAITING_FRAMES)
    return options


def check_part(value: object) -> dict[str, Any] | None:
    """`frames`, [first, last + 1] with None for the end of the video, and `equal`."""
    if value is None:
        return None
    part = _entries("part", value)
    frames = part["frames"]
    if not isinstance(frames, list) or len(frames) != 2:
        raise ValueError("has a part whose frames are not [first, end]")
    first = check_integer("first frame", frames[0], 0)
    if frames[1] is not None:
        check_integer("end", frames[1], first + 1)
    check_text("path of its video", part["path"])
    _entries("part", part["equal"])
    return part


def _entries(name: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"has a {name} that is no object")
    return value


def _check_hash(value: object) -> None:
    if not isinstance(value, str) or not re.fullmatch("[0-9a-f]{64}", value):
        raise ValueError("has a sha256 that is not 64 digits")


def _check_photos(value: object, *, needed: bool) -> None:
    """File names, which exports use as such: none may lead into another folder."""
    if not isinstance(value, list) or (needed and not value):
        raise ValueError("has no list of photos")
    for name in value:
        check_text("photo", name)
        if Path(name).name != name or name == "..":
            raise ValueError(f"has a photo {name[:80]!r} that is not a plain file name")
    if len(set(value)) < len(value):
        raise ValueError("lists a photo twice")
