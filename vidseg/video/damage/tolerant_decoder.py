"""Decoding one packet at a time, so that it is known which frames damage hurts."""

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from av.codec import CodecContext

from vidseg.video.demuxing.container import READ_ERRORS
from vidseg.video.demuxing.timeline import is_shown


@dataclass(slots=True)
class Losses:
    """Frames that were in the file and could not be decoded."""

    stamps: list[int] = field(default_factory=list)
    unnumbered: int = 0
    torn: bool = False
    """Packets may have vanished, so that it is not known how many frames were lost."""

    def add(self, stamp: int | None) -> None:
        if stamp is None:
            self.unnumbered += 1
        else:
            insort(self.stamps, stamp)

    def __len__(self) -> int:
        return len(self.stamps) + self.unnumbered

    def before(self, stamp: int | None) -> int:
        """How many of them would have been shown before a frame."""
        known = len(self.stamps) if stamp is None else bisect_left(self.stamps, stamp)
        return known + self.unnumbered


def comes_out_whole(stream: Any, packets: list[Any]) -> bool:
    """Whether the last of `packets` is whole, though the decoder, begun with the first, complained.

    After the key frame of an open group of pictures H.264 lets go of earlier frames by name, which
    are not there then. A decoder that passes over errors marks the frames that they really hurt.
    """
    decoder = CodecContext.create(stream.codec.name, "r")
    decoder.extradata = stream.codec_context.extradata
    try:
        frames: list[Any] = [f for packet in [*packets, None] for f in decoder.decode(packet)]
    except READ_ERRORS:
        return False
    return any(f.pts == packets[-1].pts and not f.is_corrupt for f in frames)


class Run:
    """A decoder with one thread, and which of its packets have not come out as frames yet."""

    def __init__(
        self, stream: Any, decoder: Any, losses: Losses, *, timed: bool, cold: bool
    ) -> None:
        self.stream, self.decoder, self.losses = stream, decoder, losses
        self.timed = timed
        self.since: list[Any] | None = [] if cold else None
        """Packets since decoding began in the middle of the file, up to the next key frame."""
        self.codec = stream.codec.canonical_name
        self.waiting: set[int] = set()
        self.key: int | None = None
        self.reached: int | None = None
        """What comes after the last packet is shown from here on at the earliest."""
        self.hurt = False
        self.held: list[Any] = []
        """Whole frames from before damage, until all is known that was lost before them."""

    def feed(self, packet: Any, damaged: bool) -> list[Any]:
        """The whole frames that come out when `packet` goes in."""
        if packet.dts is not None and (not damaged or packet.dts == self.reached):
            self.reached = packet.dts + (packet.duration or 0)
        if (self.hurt and (damaged or not self._recovers(packet))) or self._leans(packet):
            self._lose(packet)
            return []
        held = self.release()
        if is_shown(packet, self.codec) and packet.pts is not None:
            self.waiting.add(packet.pts)
        return held + (self._stop(packet, torn=True) if damaged else self._decode(packet))

    def release(self) -> list[Any]:
        """The whole frames from before damage, now."""
        held, self.held = self.held, []
        return held

    def drain(self, *, torn: bool) -> list[Any]:
        """The frames that the decoder still holds; `torn`: packets may have followed."""
        if self.hurt:
            return self.held
        frames = self._whole(self._flush())
        return self._certain(frames) if torn else frames

    def _decode(self, packet: Any) -> list[Any]:
        if self.since is not None:
            self.since = None if self.since and packet.is_keyframe else [*self.since, packet]
        try:
            frames = self.decoder.decode(packet)
        except READ_ERRORS:
            excused = self.since is not None and comes_out_whole(self.stream, self.since)
            return [] if excused else self._stop(packet)
        whole = self._whole(frames)
        return whole if len(whole) == len(frames) else whole + self._stop(packet)

    def _recovers(self, packet: Any) -> bool:
        if packet.is_keyframe:
            self.hurt, self.key = False, packet.pts
        return not self.hurt

    def _leans(self, packet: Any) -> bool:
        """Whether it is shown before the key frame after damage, and so needs what was lost."""
        return self.key is not None and packet.pts is not None and packet.pts < self.key

    def _whole(self, frames: list[Any]) -> list[Any]:
        """`frames` up to the first that is not whole; they wait no longer."""
        whole = list(takewhile(lambda frame: not frame.is_corrupt, frames))
        self.waiting.difference_update(frame.pts for frame in whole)
        if self.codec == "av1" and whole:  # where each packet is shown, without exception
            for stamp in [stamp for stamp in self.waiting if stamp < whole[-1].pts]:
                self.losses.add(stamp)
                self.waiting.discard(stamp)
        return whole

    def _certain(self, frames: list[Any]) -> list[Any]:
        """`frames` before which none is missing, though packets are; the others are lost."""
        if self.timed:
            certain = [f for f in frames if self.reached is None or f.pts <= self.reached]
        else:
            certain = [] if self.stream.codec_context.has_b_frames else frames
        for frame in frames[len(certain) :]:
            self.losses.add(frame.pts if self.timed else None)
        return certain

    def _stop(self, packet: Any, *, torn: bool = False) -> list[Any]:
        """Hold what was whole before `packet`; the rest is lost, up to the next key frame.

        `torn`: other packets may be missing before it.
        """
        before = self._whole([frame for frame in self._flush() if frame.pts != packet.pts])
        self.held = self._certain(before) if torn else before
        self.losses.torn |= torn
        for stamp in self.waiting:
            self.losses.add(stamp)
        if packet.pts is None:
            self.losses.add(None)
        self.waiting.clear()
        self.decoder.flush_buffers()
        self.hurt, self.since = True, []
        return []

    def _lose(self, packet: Any) -> None:
        if is_shown(packet, self.codec):
            self.losses.add(packet.pts)

    def _flush(self) -> list[Any]:
        try:
            return self.decoder.decode(None)
        except READ_ERRORS:
            return []
