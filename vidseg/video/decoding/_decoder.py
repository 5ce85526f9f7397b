"""Decoded frames of one video stream, whole ones only, in the order they are shown."""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from vidseg.video.damage.element_chain import Flaw
from vidseg.video.damage.ffv1 import SliceChecks
from vidseg.video.damage.find_damage import find_flaws
from vidseg.video.damage.tolerant_decoder import Losses, Run
from vidseg.video.decoding._decoder_options import open_decoder
from vidseg.video.demuxing.container import READ_ERRORS, open_container
from vidseg.video.demuxing.timeline import from_first_keyframe, is_shown, judged
from vidseg.video.info import VideoInfo

SEEKABLE = ("mov", "matroska")
"""Containers in which a seek lands on the very key frame that was asked for."""


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
    except (_TroubleError, *READ_ERRORS):
        yield from islice(_carefully(info, losses, key=place.key), place.count, None)


def _fast(info: VideoInfo, place: _Place) -> Iterator[Any]:
    """Frames from all decoder threads, up to the first sign that something is wrong."""
    with open_container(info.path) as container:
        stream = container.streams[info.stream]
        decoder = open_decoder(stream, info, threads=True)
        codec = stream.codec.canonical_name
        waiting: list[int] = []
        owed = 0
        for packet, damaged in _packets(container, stream, info, place.key, _known(info)):
            if damaged:
                raise _TroubleError
            if is_shown(packet, codec):
                owed += 1
                if info.timed:
                    heapq.heappush(waiting, packet.pts)
            for frame in decoder.decode(packet):
                _check(frame, waiting)
                _mark(frame, info, place)
                owed -= 1
                yield frame
        if info.damage:
            raise _TroubleError  # what the decoder still holds may have lost its neighbours
        for frame in decoder.decode(None):
            _check(frame, waiting)
            _mark(frame, info, place)
            owed -= 1
            yield frame
        if waiting or owed > 0:  # an error of a decoder thread may be lost at the end
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
    container: Any, stream: Any, info: VideoInfo, key: int | None, known: list[Flaw]
) -> Iterator[tuple[Any, bool]]:
    """Packets that hold data, from the first key frame or `key` on; and whether one is damaged."""
    if key is not None and seekable(info):
        container.seek(key, stream=stream)
    flaws = _Flaws(known, key)
    checks = SliceChecks() if stream.codec.canonical_name == "ffv1" else None
    packets = from_first_keyframe(container.demux(stream), after=key)
    # an empty packet would tell the decoder that the stream ends
    for packet, damaged in judged(packet for packet in packets if packet.size):
        hurt = flaws.hit(packet) or (checks is not None and checks.fail(bytes(packet)))
        yield packet, damaged or hurt


def _known(info: VideoInfo) -> list[Flaw]:
    return find_flaws(info.path, info.container) if info.damage else []


def _ends_whole(info: VideoInfo, flaws: list[Flaw]) -> bool:
    """Whether the chain of a damaged file's elements was found again and reaches the file's end."""
    size = info.path.stat().st_size
    return bool(flaws) and flaws[-1].end < size and info.container != "asf"


class _Flaws:
    """The flaws of a file that have not been passed yet."""

    def __init__(self, flaws: Iterable[Flaw], key: int | None) -> None:
        self._left = sorted(flaws, reverse=True)
        self._skip = key is not None
        """Decoding begins in the middle: flaws before the first packet do not matter."""

    def hit(self, packet: Any) -> bool:
        """Whether `packet` lies in a flaw, or is the first one after it."""
        hit = False
        while self._left and packet.pos is not None and self._left[-1].start <= packet.pos:
            hit = True
            if packet.pos < self._left[-1].end:
                break
            self._left.pop()
            hit = not self._skip
        self._skip = False
        return hit


def seekable(info: VideoInfo) -> bool:
    """Whether decoding may start at a key frame in the middle."""
    return any(name in info.container.split(",") for name in SEEKABLE)


def lands(info: VideoInfo, key: int) -> bool:
    """Whether decoding from `key` really begins with that frame, which broken indexes prevent."""
    try:
        with open_container(info.path) as container:
            stream = container.streams[info.stream]
            for packet, _ in _packets(container, stream, info, key, _known(info)):
                for frame in stream.decode(packet):
                    return frame.pts == key
    except READ_ERRORS:
        pass
    return False


def _vanished(stream: Any, info: VideoInfo) -> int:
    """How many frames fewer a damaged AVI holds than its header says; there is one place for them,
    as far as it is known, the first flaw."""
    found = info.duration * info.rate if info.duration is not None else stream.frames
    return max(stream.frames - round(found), 0)


def _carefully(info: VideoInfo, losses: Losses, *, key: int | None) -> Iterator[Any]:
    """Frames decoded one packet at a time; after damage it goes on at the next key frame."""
    with open_container(info.path) as container:
        stream = container.streams[info.stream]
        decoder = open_decoder(stream, info, threads=False)
        run = Run(stream, decoder, losses, timed=info.timed, cold=key is not None)
        known = _known(info)
        torn = bool(info.damage) and not _ends_whole(info, known)
        vanished = _vanished(stream, info) if info.container == "avi" else 0
        try:
            for packet, damaged in _packets(container, stream, info, key, known):
                yield from run.feed(packet, damaged)
                if damaged and vanished:
                    yield from run.release()
                    losses.unnumbered, vanished = losses.unnumbered + vanished, 0
        except READ_ERRORS:
            losses.add(None)
            torn = True
        yield from run.drain(torn=torn)
