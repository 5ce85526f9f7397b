"""AVI has no timestamps: libavformat numbers the chunks of a stream, one for each tick.

So a lost chunk makes all later frames early, and frames that are coded out of order carry the
number of their place in coding order.
"""

from fractions import Fraction

from av.container import InputContainer
from av.video.stream import VideoStream

from vidseg.video.info import VideoInfo


def is_avi(container: str) -> bool:
    """Whether libavformat's list of container names is that of AVI."""
    return container == "avi"


def is_reordered(container: InputContainer, stream: VideoStream) -> bool:
    """Whether packets carry their place in coding order instead of times."""
    return is_avi(container.format.name) and bool(stream.codec_context.has_b_frames)


def repeats(container: InputContainer, stream: VideoStream, last: int) -> int | None:
    """Ticks for which an intact AVI shows its frame `last`: empty chunks at its end repeat it."""
    if not is_avi(container.format.name) or not stream.duration:
        return None
    return max(stream.duration - last, 1)


def lost_frames(stream: VideoStream, info: VideoInfo) -> int:
    """How many frames fewer a damaged AVI holds than its header says.

    Nothing tells where they were lost; they are all counted at the first damaged place.
    """
    if not is_avi(info.container):
        return 0
    found = info.duration * info.rate if info.duration is not None else stream.frames
    return max(stream.frames - round(found), 0)


def delay(info: VideoInfo, lost: int) -> Fraction:
    """Seconds by which frames are early after `lost` frames without a number."""
    return lost / info.rate if is_avi(info.container) else Fraction(0)
