"""Files that were joined byte by byte, so that timestamps start anew inside the file."""

from fractions import Fraction
from itertools import pairwise

from vidseg.video.demuxing.container import READ_ERRORS, open_container, read_only, video_stream
from vidseg.video.demuxing.packets import from_first_keyframe
from vidseg.video.info import VideoInfo


def reset_offsets(info: VideoInfo) -> list[Fraction]:
    """Seconds to add to the frames after each reset, so that they go on at the frame rate.

    Reads the packets of the video once. `read_frames` adds the same.
    """
    parts: list[tuple[int, int]] = []
    """First and last timestamp between two resets."""
    try:
        with open_container(info.path) as container:
            stream = video_stream(container, info.stream)
            last = None
            for packet in from_first_keyframe(read_only(container, stream)):
                if packet.pts is None or packet.dts is None:
                    continue
                if last is None or packet.dts < last:
                    parts.append((packet.pts, packet.pts))
                parts[-1] = min(parts[-1][0], packet.pts), max(parts[-1][1], packet.pts)
                last = packet.dts
    except READ_ERRORS:
        pass  # the offsets up to the damage are known
    offsets = [Fraction(0)]
    for (_, end), (start, _) in pairwise(parts):
        offsets.append(offsets[-1] + (end - start) * info.time_base + 1 / info.rate)
    return offsets[1:]
