"""`VideoInfo` of a video as JSON, so that it is probed once and read by many processes."""

from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

from vidseg.video.info import Color, Keyframe, StreamInfo, VideoInfo

_FRACTIONS = ("rate", "start", "origin", "time_base", "pixel_aspect")


def info_to_json(info: VideoInfo) -> dict[str, Any]:
    """Everything but the path; fractions become text, exactly."""
    facts = asdict(info)
    del facts["path"], facts["photos"]
    for name in (*_FRACTIONS, "duration"):
        facts[name] = None if facts[name] is None else str(facts[name])
    return facts


def info_from_json(facts: dict[str, Any], path: Path) -> VideoInfo:
    """The same facts about `path`.

    Raises KeyError, TypeError or ValueError: they are not those of `info_to_json`.
    """
    duration = facts["duration"]
    values: dict[str, Any] = facts | {name: Fraction(facts[name]) for name in _FRACTIONS}
    values |= {
        "path": path,
        "size": (int(facts["size"][0]), int(facts["size"][1])),
        "duration": None if duration is None else Fraction(duration),
        "color": Color(**facts["color"]),
        "streams": tuple(StreamInfo(**stream) for stream in facts["streams"]),
        "keyframes": tuple(_keyframe(*values) for values in facts["keyframes"]),
    }
    return VideoInfo(**values)


def _keyframe(pts: int, number: int, position: int | None) -> Keyframe:
    return Keyframe(int(pts), int(number), None if position is None else int(position))
