"""SMPTE timecodes: names of frames by the clock of the camera."""

import re
from fractions import Fraction

from av.container import InputContainer
from av.stream import Stream

TIMECODE = re.compile(r"(\d\d):(\d\d):(\d\d)([:;.])(\d\d)")
"""Hours, minutes, seconds, a separator that is ; or . where frame numbers are dropped, frames."""
TIMECODE_TAG = "timecode"


def source_timecode(container: InputContainer, video: Stream) -> str | None:
    """The timecode of the first frame: of the video, its timecode track, or the whole file."""
    tags = [video.metadata, *(s.metadata for s in container.streams.data), container.metadata]
    values = (
        value for each in tags for name, value in each.items() if name.lower() == TIMECODE_TAG
    )
    return next((value for value in values if TIMECODE.fullmatch(value)), None)


def later_timecode(timecode: str, frames: int, rate: Fraction) -> str:
    """The timecode `frames` frames after `timecode`, at `rate` frames per second.

    With drop-frame counting, two frame numbers in 30 are skipped at the start of each minute but
    every tenth (SMPTE ST 12-1).
    """
    found = TIMECODE.fullmatch(timecode)
    if found is None:
        raise ValueError(f"{timecode!r} is not a timecode of the form 01:02:03:04.")
    hours, minutes, seconds, frame = (int(found[group]) for group in (1, 2, 3, 5))
    base = round(rate)
    dropped = round(base / 15) if found[4] != ":" else 0
    minute = hours * 60 + minutes
    number = (minute * 60 + seconds) * base + frame - dropped * (minute - minute // 10)
    number = (number + frames) % (24 * (3600 * base - 54 * dropped))
    number += dropped * _skips(number, base, dropped)
    seconds, frame = divmod(number, base)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{found[4]}{frame:02}"


def _skips(number: int, base: int, dropped: int) -> int:
    """How many minutes before frame `number` began with dropped numbers."""
    tens, rest = divmod(number, 600 * base - 9 * dropped)
    return 9 * tens + max(0, (rest - dropped) // (60 * base - dropped))
