"""Find out whether an encoder works: ffmpeg lists hardware encoders on machines without one."""

import logging
from fractions import Fraction

import av
from av.codec import CodecContext
from av.error import FFmpegError

from vidseg.video.codecs import Encoding

log = logging.getLogger("vidseg")


def available_encoding(encoding: Encoding, size: tuple[int, int]) -> Encoding:
    """`encoding`, or its fallback if its encoder fails on a frame of `size` (height, width)."""
    if encoding.fallback is None:
        return encoding
    chosen = encoding if can_encode(encoding, size) else encoding.fallback
    log.info("Frames are encoded with %s.", chosen.encoder)
    return chosen


def can_encode(encoding: Encoding, size: tuple[int, int]) -> bool:
    """Whether the encoder makes a packet of one frame of `size` (height, width)."""
    try:
        context = CodecContext.create(encoding.encoder, "w")
    except ValueError:  # ffmpeg was built without it
        return False
    assert isinstance(context, av.VideoCodecContext)
    context.height, context.width = size
    context.pix_fmt = encoding.pixel_format
    context.framerate, context.time_base = Fraction(30), Fraction(1, 30)
    context.options = dict(encoding.options)
    frame = av.VideoFrame(size[1], size[0], encoding.pixel_format)
    frame.pts = 0
    try:
        return bool(context.encode(frame) + context.encode(None))
    except (FFmpegError, OSError):
        return False
