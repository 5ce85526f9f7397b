"""How each stream of the source reaches the output: copied, converted, or left out.

Whatever is not copied is named in one warning.
"""

import io
import logging
from contextlib import suppress

from av import AudioStream, VideoStream
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.stream import Disposition, Stream
from av.subtitles.stream import SubtitleStream

from vidseg.video.encoding._output_streams import (
    ConvertedAudio,
    ConvertedSubtitles,
    CopiedStream,
    OutputStream,
    can_copy_without_decoder,
)
from vidseg.video.pyav_versions import open_output

log = logging.getLogger("vidseg")

AUDIO_ENCODERS = {"webm": "libopus", "mp4": "aac", "mov": "aac", "matroska": "flac"}
"""Maps a container to the encoder for audio that it cannot hold as it is."""
SILENT_AUDIO = {
    "mp4": ("pcm_", "vorbis", "dca", "truehd"),
    "mov": ("vorbis", "dca", "truehd"),
}
"""Maps a container to the start of names of audio codecs that it holds but most players skip."""
SUBTITLE_ENCODERS = {
    "webm": "webvtt", "mp4": "mov_text", "mov": "mov_text", "matroska": "subrip",
}  # fmt: skip
"""Maps a container to the encoder for text subtitles that it cannot hold as they are."""
COVER_FILES = {"mjpeg": ("jpg", "image/jpeg"), "png": ("png", "image/png")}
"""Maps the codec of a cover to its suffix and media type."""


def output_stream(stream: Stream, target: OutputContainer, container: str) -> OutputStream | None:
    """Add `stream` to the output: copied, else converted, else None and a warning says why."""
    if stream.type == "data":
        log.info("Stream %d (%s data) is left out.", stream.index, codec_name(stream))
        return None
    if stream.type == "attachment":
        _add_attachment(stream, target, container)
        return None
    if stream.type == "video" and not is_cover(stream):
        log.warning("Stream %d is a second video; it is left out.", stream.index)
        return None
    if is_cover(stream) and container == "matroska" and stream.codec_context is not None:
        _add_cover_file(stream, target)
        return None
    if _can_copy(stream, container) and not _is_skipped_by_players(stream, container):
        return CopiedStream(stream, target)
    return _converted(stream, target, container)


def is_cover(stream: Stream) -> bool:
    """Whether a stream is cover art: one image that belongs to the whole file."""
    return stream.type == "video" and bool(stream.disposition & Disposition.attached_pic)


def codec_name(stream: Stream) -> str:
    """ffmpeg's name of the codec; "unknown" if ffmpeg has no decoder, as PyAV names no other."""
    return stream.codec_context.name if stream.codec_context is not None else "unknown"


def _converted(stream: Stream, target: OutputContainer, container: str) -> OutputStream | None:
    made: OutputStream | None = None
    decodable = stream.codec_context is not None
    try:
        if decodable and isinstance(stream, AudioStream) and container in AUDIO_ENCODERS:
            made = ConvertedAudio(stream, target, AUDIO_ENCODERS[container])
        if decodable and isinstance(stream, SubtitleStream) and container in SUBTITLE_ENCODERS:
            made = ConvertedSubtitles(stream, target, SUBTITLE_ENCODERS[container])
    except (FFmpegError, ValueError, NotImplementedError) as error:
        log.debug("Stream %d could not be converted: %s", stream.index, error)
    verb = "played" if _is_skipped_by_players(stream, container) else "stored"
    outcome = "left out" if made is None else f"converted to {made.target.name}"
    log.warning(
        "Stream %d (%s %s) cannot be %s in %s; it is %s.",
        stream.index, codec_name(stream), stream.type, verb, container, outcome,
    )  # fmt: skip
    return made


def _is_skipped_by_players(stream: Stream, container: str) -> bool:
    return stream.type == "audio" and codec_name(stream).startswith(SILENT_AUDIO.get(container, ()))


def _can_copy(stream: Stream, container: str) -> bool:
    """Whether ffmpeg writes a header with this stream alone: no table of it says so as surely."""
    if stream.codec_context is None and not can_copy_without_decoder(stream, container):
        return False
    if container == "mov" and is_cover(stream):  # its muxer drops covers silently
        return False
    trial = open_output(io.BytesIO(), container, {"strict": "-2"})
    try:
        CopiedStream(stream, trial)
        trial.start_encoding()
    except (FFmpegError, ValueError, NotImplementedError):
        return False
    finally:
        with suppress(FFmpegError, OSError):  # a trailer without packets may fail
            trial.close()
    return True


def _add_attachment(stream: Stream, target: OutputContainer, container: str) -> None:
    name = stream.metadata.get("filename", "attachment")
    if container == "matroska":
        target.add_stream_from_template(stream)
    else:
        log.warning("The attachment %s cannot be stored in %s; it is left out.", name, container)


def _add_cover_file(stream: Stream, target: OutputContainer) -> None:
    """Matroska stores covers as attachments. ffmpeg delivers them before any other packet."""
    source = stream.container
    assert isinstance(source, InputContainer)
    assert isinstance(stream, VideoStream)
    packet = next(source.demux(stream))
    codec = codec_name(stream)
    suffix, media_type = COVER_FILES.get(codec, (codec, f"image/{codec}"))
    target.add_attachment(f"cover.{suffix}", media_type, bytes(packet))
