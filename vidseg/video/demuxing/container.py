"""Opens a container safely: local files and real video formats only, errors as sentences."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import cast

from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Discard, Disposition, Stream
from av.video.stream import VideoStream

from vidseg.errors import InputError
from vidseg.video.demuxing.packets import VideoPacket
from vidseg.video.pyav_versions import open_input, ratio

AUDIO_DEMUXERS = ("mp3", "wav", "flac", "aac", "ac3", "eac3", "aiff", "caf", "w64", "amr")
DEMUXERS = (
    *("mov", "matroska", "avi", "mpegts", "mpeg", "mpegvideo", "m4v", "flv", "live_flv", "ogg"),
    *("asf", "wtv", "rm", "mxf", "nut", "ivf", "dv", "yuv4mpegpipe", "h264", "hevc", "vvc", "obu"),
    *("gxf", "nsv", "dhav", "mjpeg", "mjpeg_2000", "av1", "vc1", "swf", "bink", "smk", "film_cpk"),
    *AUDIO_DEMUXERS,
)
"""Demuxers that may open a file: no playlists, patterns, text art, devices or networks."""

HEIC_TYPES = {b"ftyp" + brand for brand in (b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1")}
"""How HEIC photos begin, after 4 bytes; ffmpeg would show one of their tiles as a video."""

READ_ERRORS = (FFmpegError, OSError, IndexError)
"""What reading a damaged file may raise; PyAV raises IndexError where a new stream begins."""

COVER_OR_THUMBNAILS = Disposition.attached_pic | Disposition.timed_thumbnails
"""Dispositions of video streams that are no video."""


def open_container(path: Path) -> InputContainer:
    """An open container; `file:` keeps a name such as `a:b.mp4` from being a protocol.

    Raises InputError if it is no video.
    """
    if _head(path)[4:] in HEIC_TYPES:
        raise InputError(f"{path} is a HEIC photo, which vidseg cannot read; convert it to JPEG.")
    try:
        return open_input(
            f"file:{path.absolute()}",
            {"format_whitelist": ",".join(DEMUXERS), "protocol_whitelist": "file"},
        )
    except (FFmpegError, UnicodeError, ValueError) as error:
        raise InputError(_why_not(path, error)) from error


def _why_not(path: Path, error: Exception) -> str:
    if isinstance(error, UnicodeError):
        return f"{path} has a name that is not valid UTF-8; rename it."
    if _head(path)[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"wide"):
        return (
            f"{path} is an MP4 or MOV file whose index is missing, probably because it was cut off "
            "while being recorded or copied; nothing of it can be read."
        )
    return f"{path} is not a video or picture that vidseg can read."


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(12)


def choose_stream(container: InputContainer, path: Path) -> VideoStream:
    """The video that players show: the first default one, else the largest."""
    videos = [s for s in container.streams.video if not s.disposition & COVER_OR_THUMBNAILS]
    if not videos:
        found = "only sound" if container.streams.audio else "no video stream"
        raise InputError(f"{path} holds {found}; give a file with a picture.")
    known = [s for s in videos if s.codec_context is not None]
    if not known:
        raise InputError(f"{path} has a video stream in a codec that ffmpeg does not know.")
    default = [s for s in known if s.disposition & Disposition.default]
    return default[0] if default else max(known, key=lambda s: s.width * s.height)


def video_stream(container: InputContainer, index: int | None) -> VideoStream:
    """The stream that `choose_stream` chose, in another container of the same file."""
    return cast(VideoStream, container.streams[index or 0])


def time_base(stream: Stream) -> Fraction:
    """Seconds a tick of the stream's timestamps."""
    return ratio(stream.time_base) or Fraction(1)


def read_only(container: InputContainer, stream: VideoStream) -> Iterator[VideoPacket]:
    """The packets of one stream; those of others are not even read where the container allows.

    The last packet is an empty one.
    """
    for other in container.streams:
        if other.index != stream.index:
            other.discard = Discard.all
    return container.demux(stream)
