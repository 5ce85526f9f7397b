"""Packets of a video stream: which can be decoded, and which are damaged."""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from av import Packet
from av.video.stream import VideoStream

if TYPE_CHECKING:
    VideoPacket = Packet[VideoStream]
else:
    VideoPacket = Packet  # generic only in PyAV's stubs


def from_first_keyframe(
    packets: Iterable[VideoPacket], *, after: int | None = None
) -> Iterator[VideoPacket]:
    """`packets` of one video stream from the first keyframe on (the first at or after `after`).

    Frames that follow it and are shown before it depend on frames before it; they are left out.
    """
    first: VideoPacket | None = None
    leading = True
    for packet in packets:
        if first is None:
            late = after is None or packet.pts is None or packet.pts >= after
            if not (packet.is_keyframe and late):
                continue
            first = packet
        elif packet.is_keyframe:
            leading = False
        if leading and packet.pts is not None and first.pts is not None and packet.pts < first.pts:
            continue
        yield packet


def with_damage_marks(packets: Iterable[VideoPacket]) -> Iterator[tuple[VideoPacket, bool]]:
    """Each packet, and whether it is damaged.

    Where two transport streams were joined, libavformat marks the last packets before the joint as
    corrupt although nothing is missing. Its parser may set the mark one packet too early.
    """
    window: deque[VideoPacket] = deque()
    for packet in packets:
        window.append(packet)
        if len(window) > 2:
            yield window[0], _is_damaged(window)
            window.popleft()
    while window:
        yield window[0], _is_damaged(window)
        window.popleft()


def _is_damaged(window: deque[VideoPacket]) -> bool:
    if not window[0].is_corrupt:
        return False
    return not any(is_joint(before, after) for before, after in pairwise(window))


def is_joint(before: VideoPacket, after: VideoPacket) -> bool:
    """Whether `after` starts a joined file: a keyframe with no time missing before it."""
    if not after.is_keyframe or before.dts is None or after.dts is None:
        return False
    return after.dts - before.dts <= 1.5 * (before.duration or 0)
