"""Decoded frames of one video stream, whole ones only, in the order they are shown."""

import heapq
from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from av.error import FFmpegError

from vidseg.video.container import open_container
from vidseg.video.info import VideoInfo
from vidseg.video.timeline import decodable, is_shown

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
class Place:
    """How far decoding has come."""

    count: int = 0
    stamp: int | None = None
    key: int | None = None
    """The last key frame before `stamp`, or where decoding began."""


def decode(info: VideoInfo, losses: Losses, *, key: int | None = None) -> Iterator[Any]:
    """PyAV frames from the key frame `key` on; what is missing in between goes to `losses`."""
    place = Place(key=key)
    for frame in _fast(info, place):
        if frame is None:
            yield from _rest(info, losses, place)
            return
        yield frame


def _fast(info: VideoInfo, place: Place) -> Iterator[Any]:
    """Frames from all decoder threads; None at the first sign that something is wrong."""
    with open_container(info.path) as container:
        stream = container.streams[info.stream]
        stream.codec_context.options = {"err_detect": "explode"}
        stream.thread_type = "AUTO"
        waiting: list[int] = []
        codec = stream.codec.canonical_name
        feed = _packets(container, stream, info, place.key)
        while True:
            try:
                packet = next(feed, None)
                frames = stream.decode(packet)
            except (FFmpegError, OSError):
                yield None
                return
            if packet is not None and packet.is_corrupt:
                yield None
                return
            if packet is not None and info.timed and is_shown(packet, codec):
                heapq.heappush(waiting, packet.pts)
            for frame in frames:
                expected = heapq.heappop(waiting) if waiting else frame.pts
                if frame.is_corrupt or frame.pts != expected:
                    yield None
                    return
                place.count += 1
                place.stamp = frame.pts
                yield frame
            if packet is None:
                break
        if waiting:
            yield None


def _packets(container: Any, stream: Any, info: VideoInfo, key: int | None) -> Iterator[Any]:
    """Packets of the stream that hold data, from the first key frame or from `key` on."""
    if key is not None and seekable(info):
        container.seek(key, stream=stream)
    # an empty packet would tell the decoder that the stream ends
    return (packet for packet in decodable(container.demux(stream), after=key) if packet.size)


def seekable(info: VideoInfo) -> bool:
    """Whether decoding may start at a key frame in the middle."""
    return any(name in info.container.split(",") for name in SEEKABLE)


def lands(info: VideoInfo, key: int) -> bool:
    """Whether decoding from `key` really begins with that frame, which broken indexes prevent."""
    try:
        with open_container(info.path) as container:
            stream = container.streams[info.stream]
            for packet in _packets(container, stream, info, key):
                for frame in stream.decode(packet):
                    return frame.pts == key
    except (FFmpegError, OSError):
        pass
    return False


def _rest(info: VideoInfo, losses: Losses, place: Place) -> Iterator[Any]:
    """What `decode_carefully` finds after `place`."""
    for number, frame in enumerate(decode_carefully(info, losses, key=place.key)):
        if place.stamp is None or frame.pts is None:
            late = number >= place.count
        else:
            late = frame.pts > place.stamp
        if late:
            yield frame


def decode_carefully(info: VideoInfo, losses: Losses, *, key: int | None) -> Iterator[Any]:
    """Frames decoded one packet at a time; after damage it goes on at the next key frame."""
    with open_container(info.path) as container:
        stream = container.streams[info.stream]
        stream.thread_type = "NONE"
        stream.thread_count = 1
        stream.codec_context.options = {"err_detect": "explode"}
        run = _Run(stream, losses)
        try:
            for packet in _packets(container, stream, info, key):
                yield from run.feed(packet)
        except (FFmpegError, OSError):
            losses.add(None)
        yield from run.drain()


class _Run:
    """A decoder with one thread, and which of its packets have not come out as frames yet."""

    def __init__(self, stream: Any, losses: Losses) -> None:
        self.stream, self.losses = stream, losses
        self.codec = stream.codec.canonical_name
        self.waiting: set[int] = set()
        self.key: int | None = None
        self.hurt = False

    def feed(self, packet: Any) -> Iterator[Any]:
        """The whole frames that come out when `packet` goes in."""
        if (self.hurt and not self._recovers(packet)) or self._leans_on_the_lost(packet):
            self._lose(packet)
            return
        if is_shown(packet, self.codec) and packet.pts is not None:
            self.waiting.add(packet.pts)
        try:
            frames = self.stream.decode(packet)
        except (FFmpegError, OSError):
            yield from self._stop(packet)
            return
        yield from self._whole(frames)
        if packet.is_corrupt or any(frame.is_corrupt for frame in frames):
            yield from self._stop(packet)

    def drain(self) -> Iterator[Any]:
        """The frames that the decoder still holds."""
        if not self.hurt:
            yield from self._whole(self._flush())

    def _recovers(self, packet: Any) -> bool:
        if packet.is_keyframe:
            self.hurt, self.key = False, packet.pts
        return not self.hurt

    def _leans_on_the_lost(self, packet: Any) -> bool:
        """Whether it is shown before the key frame after damage, and so needs what was lost."""
        return self.key is not None and packet.pts is not None and packet.pts < self.key

    def _whole(self, frames: list[Any]) -> Iterator[Any]:
        for frame in frames:
            if frame.is_corrupt:
                return
            self.waiting.discard(frame.pts)
            yield frame

    def _stop(self, packet: Any) -> Iterator[Any]:
        """Hand out what was whole before `packet`, count the rest as lost, wait for a key frame."""
        before = [frame for frame in self._flush() if frame.pts != packet.pts]
        yield from self._whole(before)
        for stamp in self.waiting:
            self.losses.add(stamp)
        if packet.pts is None:
            self.losses.add(None)
        self.waiting.clear()
        self.stream.codec_context.flush_buffers()
        self.hurt = True

    def _lose(self, packet: Any) -> None:
        if is_shown(packet, self.codec):
            self.losses.add(packet.pts)

    def _flush(self) -> list[Any]:
        try:
            return self.stream.decode(None)
        except (FFmpegError, OSError):
            return []
