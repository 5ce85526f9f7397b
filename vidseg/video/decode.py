"""Decoded frames of one video stream, whole ones only, in the order they are shown."""

import heapq
from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice, takewhile
from typing import Any

from av.codec import CodecContext
from av.error import FFmpegError

from vidseg.video import matroska
from vidseg.video.container import open_container
from vidseg.video.info import VideoInfo
from vidseg.video.timeline import decodable, is_shown, judged

SEEKABLE = ("mov", "matroska")
"""Containers in which a seek lands on the very key frame that was asked for."""


@dataclass(slots=True)
class Losses:
    """Frames that were in the file and could not be decoded."""

    stamps: list[int] = field(default_factory=list)
    unnumbered: int = 0

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


@dataclass(slots=True)
class _Place:
    """How far decoding has come."""

    key: int | None
    """The last key frame that decoding can start at again; None for the beginning."""
    count: int = 0
    """Frames handed out since then."""


class _TroubleError(Exception):
    """Something about a video is odd; it may be damage."""


def decode(info: VideoInfo, losses: Losses, *, key: int | None = None) -> Iterator[Any]:
    """PyAV frames from the key frame `key` on; what is missing in between goes to `losses`."""
    place = _Place(key)
    try:
        yield from _fast(info, place)
    except (_TroubleError, FFmpegError, OSError):
        yield from islice(_carefully(info, losses, key=place.key), place.count, None)


def _fast(info: VideoInfo, place: _Place) -> Iterator[Any]:
    """Frames from all decoder threads, up to the first sign that something is wrong."""
    with open_container(info.path) as container:
        stream = container.streams[info.stream]
        stream.codec_context.options = {"err_detect": "explode"}
        stream.thread_type = "AUTO"
        codec = stream.codec.canonical_name
        waiting: list[int] = []
        for packet, damaged in _packets(container, stream, info, place.key):
            if damaged:
                raise _TroubleError
            if info.timed and is_shown(packet, codec):
                heapq.heappush(waiting, packet.pts)
            for frame in stream.decode(packet):
                _check(frame, waiting)
                _mark(frame, info, place)
                yield frame
        for frame in stream.decode(None):
            _check(frame, waiting)
            _mark(frame, info, place)
            yield frame
        if waiting:
            raise _TroubleError


def _check(frame: Any, waiting: list[int]) -> None:
    """Whether `frame` is whole and the very next of those that went in."""
    if frame.is_corrupt or (waiting and heapq.heappop(waiting) != frame.pts):
        raise _TroubleError


def _mark(frame: Any, info: VideoInfo, place: _Place) -> None:
    if frame.key_frame and info.timed and seekable(info):
        place.key, place.count = frame.pts, 0
    place.count += 1


def _packets(
    container: Any, stream: Any, info: VideoInfo, key: int | None
) -> Iterator[tuple[Any, bool]]:
    """Packets that hold data, from the first key frame or `key` on; and whether one is damaged."""
    if key is not None and seekable(info):
        container.seek(key, stream=stream)
    hole = matroska.hole(info.path) if info.damage and "matroska" in info.container else None
    packets = decodable(container.demux(stream), after=key)
    # an empty packet would tell the decoder that the stream ends
    for packet, damaged in judged(packet for packet in packets if packet.size):
        beyond = hole is not None and packet.pos is not None and packet.pos >= hole
        yield packet, damaged or beyond
        hole = None if beyond else hole


def seekable(info: VideoInfo) -> bool:
    """Whether decoding may start at a key frame in the middle."""
    return any(name in info.container.split(",") for name in SEEKABLE)


def lands(info: VideoInfo, key: int) -> bool:
    """Whether decoding from `key` really begins with that frame, which broken indexes prevent."""
    try:
        with open_container(info.path) as container:
            stream = container.streams[info.stream]
            for packet, _ in _packets(container, stream, info, key):
                for frame in stream.decode(packet):
                    return frame.pts == key
    except (FFmpegError, OSError):
        pass
    return False


def comes_out_whole(stream: Any, packets: list[Any]) -> bool:
    """Whether the last of `packets` is whole, though the decoder, begun with the first, complained.

    After the key frame of an open group of pictures H.264 lets go of earlier frames by name, which
    are not there then. A decoder that passes over errors marks the frames that they really hurt.
    """
    decoder = CodecContext.create(stream.codec.name, "r")
    decoder.extradata = stream.codec_context.extradata
    try:
        frames: list[Any] = [f for packet in [*packets, None] for f in decoder.decode(packet)]
    except (FFmpegError, OSError):
        return False
    return any(f.pts == packets[-1].pts and not f.is_corrupt for f in frames)


def _carefully(info: VideoInfo, losses: Losses, *, key: int | None) -> Iterator[Any]:
    """Frames decoded one packet at a time; after damage it goes on at the next key frame."""
    with open_container(info.path) as container:
        stream = container.streams[info.stream]
        stream.thread_type = "NONE"
        stream.thread_count = 1
        stream.codec_context.options = {"err_detect": "explode"}
        run = _Run(stream, losses, cold=key is not None)
        try:
            for packet, damaged in _packets(container, stream, info, key):
                yield from run.feed(packet, damaged)
        except (FFmpegError, OSError):
            losses.add(None)
        yield from run.drain()


class _Run:
    """A decoder with one thread, and which of its packets have not come out as frames yet."""

    def __init__(self, stream: Any, losses: Losses, *, cold: bool) -> None:
        self.stream, self.losses = stream, losses
        self.since: list[Any] | None = [] if cold else None
        """Packets since decoding began in the middle of the file, up to the next key frame."""
        self.codec = stream.codec.canonical_name
        self.waiting: set[int] = set()
        self.key: int | None = None
        self.hurt = False
        self.held: list[Any] = []
        """Whole frames from before damage, until all is known that was lost before them."""

    def feed(self, packet: Any, damaged: bool) -> list[Any]:
        """The whole frames that come out when `packet` goes in."""
        if (self.hurt and not self._recovers(packet)) or self._leans_on_the_lost(packet):
            self._lose(packet)
            return []
        held, self.held = self.held, []
        if is_shown(packet, self.codec) and packet.pts is not None:
            self.waiting.add(packet.pts)
        return held + (self._stop(packet) if damaged else self._decode(packet))

    def drain(self) -> list[Any]:
        """The frames that the decoder still holds."""
        return self.held if self.hurt else self._whole(self._flush())

    def _decode(self, packet: Any) -> list[Any]:
        if self.since is not None:
            self.since = None if self.since and packet.is_keyframe else [*self.since, packet]
        try:
            frames = self.stream.decode(packet)
        except (FFmpegError, OSError):
            excused = self.since is not None and comes_out_whole(self.stream, self.since)
            return [] if excused else self._stop(packet)
        whole = self._whole(frames)
        return whole if len(whole) == len(frames) else whole + self._stop(packet)

    def _recovers(self, packet: Any) -> bool:
        if packet.is_keyframe:
            self.hurt, self.key = False, packet.pts
        return not self.hurt

    def _leans_on_the_lost(self, packet: Any) -> bool:
        """Whether it is shown before the key frame after damage, and so needs what was lost."""
        return self.key is not None and packet.pts is not None and packet.pts < self.key

    def _whole(self, frames: list[Any]) -> list[Any]:
        """`frames` up to the first that is not whole; they wait no longer."""
        whole = list(takewhile(lambda frame: not frame.is_corrupt, frames))
        self.waiting.difference_update(frame.pts for frame in whole)
        return whole

    def _stop(self, packet: Any) -> list[Any]:
        """Hold what was whole before `packet`; the rest is lost, up to the next key frame."""
        before = [frame for frame in self._flush() if frame.pts != packet.pts]
        self.held = self._whole(before)
        for stamp in self.waiting:
            self.losses.add(stamp)
        if packet.pts is None:
            self.losses.add(None)
        self.waiting.clear()
        self.stream.codec_context.flush_buffers()
        self.hurt, self.since = True, []
        return []

    def _lose(self, packet: Any) -> None:
        if is_shown(packet, self.codec):
            self.losses.add(packet.pts)

    def _flush(self) -> list[Any]:
        try:
            return self.stream.decode(None)
        except (FFmpegError, OSError):
            return []
