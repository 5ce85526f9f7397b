"""Facts about an input, known before its frames are read."""

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal, NamedTuple

Kind = Literal["video", "animation", "photo", "folder"]
"""`animation` is an animated image (GIF, APNG, WebP); `folder` is a folder of photos."""

UNKNOWN_COLOR = "unknown"
"""Value of a colour property that the file does not tag."""


@dataclass(frozen=True, slots=True)
class Color:
    """How code values map to light, in ffmpeg's names; `UNKNOWN_COLOR` where a tag is missing."""

    matrix: str = UNKNOWN_COLOR
    range: str = UNKNOWN_COLOR
    primaries: str = UNKNOWN_COLOR
    transfer: str = UNKNOWN_COLOR


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """One stream of the file, decoded or copied."""

    index: int
    kind: str
    """video, audio, subtitle, data or attachment."""
    codec: str
    language: str | None = None
    default: bool = False


class Keyframe(NamedTuple):
    """A frame at which reading can start."""

    pts: int
    """Timestamp in ticks."""
    number: int
    """Its index."""
    position: int | None
    """Byte of the file where its packet begins, if that is how to find it; None: by its time."""


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """Facts about an input whose frames are read upright and in display colours."""

    path: Path
    kind: Kind
    size: tuple[int, int]
    """(height, width) of the upright frames; in a folder, of the largest photo."""
    rate: Fraction
    """Frames a second: exact if the rate is constant, else the average; 1 for photos."""
    constant_rate: bool
    frames: int | None
    """How many frames the file holds, by its index or packets; None if only decoding can tell."""
    duration: Fraction | None
    """Seconds from the start of the file to the end of its last frame."""
    timed: bool = True
    """Frames carry timestamps; if not, they are counted at `rate`."""
    start: Fraction = Fraction(0)
    """Time of the first frame, in seconds after the start of the file (its earliest stream)."""
    origin: Fraction = Fraction(0)
    """Timestamp of time 0 in the container, in seconds."""
    time_base: Fraction = Fraction(1, 90000)
    rotation: int = 0
    """Clockwise degrees by which the stored picture is rotated upright: 0, 90, 180, 270."""
    mirrored: bool = False
    """The picture is flipped left to right after rotation."""
    pixel_aspect: Fraction = Fraction(1)
    """Width : height of one pixel of the upright frame."""
    pixel_format: str = "rgb24"
    color: Color = Color()
    hdr: bool = False
    """PQ or HLG transfer: tone-mapped to SDR while reading."""
    interlaced: bool = False
    """The first frame is interlaced: such frames are deinterlaced while reading."""
    projection: str = ""
    """How a 360 degree video is projected; empty for a flat one."""
    alpha: bool = False
    """The file has transparency, which reading drops."""
    container: str = ""
    stream: int | None = None
    """Index of the video stream that is read; None for photos."""
    streams: tuple[StreamInfo, ...] = ()
    chapters: int = 0
    photos: tuple[Path, ...] = ()
    """The files of a folder of photos, in natural order of their names."""
    damage: str = ""
    """What is missing, as part of a sentence; "" if nothing is known before reading."""
    keyframes: tuple[Keyframe, ...] = field(default=(), repr=False, compare=False)
    """Frames at which reading can start, ascending; none where a seek is not exact."""
