"""Opening a container safely: local files only, real video formats only, errors as sentences."""

from pathlib import Path
from typing import Any

from av.error import FFmpegError
from av.stream import Disposition

from vidseg.errors import InputError
from vidseg.video.pyav_versions import open_input

SOUND_FORMATS = ("mp3", "wav", "flac", "aac", "ac3", "eac3", "aiff", "caf", "w64", "amr")
FORMATS = (
    *("mov", "matroska", "avi", "mpegts", "mpeg", "mpegvideo", "m4v", "flv", "live_flv", "ogg"),
    *("asf", "wtv", "rm", "mxf", "nut", "ivf", "dv", "yuv4mpegpipe", "h264", "hevc", "vvc", "obu"),
    *("gxf", "nsv", "dhav", "mjpeg", "mjpeg_2000", "av1", "vc1", "swf", "bink", "smk", "film_cpk"),
    *SOUND_FORMATS,
)
"""ffmpeg's demuxers that may open a file: no playlists, patterns, text art, devices or networks."""

HEIC = {b"ftyp" + brand for brand in (b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1")}
"""How HEIC photos begin; ffmpeg would show one of their tiles as a video."""

READ_ERRORS = (FFmpegError, OSError, IndexError)
"""What reading a damaged file may raise; PyAV's IndexError comes where a new stream begins."""

NOT_WATCHED = Disposition.attached_pic | Disposition.timed_thumbnails
"""Marks of streams that hold cover art or thumbnails."""


def open_container(path: Path) -> Any:
    """An open PyAV input container; `file:` keeps names such as `a:b.mp4` from being protocols."""
    if _head(path)[4:] in HEIC:
        raise InputError(f"{path} is a HEIC photo, which vidseg cannot read; convert it to JPEG.")
    try:
        return open_input(
            f"file:{path.absolute()}",
            {"format_whitelist": ",".join(FORMATS), "protocol_whitelist": "file"},
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


def choose_stream(container: Any, path: Path) -> Any:
    """The video that players show: the first default one, else the largest."""
    watched = [s for s in container.streams.video if not s.disposition & NOT_WATCHED]
    if not watched:
        has_sound = bool(container.streams.audio)
        found = "only sound" if has_sound else "no video stream"
        raise InputError(f"{path} holds {found}; give a file with a picture.")
    known = [s for s in watched if s.codec_context is not None]
    if not known:
        raise InputError(f"{path} has a video stream in a codec that ffmpeg does not know.")
    default = [s for s in known if s.disposition & Disposition.default]
    return default[0] if default else max(known, key=lambda s: s.width * s.height)
