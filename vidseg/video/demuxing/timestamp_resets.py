"""Where files were joined byte by byte, so that the clock starts anew inside the file."""

from fractions import Fraction
from itertools import pairwise

from vidseg.video.demuxing.container import READ_ERRORS, open_container
from vidseg.video.demuxing.timeline import from_first_keyframe
from vidseg.video.info import VideoInfo


def reset_offsets(info: VideoInfo) -> list[Fraction]:
    """Seconds by which the pictures after each seam are moved, so that they go on at the rate.

    One pass over the packets of the pictures; `read_frames` moves them by as much.
    """
    parts: list[tuple[int, int]] = []
    try:
        with open_container(info.path) as container:
            last = None
            for packet in from_first_keyframe(container.demux(container.streams[info.stream])):
                if packet.pts is None or packet.dts is None:
                    continue
                if last is None or packet.dts < last:
                    parts.append((packet.pts, packet.pts))
                parts[-1] = min(parts[-1][0], packet.pts), max(parts[-1][1], packet.pts)
                last = packet.dts
    except READ_ERRORS:
        pass  # the lifts up to there are known
    lifts = [Fraction(0)]
    for (_, end), (start, _) in pairwise(parts):
        lifts.append(lifts[-1] + (end - start) * info.time_base + 1 / info.rate)
    return lifts[1:]
