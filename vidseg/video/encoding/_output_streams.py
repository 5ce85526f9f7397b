"""One stream on its way from the source to the output: copied as it is, or converted."""

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import Protocol

import av
from av import AudioFrame, AudioStream, Packet
from av.bitstream import BitStreamFilterContext
from av.container import OutputContainer
from av.error import FFmpegError
from av.stream import Stream
from av.subtitles.stream import SubtitleStream

from vidseg.video.pyav_versions import ratio

CHANNEL_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}
"""Maps a channel count to the layout that is encoded; other counts become stereo."""
UNNAMED_LAYOUT_SUFFIX = " channels"
"""ffmpeg ends the name of a layout so when it knows how many channels there are but not which."""
CONTAINER_FAMILIES = {"mp4": "mov", "webm": "matroska"}
"""Maps a muxer to the demuxer of the same family."""
COPIES_PARAMETERS_SINCE = (18, 1)
"""Earlier releases of PyAV crash on a bitstream filter whose output has no codec context."""
MIN_CLOCK_RESET = Fraction(1, 10)
"""Seconds that audio must jump back before that counts as a reset of the clock."""
BITS_PER_CHANNEL_PAIR = {"libopus": 96000, "aac": 160000, "flac": 0}
"""Bits per second and two channels for each encoder; 0 for those without loss."""


class ContinuousClock:
    """Makes the timestamps of concatenated files continuous.

    Where audio time jumps back, all later packets are shifted by the offset of the video there.
    """

    def __init__(self, video_offsets: Callable[[], list[Fraction]]) -> None:
        """`video_offsets` returns the seconds that video moves after each reset.

        It is called at the first reset, because finding them takes a pass over the file.
        """
        self._video_offsets = video_offsets
        self._resets = 0
        self._offset = Fraction(0)
        self._heard: dict[int, tuple[Fraction, Fraction]] = {}
        """Start and end of the last packet of each audio stream."""

    def adjust(self, packet: Packet) -> None:
        """Shift the timestamps of `packet`."""
        base, dts = packet.time_base, packet.dts
        if packet.stream.type == "audio" and dts is not None:
            start, end = self._heard.get(packet.stream_index, (dts * base, dts * base))
            if dts * base + self._offset < start - MIN_CLOCK_RESET:
                self._offset = self._next_offset(end - dts * base)
            start = dts * base + self._offset
            self._heard[packet.stream_index] = start, start + (packet.duration or 0) * base
        ticks = round(self._offset / base)
        if ticks:
            packet.pts = None if packet.pts is None else packet.pts + ticks
            packet.dts = None if dts is None else dts + ticks

    def _next_offset(self, audio_offset: Fraction) -> Fraction:
        """The offset of the video; that of the audio if the video has no reset there."""
        offsets, self._resets = self._video_offsets(), self._resets + 1
        return offsets[self._resets - 1] if self._resets <= len(offsets) else audio_offset


class OutputStream(Protocol):
    """One stream of the source together with its stream in the output."""

    @property
    def target(self) -> Stream:
        """The stream in the output."""
        ...

    def feed(self, packet: Packet) -> Iterable[Packet]:
        """Packets for the output, still with the timestamps of the source."""
        ...

    def flush(self) -> Iterable[Packet]:
        """The packets that remain at the end."""
        ...


class CopiedStream:
    """Copies packets without changing a byte."""

    def __init__(self, stream: Stream, target: OutputContainer) -> None:
        self.target = _copied_target(stream, target)
        self._samples = self._sample_rate = 0
        self._expected: int | None = None
        if isinstance(stream, AudioStream) and isinstance(self.target, AudioStream):
            self._describe_audio(stream, self.target)

    def feed(self, packet: Packet) -> Iterable[Packet]:
        if self._samples and packet.pts is not None:
            self._restore_sample_times(packet, packet.pts)
        packet.stream = self.target
        return (packet,)

    def flush(self) -> Iterable[Packet]:
        return ()

    def _describe_audio(self, source: AudioStream, target: AudioStream) -> None:
        context = source.codec_context
        samples, unit = context.frame_size, ratio(source.time_base)
        if samples and unit is not None and unit > Fraction(1, context.sample_rate):
            self._samples, self._sample_rate = samples, context.sample_rate
        if context.layout.name.endswith(UNNAMED_LAYOUT_SUFFIX):
            # Matroska and AVI allow that; MP4 must know which channels they are
            named = CHANNEL_LAYOUTS.get(context.layout.nb_channels)
            target.codec_context.layout = named or context.layout

    def _restore_sample_times(self, packet: Packet, pts: int) -> None:
        """Express times in samples where the source rounds them, as Matroska does."""
        tick = packet.time_base * self._sample_rate
        at = round(pts * tick)
        if self._expected is not None and abs(at - self._expected) <= tick:
            at = self._expected
        self._expected = at + self._samples
        packet.time_base = Fraction(1, self._sample_rate)
        packet.pts = packet.dts = at
        packet.duration = self._samples


def _copied_target(stream: Stream, target: OutputContainer) -> Stream:
    if stream.codec_context is not None:
        return target.add_stream_from_template(stream, opaque=True)
    added = target.add_data_stream()
    # PyAV has no other call that copies the parameters of a stream without a decoder
    BitStreamFilterContext("null", stream, added)
    added.time_base = stream.time_base
    return added


def can_copy_without_decoder(stream: Stream, container: str) -> bool:
    """Whether a stream that ffmpeg cannot decode may be copied into `container`.

    Only within a family of containers: elsewhere muxers write such streams as nameless data.
    """
    if tuple(map(int, av.__version__.split(".")[:2])) < COPIES_PARAMETERS_SINCE:
        return False
    family = CONTAINER_FAMILIES.get(container, container)
    return family in stream.container.format.name.split(",")


class ConvertedAudio:
    """Audio in a codec that the container cannot hold, encoded again."""

    def __init__(self, stream: AudioStream, target: OutputContainer, encoder: str) -> None:
        self._source = stream.codec_context
        layout = CHANNEL_LAYOUTS.get(self._source.layout.nb_channels, "stereo")
        rate = _sample_rate(encoder, self._source.sample_rate)
        added = target.add_stream(encoder, rate=rate, layout=layout)
        assert isinstance(added, AudioStream)
        self.target = added
        context = added.codec_context
        pairs = max(1, context.layout.nb_channels // 2)
        context.bit_rate = BITS_PER_CHANNEL_PAIR[encoder] * pairs
        context.open()
        added.time_base = Fraction(1, context.sample_rate)
        self._end = 0

    def feed(self, packet: Packet) -> Iterator[Packet]:
        for frame in self._decode(packet):
            yield from self.target.encode(frame)

    def flush(self) -> Iterator[Packet]:
        for frame in self._decode(None):
            yield from self.target.encode(frame)
        yield from self.target.encode(None)

    def _decode(self, packet: Packet | None) -> list[AudioFrame]:
        try:
            frames = self._source.decode(packet)
        except FFmpegError:
            return []  # a damaged packet leaves a gap; the frames around it keep their times
        for frame in frames:
            self._count_in_samples(frame)
        return frames

    def _count_in_samples(self, frame: AudioFrame) -> None:
        """Set the time in samples. A frame without a time, as some decoders end with, follows on
        the one before."""
        sample = Fraction(1, frame.sample_rate)
        base = ratio(frame.time_base)
        at = self._end if frame.pts is None or base is None else round(frame.pts * base / sample)
        if base is not None and abs(at - self._end) <= base / sample:
            at = self._end
        frame.pts, frame.time_base = at, sample
        self._end = at + frame.samples


def _sample_rate(encoder: str, wanted: int) -> int:
    """The sample rate in Hz of the encoder that loses least: the next one up, or the highest."""
    rates = sorted(av.Codec(encoder, "w").audio_rates or [wanted])
    return next((rate for rate in rates if rate >= wanted), rates[-1])


class ConvertedSubtitles:
    """Text subtitles in another text codec of ffmpeg, with the styles that both codecs know."""

    def __init__(self, stream: SubtitleStream, target: OutputContainer, encoder: str) -> None:
        self._source = stream.codec_context
        self._source.open(strict=False)
        header = self._source.subtitle_header
        if header is None:
            raise ValueError("bitmap subtitles contain no text")
        added = target.add_stream(encoder)
        assert isinstance(added, SubtitleStream)
        self.target = added
        added.codec_context.subtitle_header = header
        added.codec_context.time_base = added.time_base = Fraction(1, 1000)
        added.codec_context.open()

    def feed(self, packet: Packet) -> Iterable[Packet]:
        subtitle = self._source.decode2(packet)
        if subtitle is None:
            return ()
        encoded = self.target.codec_context.encode_subtitle(subtitle)
        encoded.pts, encoded.dts, encoded.duration = packet.pts, packet.dts, packet.duration
        encoded.time_base = packet.time_base
        encoded.stream = self.target
        return (encoded,)

    def flush(self) -> Iterable[Packet]:
        return ()
