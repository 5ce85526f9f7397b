"""Frames of any input, in order, each with its exact index, time and duration.

Healthy videos are decoded on several threads. At the first sign of damage the rest is decoded one
packet at a time, so that it is known which frame was hurt: a frame that leans on a damaged one is
never handed out, and none is repeated in its place.
"""

import logging
from bisect import bisect_left
from collections.abc import Generator, Iterator
from fractions import Fraction
from math import ceil
from typing import Any, NamedTuple

from av.video.reformatter import VideoReformatter

from vidseg.errors import DamagedInputError
from vidseg.structures.frame import Frame, Image
from vidseg.video.color import to_rgb
from vidseg.video.damage.tolerant_decoder import Losses
from vidseg.video.decoding._decoder import decode, lands, seekable
from vidseg.video.decoding.image_reader import PHOTO_ERRORS, read_animation, read_photo
from vidseg.video.demuxing.container import open_container
from vidseg.video.demuxing.timeline import scan
from vidseg.video.info import VideoInfo
from vidseg.video.large_arrays import in_own_memory
from vidseg.video.orientation import Orientation, upright, upright_size

log = logging.getLogger("vidseg")

Reader = Generator[Frame, None, None]
Pictures = Iterator[tuple[Fraction, Image | None]]


def read_frames(
    info: VideoInfo,
    *,
    start: Fraction | None = None,
    end: Fraction | None = None,
    keep_going: bool = False,
) -> Reader:
    """The frames shown from `start` (seconds) until before `end`, as `probe` described the input.

    Images are upright, writable and contiguous (H, W, 3) uint8 RGB. Index and time are those of the
    whole source. Damage raises `DamagedInputError` after the good frames before it; with
    `keep_going` the hurt frames are left out, and a warning says how many.
    """
    read = _read_video if info.kind == "video" else _read_pictures
    yield from read(info, start or Fraction(0), end, keep_going)


def _read_video(info: VideoInfo, start: Fraction, end: Fraction | None, keep_going: bool) -> Reader:
    if info.hdr:
        log.warning("%s is HDR; its colours are tone-mapped to standard range.", info.path)
    first, key = _entry(info, start)
    losses, paint, count, ended = Losses(), _Painter(info), 0, False
    for shown in _lasting(_numbered(info, losses, first, key, keep_going)):
        ended = end is not None and shown.time >= end
        if ended:
            break
        if shown.time >= start:
            count += 1
            yield Frame(shown.number, shown.time, paint(shown.frame), shown.duration)
    missing = "" if ended else info.damage
    if len(losses) or missing:
        _report(info, missing, len(losses), count, keep_going)


class _Shown(NamedTuple):
    number: int
    time: Fraction
    duration: Fraction
    """As the container says it."""
    frame: Any


def _entry(info: VideoInfo, start: Fraction) -> tuple[int, int | None]:
    """(index, stamp) of the key frame to begin at; (0, None) for the beginning."""
    if start <= info.start or not info.timed or not seekable(info):
        return 0, None
    with open_container(info.path) as container:
        timeline = scan(container, container.streams[info.stream])
    key = timeline.key_before(ceil((start + info.origin) / info.time_base))
    if not timeline.exact or key is None or key == timeline.keys[0] or not lands(info, key):
        return 0, None
    return bisect_left(timeline.stamps, key), key


def _numbered(
    info: VideoInfo, losses: Losses, first: int, key: int | None, keep_going: bool
) -> Iterator[_Shown]:
    """Decoded frames with index and time; without `keep_going` it ends before the first loss."""
    shift, before, skipped = Fraction(0), None, 0
    for count, frame in enumerate(decode(info, losses, key=key)):
        lost = losses.before(frame.pts if info.timed else None)
        if lost and not keep_going:
            return
        index = first + count + lost + skipped
        lasts, time = 1 / info.rate, info.start + index / info.rate
        if info.timed and frame.pts is not None:
            lasts = (frame.duration or 0) * info.time_base or lasts
            time = frame.pts * info.time_base - info.origin + shift
            if info.container == "avi":  # counts frames: lost ones put all after them earlier
                time += losses.unnumbered / info.rate
        if before is not None and time <= before.time:  # the clock was set back inside the file
            later = before.time + 1 / info.rate
            time, shift = later, shift + later - time
        if before is not None and losses.torn and info.timed and info.constant_rate:
            by_time = before.number + round((time - before.time) * info.rate)
            skipped, index = skipped + max(by_time - index, 0), max(by_time, index)
        before = _Shown(index, time, lasts, frame)
        yield before


def _lasting(shown: Iterator[_Shown]) -> Iterator[_Shown]:
    """Each frame lasts until the next one, where that one is there."""
    held = None
    for item in shown:
        if held is not None:
            follows = item.number == held.number + 1
            yield held._replace(duration=item.time - held.time) if follows else held
        held = item
    if held is not None:
        yield held


class _Painter:
    """Decoded frames to upright RGB of one size."""

    def __init__(self, info: VideoInfo) -> None:
        self._info = info
        self._orientation = Orientation(info.rotation, info.mirrored)
        self._stored = upright_size(*info.size, self._orientation)
        self._scaler = VideoReformatter()
        self._warned = False

    def __call__(self, frame: Any) -> Image:
        if (frame.height, frame.width) != self._stored and not self._warned:
            self._warned = True
            log.warning(
                "%s changes its size to %d x %d on the way; the new frames are scaled to %d x %d.",
                *(self._info.path, frame.width, frame.height, self._stored[1], self._stored[0]),
            )
        image = to_rgb(frame, self._info, self._stored, self._scaler)
        return in_own_memory(upright(image, self._orientation))


def _read_pictures(
    info: VideoInfo, start: Fraction, end: Fraction | None, keep_going: bool
) -> Reader:
    time, count, lost = Fraction(0), 0, 0
    pictures = _moving(info) if info.kind == "animation" else _stills(info)
    for index, (duration, image) in enumerate(pictures):
        if end is not None and time >= end:
            return
        if image is None:
            lost += 1
            if not keep_going:
                break
        elif time >= start:
            count += 1
            yield Frame(index, time, image, duration)
        time += duration
    if lost:
        _report(info, "", lost, count, keep_going)


def _stills(info: VideoInfo) -> Pictures:
    """A photo, or each of a folder; None for one that cannot be read."""
    for path in info.photos or (info.path,):
        try:
            image = read_photo(path)
        except PHOTO_ERRORS:
            image = None
        yield 1 / info.rate, image


def _moving(info: VideoInfo) -> Pictures:
    """The frames of an animated image; None in place of all that come after damage."""
    try:
        yield from read_animation(info.path)
    except PHOTO_ERRORS:
        yield Fraction(0), None


def _report(info: VideoInfo, missing: str, lost: int, count: int, keep_going: bool) -> None:
    """Say what was not there: as an error, or as a warning where the user wants to go on."""
    what = missing or f"{lost} of its frames cannot be decoded"
    if not keep_going:
        raise DamagedInputError(
            f"{info.path} is damaged: "
            f"{missing or 'not all of its frames can be decoded'}; {count} good frames came before "
            "that. Use --keep-going (keep_going=True) to make do with the good frames.",
            read=count,
        )
    log.warning("%s is damaged: %s; the %d good frames are used.", info.path, what, count)
