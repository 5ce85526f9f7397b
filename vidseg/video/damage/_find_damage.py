"""Damage that can be found without reading the frames."""

from fractions import Fraction
from pathlib import Path

from av.container import InputContainer
from av.video.stream import VideoStream

from vidseg.video.damage._damaged_packets import broken_chain
from vidseg.video.damage._truncation import truncation
from vidseg.video.demuxing.container import time_base
from vidseg.video.demuxing.timeline import Timeline


def find_damage(
    path: Path,
    container: InputContainer,
    stream: VideoStream,
    timeline: Timeline,
    rate: Fraction,
) -> str:
    """What is known to be missing, as part of a sentence; "" for a file that seems intact.

    `timeline` is that of the video `stream` of the open `container`, `rate` in frames a second.
    Contents are not read: a wrong checksum shows only while reading, in `DamagedPackets`.
    """
    unit = time_base(stream)
    last = timeline.last_duration * unit or 1 / rate
    end = int(timeline.pts[-1]) * unit + last if len(timeline.pts) else Fraction(0)
    missing = truncation(path, container, stream, end, rate)
    if missing:
        return missing
    if timeline.broken or broken_chain(path, container.format.name):
        return "parts of it are unreadable or marked as damaged"
    return ""
