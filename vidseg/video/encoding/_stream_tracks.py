"""Single streams on their way into an output: copied as they are, or converted."""

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import Any, Protocol

from av.error import FFmpegError

RATES = {"libopus": 48000}
"""Hz that an encoder insists on."""
LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}
"""Channels to the layout they are coded in; others become stereo."""
UNNAMED = " channels"
"""End of a layout's name that tells the number of channels and not which they are."""
SET_BACK = Fraction(1, 10)
"""Seconds that sound must jump back for the clock to have started anew inside the file."""


class RunningClock:
    """Makes one time of a file's packets where files were joined byte by byte: where sound jumps
    back, all streams move on as far as the pictures do."""

    def __init__(self, lifts: Callable[[], list[Fraction]]) -> None:
        """`lifts`: seconds by which the pictures after each seam move, asked for at the first."""
        self._lifts = lifts
        self._seams = 0
        self._lift = Fraction(0)
        self._heard: dict[int, tuple[Fraction, Fraction]] = {}
        """Start and end of the last packet of each stream of sound."""

    def carry_on(self, packet: Any) -> None:
        """Move the times of `packet`."""
        base, dts = packet.time_base, packet.dts
        if packet.stream.type == "audio" and dts is not None:
            start, end = self._heard.get(packet.stream_index, (dts * base, dts * base))
            if dts * base + self._lift < start - SET_BACK:
                self._lift = self._next_lift(end - dts * base)
            start = dts * base + self._lift
            self._heard[packet.stream_index] = start, start + (packet.duration or 0) * base
        ticks = round(self._lift / base)
        if ticks:
            packet.pts = None if packet.pts is None else packet.pts + ticks
            packet.dts = None if dts is None else dts + ticks

    def _next_lift(self, by_sound: Fraction) -> Fraction:
        """That of the pictures; where they have no such seam, what sound alone needs."""
        lifts, self._seams = self._lifts(), self._seams + 1
        return lifts[self._seams - 1] if self._seams <= len(lifts) else by_sound


class Track(Protocol):
    """One stream of the source and its stream in the output."""

    target: Any

    def feed(self, packet: Any) -> Iterable[Any]:
        """Packets for the output, their times still those of the source."""
        ...

    def flush(self) -> Iterable[Any]:
        """What is left at the end."""
        ...


class CopiedTrack:
    """Packets pass through with their bytes untouched."""

    def __init__(self, stream: Any, target: Any) -> None:
        self.target = target.add_stream_from_template(stream, opaque=True)
        context = stream.codec_context
        self._samples = context.frame_size if stream.type == "audio" else 0
        self._rate = context.sample_rate if stream.type == "audio" else 0
        coarse = self._samples and stream.time_base > Fraction(1, self._rate)
        self._smooth = bool(coarse)
        self._expected: int | None = None
        if stream.type == "audio" and context.layout.name.endswith(UNNAMED):
            # as in Matroska and AVI; MP4 wants to know which channels they are
            count = context.layout.nb_channels
            self.target.codec_context.layout = LAYOUTS.get(count, context.layout)

    def feed(self, packet: Any) -> Iterable[Any]:
        if self._smooth and packet.pts is not None:
            self._regain_samples(packet)
        packet.stream = self.target
        return (packet,)

    def flush(self) -> Iterable[Any]:
        return ()

    def _regain_samples(self, packet: Any) -> None:
        """Count in samples again where the source had to round, as Matroska does."""
        tick = packet.time_base * self._rate
        at = round(packet.pts * tick)
        if self._expected is not None and abs(at - self._expected) <= tick:
            at = self._expected
        self._expected = at + self._samples
        packet.time_base = Fraction(1, self._rate)
        packet.pts = packet.dts = at
        packet.duration = self._samples


class SoundTrack:
    """Sound in a codec that the container cannot hold, coded anew."""

    def __init__(self, stream: Any, target: Any, encoder: str) -> None:
        context = stream.codec_context
        self._source = stream
        self.target = target.add_stream(
            encoder,
            rate=RATES.get(encoder, context.sample_rate),
            layout=LAYOUTS.get(context.layout.nb_channels, "stereo"),
        )
        self.target.codec_context.bit_rate = (
            0
            if encoder == "flac"
            else 96000 * max(1, self.target.codec_context.layout.nb_channels // 2)
        )
        self.target.codec_context.open()
        self.target.time_base = Fraction(1, self.target.codec_context.sample_rate)
        self._ends = 0

    def feed(self, packet: Any) -> Iterator[Any]:
        for frame in self._decode(packet):
            yield from self.target.encode(frame)

    def flush(self) -> Iterator[Any]:
        for frame in self._decode(None):
            yield from self.target.encode(frame)
        yield from self.target.encode(None)

    def _decode(self, packet: Any) -> list[Any]:
        try:
            frames = self._source.codec_context.decode(packet)
        except FFmpegError:
            return []  # a damaged packet is a gap; the frames around it keep their times
        for frame in frames:
            self._place(frame)
        return frames

    def _place(self, frame: Any) -> None:
        """Count in samples; a frame without a time, as some decoders end with, follows the last."""
        sample = Fraction(1, frame.sample_rate)
        at = self._ends if frame.pts is None else round(frame.pts * frame.time_base / sample)
        if frame.pts is not None and abs(at - self._ends) <= frame.time_base / sample:
            at = self._ends
        frame.pts, frame.time_base = at, sample
        self._ends = at + frame.samples


class TextTrack:
    """Text subtitles in another of ffmpeg's text codecs, styles kept where both know them."""

    def __init__(self, stream: Any, target: Any, encoder: str) -> None:
        self._source = stream.codec_context
        self._source.open(strict=False)
        header = self._source.subtitle_header
        if header is None:
            raise ValueError("a picture subtitle holds no text")
        self.target = target.add_stream(encoder)
        self.target.codec_context.subtitle_header = header
        self.target.codec_context.time_base = self.target.time_base = Fraction(1, 1000)
        self.target.codec_context.open()

    def feed(self, packet: Any) -> Iterable[Any]:
        subtitle = self._source.decode2(packet)
        if subtitle is None:
            return ()
        made = self.target.codec_context.encode_subtitle(subtitle)
        made.pts, made.dts, made.duration = packet.pts, packet.dts, packet.duration
        made.time_base = packet.time_base
        made.stream = self.target
        return (made,)

    def flush(self) -> Iterable[Any]:
        return ()
