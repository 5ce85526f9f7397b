"""Decoding one packet at a time, so that it is known which frames are corrupted."""

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from itertools import takewhile
from typing import cast

from av import VideoFrame
from av.codec import CodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from vidseg.video.demuxing.container import READ_ERRORS
from vidseg.video.demuxing.packets import VideoPacket
from vidseg.video.demuxing.picture_counts import picture_counter


@dataclass(slots=True)
class LostFrames:
    """Frames that were in the file and could not be decoded."""

    pts: list[int] = field(default_factory=list)
    without_pts: int = 0
    packets_missing: bool = False
    """Packets may be missing, so that it is not known how many frames were lost."""

    def add(self, pts: int | None) -> None:
        """Count a frame with this timestamp."""
        if pts is None:
            self.without_pts += 1
        else:
            insort(self.pts, pts)

    def __len__(self) -> int:
        return len(self.pts) + self.without_pts

    def before(self, pts: int | None) -> int:
        """How many of them would have been shown before a frame with this timestamp."""
        known = len(self.pts) if pts is None else bisect_left(self.pts, pts)
        return known + self.without_pts


def decodes_intact(stream: VideoStream, packets: list[VideoPacket]) -> bool:
    """Whether the last of `packets` is intact although the decoder, started at the first, failed.

    After the keyframe of an open group of pictures, H.264 releases earlier frames by name, which
    are not there after a seek. A decoder that passes over errors marks really corrupted frames.
    """
    decoder = cast(VideoCodecContext, CodecContext.create(stream.codec.name, "r"))
    decoder.extradata = stream.codec_context.extradata
    try:
        frames = [f for packet in [*packets, None] for f in decoder.decode(packet)]
    except READ_ERRORS:
        return False
    return any(f.pts == packets[-1].pts and not f.is_corrupt for f in frames)


class TolerantDecoder:
    """A decoder with one thread that knows which of its packets have not become frames yet."""

    def __init__(
        self,
        stream: VideoStream,
        decoder: VideoCodecContext,
        lost: LostFrames,
        *,
        timed: bool,
        from_middle: bool,
    ) -> None:
        self._stream, self._decoder, self._lost = stream, decoder, lost
        self._timed = timed
        self._since_start: list[VideoPacket] | None = [] if from_middle else None
        """Packets since decoding began in the middle of the file, up to the next keyframe."""
        self._is_av1 = stream.codec.canonical_name == "av1"
        self._count = picture_counter(stream)
        self._waiting: set[int] = set()
        self._key: int | None = None
        self._reached: int | None = None
        """What follows the last packet is shown at this time at the earliest."""
        self._corrupted = False
        """Frames are lost until the next keyframe."""
        self._held: list[VideoFrame] = []
        """Intact frames from before damage, until it is known how many were lost before them."""

    def feed(self, packet: VideoPacket, damaged: bool) -> list[VideoFrame]:
        """The intact frames that come out when `packet` goes in."""
        is_frame = self._count(packet) > 0
        if packet.dts is not None and (not damaged or packet.dts == self._reached):
            self._reached = packet.dts + (packet.duration or 0)
        if (self._corrupted and (damaged or not self._recovers(packet))) or self._depends(packet):
            if is_frame:
                self._lost.add(packet.pts)
            return []
        held = self.release()
        if is_frame and packet.pts is not None:
            self._waiting.add(packet.pts)
        if damaged:
            return held + self._stop(packet, packets_missing=True)
        return held + self._decode(packet)

    def release(self) -> list[VideoFrame]:
        """The intact frames from before damage, now."""
        held, self._held = self._held, []
        return held

    def drain(self, *, packets_missing: bool) -> list[VideoFrame]:
        """The frames that the decoder still holds; packets may be missing after the last one."""
        if self._corrupted:
            return self._held
        frames = self._intact(self._flush())
        return self._certain(frames) if packets_missing else frames

    def _decode(self, packet: VideoPacket) -> list[VideoFrame]:
        if self._since_start is not None:
            past = self._since_start and packet.is_keyframe
            self._since_start = None if past else [*self._since_start, packet]
        try:
            frames = self._decoder.decode(packet)
        except READ_ERRORS:
            started = self._since_start
            excused = started is not None and decodes_intact(self._stream, started)
            return [] if excused else self._stop(packet)
        intact = self._intact(frames)
        return intact if len(intact) == len(frames) else intact + self._stop(packet)

    def _recovers(self, packet: VideoPacket) -> bool:
        if packet.is_keyframe:
            self._corrupted, self._key = False, packet.pts
        return not self._corrupted

    def _depends(self, packet: VideoPacket) -> bool:
        """Whether it is shown before the keyframe after damage, and so depends on what was lost."""
        return self._key is not None and packet.pts is not None and packet.pts < self._key

    def _intact(self, frames: list[VideoFrame]) -> list[VideoFrame]:
        """`frames` up to the first corrupted one; they are not waited for any more."""
        intact = list(takewhile(lambda frame: not frame.is_corrupt, frames))
        times = [frame.pts for frame in intact if frame.pts is not None]
        self._waiting.difference_update(times)
        if self._is_av1 and times:  # each packet is shown, without exception
            for pts in [pts for pts in self._waiting if pts < times[-1]]:
                self._lost.add(pts)
                self._waiting.discard(pts)
        return intact

    def _certain(self, frames: list[VideoFrame]) -> list[VideoFrame]:
        """`frames` before which none is missing although packets are; the others are lost."""
        if self._timed:
            certain = [f for f in frames if self._is_certain(f)]
        else:
            certain = [] if self._stream.codec_context.has_b_frames else frames
        for frame in frames[len(certain) :]:
            self._lost.add(frame.pts if self._timed else None)
        return certain

    def _is_certain(self, frame: VideoFrame) -> bool:
        return self._reached is None or frame.pts is None or frame.pts <= self._reached

    def _stop(self, packet: VideoPacket, *, packets_missing: bool = False) -> list[VideoFrame]:
        """Hold what was intact before `packet`; the rest is lost, up to the next keyframe.

        `packets_missing`: other packets may be missing before it.
        """
        before = self._intact([frame for frame in self._flush() if frame.pts != packet.pts])
        self._held = self._certain(before) if packets_missing else before
        self._lost.packets_missing |= packets_missing
        for pts in self._waiting:
            self._lost.add(pts)
        if packet.pts is None:
            self._lost.add(None)
        self._waiting.clear()
        self._decoder.flush_buffers()
        self._corrupted, self._since_start = True, []
        return []

    def _flush(self) -> list[VideoFrame]:
        try:
            return self._decoder.decode(None)
        except READ_ERRORS:
            return []
