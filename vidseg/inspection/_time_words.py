"""Times and frames in the words of a page. Inputs without times have a frame a second."""

from collections.abc import Mapping
from typing import Any

Video = Mapping[str, Any]
"""The facts of a video."""


def clock(seconds: float) -> str:
    """`0:07.5`, `1:02:03.0`: a time in a video."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    tail = f"{rest // 10:02d}.{rest % 10}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"


def when(video: Video, seconds: float) -> str:
    """A time, or the frame there."""
    return clock(seconds) if video["timed"] else f"frame {seconds:.0f}"


def tick(video: Video, seconds: float) -> str:
    """The same on an axis."""
    return clock(seconds).removesuffix(".0") if video["timed"] else f"{seconds:g}"


def place(video: Video, seconds: float, frame: int) -> str:
    """A time with its frame, or the frame alone."""
    return f"{clock(seconds)}, frame {frame}" if video["timed"] else f"frame {frame}"


def during(video: Video, start: float, end: float) -> str:
    """From `start` to before `end`."""
    if not video["timed"]:
        first, last = round(start), round(end) - 1
        return f"frame {first}" if last <= first else f"frames {first} to {last}"
    first, last = clock(start), clock(end)
    return first if first == last else f"{first} to {last}"
