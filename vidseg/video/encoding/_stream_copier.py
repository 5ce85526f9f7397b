"""Carries over everything of a file but its video: audio, subtitles, fonts, chapters and tags.

Streams are copied packet by packet. What the new container cannot hold is converted, and what
cannot be converted is left out. A warning that names the stream tells both.
"""

import logging
from collections.abc import Iterable, Iterator
from fractions import Fraction
from math import ceil, floor

from av import AudioStream, Packet
from av.container import InputContainer, OutputContainer
from av.error import InvalidDataError
from av.stream import Discard, Disposition, Stream

from vidseg.video.demuxing.container import READ_ERRORS, open_container
from vidseg.video.demuxing.timestamp_resets import reset_offsets
from vidseg.video.encoding._metadata import (
    cut_chapters,
    file_tags,
    has_apple_tags,
    stream_tags,
    video_tags,
)
from vidseg.video.encoding._output_streams import ContinuousClock, OutputStream
from vidseg.video.encoding._stream_choice import is_cover, output_stream
from vidseg.video.encoding._timecode import TIMECODE_TAG, later_timecode, source_timecode
from vidseg.video.info import VideoInfo

log = logging.getLogger("vidseg")

WITHOUT_EDIT_LISTS = ("matroska", "webm")
"""Containers that cannot hide audio before second 0, except a decoder's own warm-up."""
MIN_PACKET_STEP = Fraction(1, 1000)
"""Least seconds between two packets of a stream: one tick of the coarsest containers."""
INTERLEAVING_SECONDS = Fraction(1)
"""Seconds by which packets of one time may lie apart in a file."""
MAX_SUBTITLE_SECONDS = Fraction(10)
"""Subtitles that begin earlier before a cut are not looked for."""
SEEKABLE_CONTAINERS = ("mov", "matroska")
"""Demuxers with an index by which a seek never lands too late."""
STREAM_NOUNS = {"audio": "sound", "subtitle": "text of the subtitles", "video": "cover"}


class StreamCopier:
    """Reads a file beside the one that is decoded, and keeps pace with the encoder."""

    def __init__(self, info: VideoInfo, target: OutputContainer, container: str) -> None:
        self._target, self._container = target, container
        self._source: InputContainer = open_container(info.path)
        self._origin = info.origin
        self._video, self._video_tick = info.stream or 0, info.time_base
        self._streams: dict[int, OutputStream] = {}
        self._last_dts: dict[int, int] = {}
        self._clock = ContinuousClock(lambda: reset_offsets(info))
        self._damaged: set[int] = set()
        self._waiting: tuple[Fraction, Packet] | None = None
        for stream in self._source.streams:
            if stream.index != info.stream:
                self._add(stream)
        self._packets = self._demux()

    def close(self) -> None:
        self._source.close()

    def copy_tags(self, video: Stream, source_index: int | None) -> None:
        """Carry over the tags of the file, and tags and dispositions of its video stream."""
        tags = file_tags(self._source.metadata)
        self._target.metadata.update(tags)
        if self._container in ("mp4", "mov") and has_apple_tags(tags):
            self._target.container_options["movflags"] += "+use_metadata_tags"
        if source_index is not None:
            source = self._source.streams[source_index]
            video.metadata.update(video_tags(source.metadata))
            video.disposition = source.disposition & ~Disposition.attached_pic

    def begin(self, start: Fraction | None, end: Fraction | None, zero: Fraction) -> None:
        """Set the cut, and which second of the source becomes second 0; before the first packet."""
        self._start, self._end, self._zero = start, end, zero
        chapters = cut_chapters(self._source.chapters(), self._origin, zero, end)
        if chapters:
            self._target.set_chapters(chapters)

    def copy_timecode(self, video: Stream, info: VideoInfo, first: int) -> None:
        """Carry over the camera's timecode, counted on to frame number `first`.

        The muxers of MP4 and MOV make a timecode track of the tag.
        """
        timecode = source_timecode(self._source, self._source.streams[info.stream or 0])
        if timecode is not None and info.constant_rate:
            video.metadata[TIMECODE_TAG] = later_timecode(timecode, first, info.rate)

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
            if self._is_inside_cut(at, packet):
                self._write(self._streams[packet.stream_index].feed(packet))

    def finish(self) -> None:
        """Write the rest of all streams."""
        self.copy_until(None)
        for stream in self._streams.values():
            self._write(stream.flush())

    def _add(self, stream: Stream) -> None:
        added = output_stream(stream, self._target, self._container)
        if added is None:
            return
        added.target.metadata.update(stream_tags(stream.metadata, self._container))
        added.target.disposition = stream.disposition
        self._streams[stream.index] = added

    def _demux(self) -> Iterator[tuple[Fraction, Packet]]:
        """(seconds in the source, packet) of all copied streams."""
        wanted = [s for s in self._source.streams if s.index in self._streams]
        for stream in self._source.streams:
            if stream not in wanted:
                stream.discard = Discard.all
        if not wanted:
            return
        try:
            ending = _EndOfCut(wanted, self._end)
            for packet in self._without_cut_out(self._from_cut(wanted)):
                self._clock.adjust(packet)
                at = self._time(packet)
                if at is not None:
                    if ending.is_reached(at, packet.stream_index):
                        return
                    yield at, packet
                elif packet.size and is_cover(packet.stream):
                    packet.pts = packet.dts = round((self._origin + self._zero) / packet.time_base)
                    yield self._zero, packet
        except READ_ERRORS as error:
            reason = getattr(error, "strerror", None) or "a stream begins in its middle"
            log.warning("The sound could not be read to its end: %s.", reason)

    def _from_cut(self, wanted: list[Stream]) -> Iterator[Packet]:
        """Packets from shortly before the cut on, where the container has an index.

        From the beginning if that leads too far, as wrong indexes do.
        """
        subtitles = any(stream.type == "subtitle" for stream in wanted)
        start = self._zero - (MAX_SUBTITLE_SECONDS if subtitles else INTERLEAVING_SECONDS)
        indexed = set(SEEKABLE_CONTAINERS) & set(self._source.format.name.split(","))
        if not indexed or start <= 0:
            yield from self._source.demux(wanted)
            return
        self._seek(start)
        packets = self._source.demux(wanted)
        covers_and_first: list[Packet] = []
        at: Fraction | None = None
        while at is None and (packet := next(packets, None)) is not None:
            covers_and_first.append(packet)
            at = self._time(packet)
        if at is None or at > self._zero:
            self._seek(Fraction(0))
            yield from self._source.demux(wanted)
        else:
            yield from covers_and_first
            yield from packets

    def _time(self, packet: Packet) -> Fraction | None:
        """Seconds in the source; None for covers and the empty packets at the end."""
        ticks = packet.pts if packet.pts is not None else packet.dts
        return None if ticks is None else ticks * packet.time_base - self._origin

    def _seek(self, time: Fraction) -> None:
        video = self._source.streams[self._video]  # indexes often list its keyframes only
        self._source.seek(floor((time + self._origin) / self._video_tick), stream=video)

    def _without_cut_out(self, packets: Iterable[Packet]) -> Iterator[Packet]:
        """Drop what an edit list cuts out of the middle or the end.

        Packets that it hides at the start stay: decoders need the last of them, and containers
        with edit lists hide them again.
        """
        begun: set[int] = set()
        for packet in packets:
            if packet.is_discard and packet.stream_index in begun:
                continue
            if not packet.is_discard:
                begun.add(packet.stream_index)
            yield packet

    def _is_inside_cut(self, at: Fraction, packet: Packet) -> bool:
        """Whether the middle of a packet lies in the cut; a subtitle counts while it is shown."""
        length = (packet.duration or 0) * packet.time_base
        needed_from = self._zero - _decoder_delay(packet.stream)
        if self._container in WITHOUT_EDIT_LISTS and at + length <= needed_from:
            return False
        subtitle = packet.stream.type == "subtitle"
        if self._start is not None and at + (length if subtitle else length / 2) < self._zero:
            return False
        return self._end is None or at + (0 if subtitle else length / 2) < self._end

    def _write(self, packets: Iterable[Packet]) -> None:
        for packet in packets:
            self._shift(packet)
            try:
                self._target.mux_one(packet)
            except InvalidDataError:
                self._warn_of_damage(packet)

    def _warn_of_damage(self, packet: Packet) -> None:
        if packet.stream_index not in self._damaged:
            noun = STREAM_NOUNS[packet.stream.type]
            log.warning("The %s is damaged; parts of it are left out.", noun)
        self._damaged.add(packet.stream_index)

    def _shift(self, packet: Packet) -> None:
        """Turn timestamps of the source into those of the output, always rising in a stream."""
        base = packet.time_base
        shift = round((self._origin + self._zero) / base)
        either = packet.pts if packet.pts is not None else packet.dts
        pts = (either or 0) - shift
        dts = (packet.dts if packet.dts is not None else either or 0) - shift
        if packet.stream.type == "subtitle" and pts < 0:
            packet.duration = max((packet.duration or 0) + pts, 0)
            pts = dts = 0
        last = self._last_dts.get(packet.stream_index)
        if last is not None and dts <= last:
            dts = last + ceil(MIN_PACKET_STEP / base)
        self._last_dts[packet.stream_index] = dts
        packet.pts, packet.dts = max(pts, dts), dts


class _EndOfCut:
    """Tells when no packet of the cut is left to come, so that the rest need not be read."""

    def __init__(self, streams: list[Stream], end: Fraction | None) -> None:
        audio = {stream.index for stream in streams if stream.type == "audio"}
        self._waiting = audio or {stream.index for stream in streams}
        self._end = end

    def is_reached(self, at: Fraction, stream: int) -> bool:
        """Whether every stream of audio has gone past the end; subtitles may come seldom."""
        if self._end is None:
            return False
        if at >= self._end + INTERLEAVING_SECONDS:
            self._waiting.discard(stream)
        return not self._waiting


def _decoder_delay(stream: Stream) -> Fraction:
    """Seconds of audio that the decoder drops by itself, if the container says so."""
    if not isinstance(stream, AudioStream) or stream.codec_context is None:
        return Fraction(0)
    return Fraction(stream.codec_context.delay, stream.codec_context.sample_rate)
