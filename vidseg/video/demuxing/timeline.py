"""When the frames of a video stream are shown, found without decoding them."""

from array import array
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from vidseg.video.demuxing._frame_index import FrameIndex, Ticks
from vidseg.video.demuxing._matroska_index import read_matroska_index
from vidseg.video.demuxing._mp4_index import read_mp4_index
from vidseg.video.demuxing.avi import is_reordered
from vidseg.video.demuxing.packets import VideoPacket, is_joint
from vidseg.video.demuxing.picture_counts import needs_packets, picture_counter

MAX_EARLY_MARK = 2
"""Packets by which the mark of a corrupt packet comes before the joint that explains it."""


@dataclass(frozen=True, eq=False)
class Timeline:
    """The frames of one stream; all times are its ticks."""

    pts: Ticks
    """Timestamps of the frames that will be shown, ascending; doubled ones stand twice."""
    keys: Ticks
    """Timestamps of the frames that decoding can start at, ascending."""
    key_positions: Ticks
    """Where in the file their packets begin; -1 where that is not known."""
    count: int
    """How many frames will be shown; more than `pts` has where frames carry no timestamp."""
    last_duration: int
    """How long the last frame is shown; 0 where the container does not say."""
    broken: bool
    """The container broke off with an error, or packets are marked as damaged."""

    @cached_property
    def times(self) -> Ticks:
        """The different timestamps, ascending."""
        return np.unique(self.pts)

    @property
    def exact(self) -> bool:
        """Every frame has a timestamp of its own."""
        return len(self.times) == self.count

    def frames_before(self, pts: int) -> int:
        """How many frames are shown before `pts`."""
        return int(np.searchsorted(self.pts, pts))


class TimelineScan:
    """Collects the timeline from one pass over the packets of a stream, in order.

    Where timestamps start anew (joined files), they are counted on.
    """

    def __init__(self, stream: VideoStream) -> None:
        self.broken = False
        self.started = False
        """The first keyframe has come."""
        self._count = picture_counter(stream)
        self._merges = stream.codec.canonical_name in ("h264", "mpeg4")
        self._clock = _Clock()
        self._pts, self._keys, self._positions = array("q"), array("q"), array("q")
        self._frames = 0
        self._newest: int | None = None
        """Timestamp of the newest frame."""
        self._last = (-(1 << 63), 0)
        """Timestamp and duration of the frame that is shown last."""
        self._leading_before: int | None = None
        """Frames shown before this time depend on what came before the first keyframe."""
        self._before: VideoPacket | None = None
        self._suspects = 0
        """Packets until those marked as corrupt count as damaged; 0 if none is marked."""

    def add(self, packet: VideoPacket) -> None:
        """Take the next packet of the stream, or the empty one at its end."""
        if not packet.size:
            return
        is_key = packet.is_keyframe
        if is_key:
            self._leading_before = None if self.started else packet.pts
            self.started = True
        elif not self.started:
            return
        if self._suspects or packet.is_corrupt:
            self._judge(packet)
        self._before = packet
        pts = packet.pts
        if self._leading_before is not None and pts is not None and pts < self._leading_before:
            return
        frames = self._count(packet)
        if frames:
            self._frames += frames
            self._note(packet, pts, is_key)
        else:
            self._prolong(packet)

    def _note(self, packet: VideoPacket, pts: int | None, is_key: bool) -> None:
        self._newest = pts
        shift = self._clock.shift(packet)
        if pts is None:
            return
        if self._clock.has_just_restarted and self._pts:
            self._pts[-1] += self._clock.last_step
        pts += shift
        self._newest = pts
        self._pts.append(pts)
        if is_key:
            self._keys.append(pts)
            self._positions.append(-1 if packet.pos is None else packet.pos)
        if pts >= self._last[0]:
            self._last = pts, packet.duration or 0

    def _prolong(self, packet: VideoPacket) -> None:
        """The second field of a frame, or a picture that is not coded, prolongs the one before."""
        if self._merges and not packet.is_discard and self._newest == self._last[0]:
            self._last = self._last[0], self._last[1] + (packet.duration or 0)

    def _judge(self, packet: VideoPacket) -> None:
        """Corrupt packets right before a joint of transport streams are no damage."""
        if self._before is not None and is_joint(self._before, packet):
            self._suspects = 0
        elif self._suspects == 1:
            self.broken = True
        self._suspects = max(self._suspects - 1, 0)
        if packet.is_corrupt and not self.broken:
            self._suspects = MAX_EARLY_MARK + 1

    def timeline(self) -> Timeline:
        """What was found so far."""
        pts, keys = np.frombuffer(self._pts, np.int64), np.frombuffer(self._keys, np.int64)
        positions = np.frombuffer(self._positions, np.int64)
        order = np.argsort(keys, kind="stable")[: 0 if self._clock.has_restarted else None]
        pts.sort()
        broken = self.broken or self._suspects > 0
        last_duration = self._last[1] if len(pts) else 0
        return Timeline(pts, keys[order], positions[order], self._frames, last_duration, broken)


class _Clock:
    """Notices where decoding times start anew: two packets in a row are earlier than before."""

    def __init__(self) -> None:
        self.has_restarted = self.has_just_restarted = False
        self.last_step = 0
        """Ticks by which the latest restart moves packets, and the one packet before."""
        self._shift = 0
        self._top = (-(1 << 63), 0)
        """The latest decoding time, and the duration of its packet."""
        self._early: int | None = None

    def shift(self, packet: VideoPacket) -> int:
        """Ticks to add to the times of this packet."""
        self.has_just_restarted = False
        if packet.dts is None:
            return self._shift
        dts = packet.dts + self._shift
        if dts >= self._top[0]:
            self._top, self._early = (dts, packet.duration or 0), None
        elif self._early is None:
            self._early = dts
        else:
            self.last_step = sum(self._top) - self._early
            self._shift += self.last_step
            self._top, self._early = (dts + self.last_step, packet.duration or 0), None
            self.has_restarted = self.has_just_restarted = True
        return self._shift


def indexed_timeline(
    path: Path, container: InputContainer, stream: VideoStream, first: VideoPacket
) -> Timeline | None:
    """The timeline from the index of an MP4, or the headers of a Matroska file's blocks.

    None if only the packets tell it. `first` is the first packet of the stream.
    """
    if needs_packets(stream):
        return None
    for read_index in (read_mp4_index, read_matroska_index):
        index = read_index(path, container, stream, first)
        if index is not None:
            return _from_index(index)
    return None


def _from_index(index: FrameIndex) -> Timeline | None:
    starts = np.flatnonzero(index.keys)
    if not len(starts):
        return None
    shown = index.shown & (index.pts >= index.pts[starts[0]])
    shown[: starts[0]] = False
    pts, keys = index.pts[shown], index.pts[shown & index.keys]
    if not len(pts):
        return None
    last = np.flatnonzero(pts == pts.max())[-1]
    duration = int(index.durations[shown][last])
    unknown = np.full(len(keys), -1)
    return Timeline(np.sort(pts), np.sort(keys), unknown, len(pts), duration, broken=False)


def has_times(timeline: Timeline, container: InputContainer, stream: VideoStream) -> bool:
    """Whether timestamps tell when frames are shown; single bad ones are mended while reading."""
    good = len(timeline.times)
    return good > 0 and 2 * good >= timeline.count and not is_reordered(container, stream)
