"""Everything of a file but its pictures, carried over: sound, subtitles, fonts, chapters, tags.

Streams are copied packet for packet. What the new container cannot hold is converted, and what
cannot be converted is left out; both are said in a warning that names the stream.
"""

import io
import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress
from fractions import Fraction
from math import ceil
from typing import Any

import av
from av.error import FFmpegError, InvalidDataError
from av.stream import Discard

from vidseg.video.demuxing.container import READ_ERRORS, open_container
from vidseg.video.demuxing.timestamp_resets import reset_offsets
from vidseg.video.encoding._stream_tracks import (
    CopiedTrack,
    RunningClock,
    SoundTrack,
    TextTrack,
    Track,
)
from vidseg.video.info import VideoInfo

log = logging.getLogger("vidseg")

SOUND = {"webm": "libopus", "mp4": "aac", "mov": "aac", "matroska": "flac"}
"""Encoder for sound that the container cannot hold as it is."""
SUBTITLES = {"webm": "webvtt", "mp4": "mov_text", "mov": "mov_text", "matroska": "subrip"}

NO_EDIT_LIST = ("matroska", "webm")
"""Containers that hide no sound before second 0 but a decoder's own; what MP4 hid is left out."""
MOV_LANGUAGES = {
    "deu": "ger", "nld": "dut", "swe": "sve", "ell": "gre", "isl": "ice", "zho": "chi",
    "sqi": "alb",
}  # fmt: skip
"""QuickTime knows some languages by other codes only (Macintosh language table)."""

# Facts of the old coding or layout that would be false of the new file
STALE_TAGS = ("encoder", "major_brand", "minor_version", "compatible_brands", "duration", "rotate")
STALE_STARTS = ("bps", "number_of_", "_statistics_")
STEP = Fraction(1, 1000)
"""Seconds from one packet to the next at least: a tick of the coarsest containers."""
ATTACHED_PICTURE = 0x400
NOUNS = {"audio": "sound", "subtitle": "text of the subtitles", "video": "cover"}


class StreamCopier:
    """Reads a file beside the one that decodes its pictures, and keeps pace with the encoder."""

    def __init__(self, info: VideoInfo, target: Any, container: str) -> None:
        self._target, self._container = target, container
        self._source = open_container(info.path)
        self._origin = info.origin
        self._tracks: dict[int, Track] = {}
        self._last: dict[int, int] = {}
        self._clock = RunningClock(lambda: reset_offsets(info))
        self._damaged: set[int] = set()
        self._waiting: tuple[Fraction, Any] | None = None
        for stream in self._source.streams:
            if stream.index != info.stream:
                self._add(stream, container)
        self._packets = self._demux()

    def close(self) -> None:
        self._source.close()

    def copy_tags(self, video: Any, source_index: int | None) -> None:
        """Carry over the file's metadata, and language, title and dispositions of the picture."""
        self._target.metadata.update(_fresh(self._source.metadata))
        if source_index is not None:
            source = self._source.streams[source_index]
            keep = ("language", "title", "handler_name")
            video.metadata.update({k: v for k, v in source.metadata.items() if k in keep})
            video.disposition = int(source.disposition) & ~ATTACHED_PICTURE

    def begin(self, start: Fraction | None, end: Fraction | None, zero: Fraction) -> None:
        """Set the cut, and which second of the source becomes second 0; before the first packet."""
        self._start, self._end, self._zero = start, end, zero
        chapters = _cut_chapters(self._source.chapters(), self._origin, zero, end)
        if chapters:
            self._target.set_chapters(chapters)

    def copy_until(self, time: Fraction | None) -> None:
        """Write every packet up to `time` (seconds in the output); None for the rest."""
        while True:
            if self._waiting is None:
                self._waiting = next(self._packets, None)
            if self._waiting is None:
                return
            at, packet = self._waiting
            if time is not None and at - self._zero > time:
                return
            self._waiting = None
            if self._inside(at, packet):
                self._write(self._tracks[packet.stream_index].feed(packet))

    def finish(self) -> None:
        """Write what is left of all streams."""
        self.copy_until(None)
        for track in self._tracks.values():
            self._write(track.flush())

    def _add(self, stream: Any, container: str) -> None:
        track = _track(stream, self._target, container)
        if track is None:
            return
        tags = _fresh(stream.metadata)
        if container == "mov" and "language" in tags:
            tags["language"] = MOV_LANGUAGES.get(tags["language"], tags["language"])
        track.target.metadata.update(tags)
        track.target.disposition = int(stream.disposition)
        self._tracks[stream.index] = track

    def _demux(self) -> Iterator[tuple[Fraction, Any]]:
        wanted = [s for s in self._source.streams if s.index in self._tracks]
        for stream in self._source.streams:
            if stream not in wanted:
                stream.discard = Discard.all
        if not wanted:
            return
        try:
            for packet in self._source.demux(wanted):
                self._clock.carry_on(packet)
                at = packet.pts if packet.pts is not None else packet.dts
                if at is not None:
                    yield at * packet.time_base - self._origin, packet
                elif packet.size and _is_cover(packet.stream):
                    packet.pts = packet.dts = round((self._origin + self._zero) / packet.time_base)
                    yield self._zero, packet
        except READ_ERRORS as error:
            reason = getattr(error, "strerror", None) or "a stream begins in its middle"
            log.warning("The sound could not be read to its end: %s.", reason)

    def _inside(self, at: Fraction, packet: Any) -> bool:
        """Whether the middle of a packet lies in the cut; a subtitle counts while it is shown."""
        length = (packet.duration or 0) * packet.time_base
        if self._container in NO_EDIT_LIST and at + length <= self._zero - _warm_up(packet.stream):
            return False
        subtitle = packet.stream.type == "subtitle"
        if self._start is not None and at + (length if subtitle else length / 2) < self._zero:
            return False
        return self._end is None or at + (0 if subtitle else length / 2) < self._end

    def _write(self, packets: Iterable[Any]) -> None:
        for packet in packets:
            self._shift(packet)
            try:
                self._target.mux_one(packet)
            except InvalidDataError:
                self._say_damaged(packet)

    def _say_damaged(self, packet: Any) -> None:
        if packet.stream_index not in self._damaged:
            log.warning("The %s is damaged; parts of it are left out.", NOUNS[packet.stream.type])
        self._damaged.add(packet.stream_index)

    def _shift(self, packet: Any) -> None:
        """Times from the source's to the output's, never backwards within a stream."""
        base = packet.time_base
        shift = round((self._origin + self._zero) / base)
        pts = (packet.pts if packet.pts is not None else packet.dts) - shift
        dts = (packet.dts if packet.dts is not None else packet.pts) - shift
        if packet.stream.type == "subtitle" and pts < 0:
            packet.duration = max((packet.duration or 0) + pts, 0)
            pts = dts = 0
        last = self._last.get(packet.stream_index)
        if last is not None and dts <= last:
            dts = last + ceil(STEP / base)
        self._last[packet.stream_index] = dts
        packet.pts, packet.dts = max(pts, dts), dts


def _fresh(tags: dict[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in tags.items()
        if name.lower() not in STALE_TAGS and not name.lower().startswith(STALE_STARTS)
    }


def _cut_chapters(
    chapters: list[Any], origin: Fraction, zero: Fraction, end: Fraction | None
) -> list[Any]:
    """Chapters on the output's times; those outside the cut are left out."""
    kept = []
    for chapter in chapters:
        base = chapter["time_base"]
        shift = origin + zero
        first = max(chapter["start"] * base - shift, Fraction(0))
        last = chapter["end"] * base - shift
        if end is not None:
            last = min(last, end - zero)
        if last > first:
            ticks = {"start": round(first / base), "end": round(last / base)}
            kept.append({**chapter, **ticks})
    return kept


def _warm_up(stream: Any) -> Fraction:
    """Seconds of sound that the decoder throws away by itself, where the container tells."""
    context = stream.codec_context
    return Fraction(context.delay, context.sample_rate) if stream.type == "audio" else Fraction(0)


def _is_cover(stream: Any) -> bool:
    return stream.type == "video" and bool(int(stream.disposition) & ATTACHED_PICTURE)


def _track(stream: Any, target: Any, container: str) -> Track | None:
    """The first rung of the ladder that holds: copy, convert, leave out with a warning."""
    if stream.type == "data":
        log.info("Stream %d (%s data) is left out.", stream.index, _codec(stream))
        return None
    if stream.type == "attachment":
        return _attach(stream, target, container)
    cover = _is_cover(stream)
    if stream.type == "video" and not cover:
        log.warning("Stream %d is a second video; it is left out.", stream.index)
        return None
    if cover and container == "matroska":
        return _attach_cover(stream, target)
    if _can_copy(stream, container):
        return CopiedTrack(stream, target)
    return _converted(stream, target, container)


def _converted(stream: Any, target: Any, container: str) -> Track | None:
    made: Track | None = None
    try:
        if stream.type == "audio" and container in SOUND:
            made = SoundTrack(stream, target, SOUND[container])
        if stream.type == "subtitle" and container in SUBTITLES:
            made = TextTrack(stream, target, SUBTITLES[container])
    except (FFmpegError, ValueError, NotImplementedError) as error:
        log.debug("Stream %d could not be converted: %s", stream.index, error)
    if made is None:
        log.warning(
            "Stream %d (%s %s) does not go into %s; it is left out.",
            stream.index, _codec(stream), stream.type, container,
        )  # fmt: skip
    else:
        log.warning(
            "Stream %d (%s %s) does not go into %s; it is converted to %s.",
            stream.index, _codec(stream), stream.type, container, made.target.name,
        )  # fmt: skip
    return made


def _codec(stream: Any) -> str:
    context = stream.codec_context
    return context.name if context is not None else "unknown"


def _can_copy(stream: Any, container: str) -> bool:
    """Whether a header with this stream alone can be written; nothing else tells as surely."""
    if stream.codec_context is None:
        return False
    if container == "mov" and _is_cover(stream):  # its muxer drops covers without a word
        return False
    trial = av.open(io.BytesIO(), "w", format=container, container_options={"strict": "-2"})
    try:
        trial.add_stream_from_template(stream, opaque=True)
        trial.start_encoding()
    except (FFmpegError, ValueError):
        return False
    finally:
        _close_quietly(trial)
    return True


def _close_quietly(container: Any) -> None:
    """A trailer without packets may fail; the trial has said before what it could."""
    with suppress(FFmpegError, OSError):
        container.close()


def _attach(stream: Any, target: Any, container: str) -> Track | None:
    name = stream.metadata.get("filename", "attachment")
    if container == "matroska":
        target.add_stream_from_template(stream)
    else:
        log.warning("The attached file %s does not go into %s; it is left out.", name, container)
    return None


def _attach_cover(stream: Any, target: Any) -> None:
    """Matroska keeps covers as attached files; ffmpeg hands them out before any other packet."""
    packet = next(stream.container.demux(stream))
    ending = {"mjpeg": ("jpg", "image/jpeg"), "png": ("png", "image/png")}
    suffix, mime = ending.get(_codec(stream), (_codec(stream), f"image/{_codec(stream)}"))
    target.add_attachment(f"cover.{suffix}", mime, bytes(packet))
