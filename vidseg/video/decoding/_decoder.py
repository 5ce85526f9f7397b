"""The intact frames of one video stream, in the order they are shown."""

import heapq
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import islice

from av import VideoFrame
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from vidseg.video.damage import DamagedPackets, LostFrames, TolerantDecoder
from vidseg.video.decoding._decoder_options import open_decoder
from vidseg.video.demuxing import avi
from vidseg.video.demuxing.container import READ_ERRORS, open_container, read_only, video_stream
from vidseg.video.demuxing.packets import VideoPacket, from_first_keyframe, with_damage_marks
from vidseg.video.demuxing.picture_counts import picture_counter
from vidseg.video.info import Keyframe, VideoInfo

DAMAGED_CONTENT = "parts of it are unreadable or marked as damaged"


@dataclass(slots=True)
class _Position:
    """How far decoding has come."""

    key: Keyframe | None
    """The last keyframe that decoding can start at again; None for the beginning."""
    count: int = 0
    """Frames handed out since then."""


class _SuspectError(Exception):
    """Something about a video is odd; it may be damage."""


class Decoding:
    """Decodes a video once, from the beginning or from a keyframe on.

    All decoder threads work until the first sign of damage. From the keyframe before it on, packets
    are decoded one at a time, which tells which frames are corrupted.
    """

    def __init__(self, info: VideoInfo, key: Keyframe | None = None) -> None:
        """`key`: one of `info.keyframes`; None for the beginning."""
        self.lost = LostFrames()
        """What is missing between the frames so far."""
        self.damage = info.damage
        """What is missing, as far as is known by now, as part of a sentence."""
        self._info, self._position = info, _Position(key)
        self._keys = {keyframe.pts: keyframe for keyframe in info.keyframes}

    def frames(self) -> Iterator[VideoFrame]:
        """The frames, once."""
        try:
            yield from self._with_threads()
        except (_SuspectError, *READ_ERRORS):
            key, count = self._position.key, self._position.count
            yield from islice(self._tolerantly(key), count, None)

    def _with_threads(self) -> Iterator[VideoFrame]:
        """Frames up to the first sign that something is wrong."""
        with open_container(self._info.path) as container:
            stream = video_stream(container, self._info.stream)
            decoder = open_decoder(stream, self._info, threads=True)
            with closing(self._damaged_packets(stream)) as damaged:
                try:
                    yield from self._checked(container, stream, decoder, damaged)
                finally:
                    _finish_threads(decoder)

    def _checked(
        self,
        container: InputContainer,
        stream: VideoStream,
        decoder: VideoCodecContext,
        damaged: DamagedPackets,
    ) -> Iterator[VideoFrame]:
        expected, owed, count = _ExpectedTimes(self._info.timed), 0, picture_counter(stream)
        for packet, marked in self._packets(container, stream, self._position.key):
            if marked or damaged.has(packet):
                raise _SuspectError
            frames = count(packet)
            owed += frames
            if frames:
                expected.add(packet.pts)
            for frame in decoder.decode(packet):
                owed -= 1
                yield self._noted(frame, expected)
        if damaged.check_rest():
            raise _SuspectError  # frames next to those that the decoder still holds may be lost
        for frame in decoder.decode(None):
            owed -= 1
            yield self._noted(frame, expected)
        if owed > 0:  # a decoder thread may lose an error at the end
            raise _SuspectError

    def _noted(self, frame: VideoFrame, expected: "_ExpectedTimes") -> VideoFrame:
        """`frame`, if it is intact and the very next one."""
        if frame.is_corrupt or not expected.is_next(frame.pts):
            raise _SuspectError
        key = self._keys.get(frame.pts) if frame.key_frame and frame.pts is not None else None
        if key is not None:
            self._position.key, self._position.count = key, 0
        self._position.count += 1
        return frame

    def _tolerantly(self, key: Keyframe | None) -> Iterator[VideoFrame]:
        """Frames decoded one packet at a time; after damage it goes on at the next keyframe."""
        with open_container(self._info.path) as container:
            stream = video_stream(container, self._info.stream)
            with closing(self._damaged_packets(stream)) as damaged:
                yield from self._one_by_one(container, stream, damaged, key)

    def _one_by_one(
        self,
        container: InputContainer,
        stream: VideoStream,
        damaged: DamagedPackets,
        key: Keyframe | None,
    ) -> Iterator[VideoFrame]:
        info, lost = self._info, self.lost
        decoder = TolerantDecoder(
            stream, open_decoder(stream, info, threads=False), lost,
            timed=info.timed, from_middle=key is not None,
        )  # fmt: skip
        vanished, broke_off = avi.lost_frames(stream, info), False
        try:
            for packet, marked in self._packets(container, stream, key):
                is_damaged = damaged.has(packet) or marked
                yield from decoder.feed(packet, is_damaged)
                if is_damaged and vanished:
                    yield from decoder.release()
                    lost.without_pts, vanished = lost.without_pts + vanished, 0
        except READ_ERRORS:
            lost.add(None)
            broke_off = True
        incomplete = damaged.check_rest() and not damaged.ends_intact
        self.damage = info.damage or (DAMAGED_CONTENT if damaged.found else "")
        yield from decoder.drain(packets_missing=broke_off or incomplete)

    def _damaged_packets(self, stream: VideoStream) -> DamagedPackets:
        codec, from_middle = stream.codec.canonical_name, self._position.key is not None
        return DamagedPackets(self._info, codec, from_middle=from_middle)

    def _packets(
        self, container: InputContainer, stream: VideoStream, key: Keyframe | None
    ) -> Iterator[tuple[VideoPacket, bool]]:
        """Packets with data, from the first keyframe or `key` on; and whether one is marked as
        damaged."""
        if key is not None and key.position is not None:
            container.seek(key.position, unsupported_byte_offset=True)
        elif key is not None:
            container.seek(key.pts, stream=stream)
        after = None if key is None else key.pts
        packets = from_first_keyframe(read_only(container, stream), after=after)
        # an empty packet would tell the decoder that the stream ends
        return with_damage_marks(packet for packet in packets if packet.size)


class _ExpectedTimes:
    """The timestamps that went into a decoder and have not come out."""

    def __init__(self, timed: bool) -> None:
        self._timed = timed
        self._waiting: list[int] = []

    def add(self, pts: int | None) -> None:
        if self._timed and pts is not None:
            heapq.heappush(self._waiting, pts)

    def is_next(self, pts: int | None) -> bool:
        """Whether a frame with this timestamp has to come out next."""
        return not self._waiting or pts is None or heapq.heappop(self._waiting) == pts


def _finish_threads(decoder: VideoCodecContext) -> None:
    """Let decoder threads finish their frames.

    Closing a decoder waits for its threads while it holds the GIL. A thread that logs through
    PyAV's logging, which other libraries turn on, waits for the GIL: a deadlock. Decoding releases
    the GIL, and no thread is busy at the end of the stream.
    """
    with suppress(*READ_ERRORS):
        decoder.decode(None)
