"""The frames of any input, in order, each with its exact index, time and duration."""

import logging
from bisect import bisect_right
from collections.abc import Generator, Iterator
from contextlib import closing
from fractions import Fraction
from math import ceil
from typing import NamedTuple, cast

from av import VideoFrame
from av.video.reformatter import VideoReformatter

from vidseg.errors import DamagedInputError
from vidseg.structures.frame import Frame, Image
from vidseg.video.color import to_rgb
from vidseg.video.decoding._decoder import Decoding
from vidseg.video.decoding._deinterlacer import deinterlaced
from vidseg.video.decoding._frame_times import timed_frames
from vidseg.video.decoding.image_reader import PHOTO_ERRORS, read_animation, read_photo
from vidseg.video.info import VideoInfo
from vidseg.video.large_arrays import in_own_memory, reuse_freed_memory
from vidseg.video.orientation import Orientation, upright, upright_size

log = logging.getLogger("vidseg")

Reader = Generator[Frame, None, None]
TimedImages = Iterator[tuple[Fraction, Image | None]]
"""(seconds shown, image) of each photo or frame of an animation; None if it cannot be read."""


def read_frames(
    info: VideoInfo,
    *,
    start: Fraction | None = None,
    end: Fraction | None = None,
    first: int = 0,
    stop: int | None = None,
    keep_going: bool = False,
    keep_interlaced: bool = False,
) -> Reader:
    """The frames shown from `start` (seconds) until before `end`; `info` comes from `probe`.

    Of these, `first` and `stop` choose the ones with an index from `first` to before `stop`.

    Images are upright, writable and contiguous (H, W, 3) uint8 RGB. Index and time are those of the
    whole source. Interlaced frames are deinterlaced, one frame for each, unless `keep_interlaced`
    is given. Damage raises `DamagedInputError` after the good frames before it; with `keep_going`
    corrupted frames are left out, and a warning tells their number.
    """
    wanted = _Wanted(start or Fraction(0), end, first, stop)
    if info.kind == "video":
        yield from _read_video(info, wanted, keep_going, keep_interlaced)
    else:
        yield from _read_images(info, wanted, keep_going)


class _Wanted(NamedTuple):
    """Which frames to read, by time and by index."""

    start: Fraction
    end: Fraction | None
    first: int
    stop: int | None

    def ended(self, index: int, time: Fraction) -> bool:
        """Whether such a frame comes after all that are wanted."""
        late = self.end is not None and time >= self.end
        return late or (self.stop is not None and index >= self.stop)

    def begun(self, index: int, time: Fraction) -> bool:
        return index >= self.first and time >= self.start


def _read_video(
    info: VideoInfo, wanted: _Wanted, keep_going: bool, keep_interlaced: bool
) -> Reader:
    decoding, first, decoded = _decode_from(info, wanted)
    to_image, count, ended = _ToImage(info), 0, False
    with closing(decoded):
        shown = timed_frames(info, decoding, decoded, first, keep_going=keep_going)
        if not keep_interlaced:
            shown = deinterlaced(shown, info.path)
        for item in shown:
            ended = wanted.ended(item.number, item.time)
            if ended:
                break
            if wanted.begun(item.number, item.time):
                count += 1
                yield Frame(item.number, item.time, to_image(item.frame), item.duration)
    missing = "" if ended else decoding.damage
    if len(decoding.lost) or missing:
        _report_damage(info, missing, len(decoding.lost), count, keep_going)


def read_decoded(info: VideoInfo, first: int = 0) -> Generator[tuple[int, VideoFrame], None, None]:
    """(index, frame) from the keyframe before frame `first` on, neither RGB nor upright.

    Corrupted frames are left out without a word.
    """
    wanted = _Wanted(Fraction(0), None, first, None)
    decoding, index, decoded = _decode_from(info, wanted)
    with closing(decoded):
        for item in timed_frames(info, decoding, decoded, index, keep_going=True):
            yield item.number, item.frame


Decoded = Generator[VideoFrame, None, None]


def _decode_from(info: VideoInfo, wanted: _Wanted) -> tuple[Decoding, int, Decoded]:
    """Decoding from a keyframe before what is wanted, with the index and the frames from there."""
    # The frame before an interlaced one decides how that one is deinterlaced.
    before = int(info.interlaced)
    ticks = ceil((wanted.start + info.origin) / info.time_base) - before
    by_time = bisect_right(info.keyframes, ticks, key=lambda keyframe: keyframe.pts) - 1
    number = wanted.first - before
    by_index = bisect_right(info.keyframes, number, key=lambda keyframe: keyframe.number) - 1
    place = max(by_time if wanted.start > info.start else 0, by_index)
    if place > 0:
        key = info.keyframes[place]
        decoding = Decoding(info, key)
        frames = cast(Decoded, decoding.frames())
        first = next(frames, None)
        if first is not None and first.pts == key.pts:  # wrong indexes lead elsewhere
            return decoding, key.number, _resumed(first, frames)
        frames.close()
    decoding = Decoding(info)
    return decoding, 0, cast(Decoded, decoding.frames())


def _resumed(first: VideoFrame, rest: Decoded) -> Decoded:
    with closing(rest):
        yield first
        yield from rest


class _ToImage:
    """Converts decoded frames to upright RGB of one size."""

    def __init__(self, info: VideoInfo) -> None:
        self._info = info
        self._orientation = Orientation(info.rotation, info.mirrored)
        self._stored = upright_size(*info.size, self._orientation)
        self._scaler = VideoReformatter()
        self._warned = False
        reuse_freed_memory()

    def __call__(self, frame: VideoFrame) -> Image:
        if (frame.height, frame.width) != self._stored and not self._warned:
            self._warned = True
            log.warning(
                "%s changes its size to %d x %d on the way; the new frames are scaled to %d x %d.",
                *(self._info.path, frame.width, frame.height, self._stored[1], self._stored[0]),
            )
        image = to_rgb(frame, self._info, self._stored, self._scaler)
        return in_own_memory(upright(image, self._orientation))


def _read_images(info: VideoInfo, wanted: _Wanted, keep_going: bool) -> Reader:
    time, count, lost = Fraction(0), 0, 0
    images = _animation(info) if info.kind == "animation" else _photos(info)
    for index, (duration, image) in enumerate(images):
        if wanted.ended(index, time):
            return
        if image is None:
            lost += 1
            if not keep_going:
                break
        elif wanted.begun(index, time):
            count += 1
            yield Frame(index, time, image, duration)
        time += duration
    if lost or info.damage:
        _report_damage(info, info.damage, lost, count, keep_going)


def _photos(info: VideoInfo) -> TimedImages:
    """A photo, or each photo of a folder."""
    for path in info.photos or (info.path,):
        try:
            image = read_photo(path)
        except PHOTO_ERRORS:
            image = None
        yield 1 / info.rate, image


def _animation(info: VideoInfo) -> TimedImages:
    """The frames of an animated image; one None in place of all that follow damage."""
    try:
        yield from read_animation(info.path)
    except PHOTO_ERRORS:
        yield Fraction(0), None


def _report_damage(info: VideoInfo, missing: str, lost: int, count: int, keep_going: bool) -> None:
    """Raise an error about what is missing, or warn if the user wants to go on."""
    what = missing or f"{lost} of its frames cannot be decoded"
    if not keep_going:
        raise DamagedInputError(
            f"{info.path} is damaged: "
            f"{missing or 'not all of its frames can be decoded'}; {count} good frames came before "
            "that. Use `keep_going=True` to use the good frames only.",
            read=count,
        )
    log.warning("%s is damaged: %s; the %d good frames are used.", info.path, what, count)
