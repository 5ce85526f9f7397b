"""Whether this machine has an encoder: ffmpeg lists those of graphics cards on every machine."""

import logging
from fractions import Fraction
from typing import Any

import av
from av.codec import CodecContext
from av.error import FFmpegError

from vidseg.video.codecs import Encoding

log = logging.getLogger("vidseg")


def available(encoding: Encoding, size: tuple[int, int]) -> Encoding:
    """The encoding, or the one instead where its encoder does not code a picture of `size`."""
    if encoding.instead is None:
        return encoding
    chosen = encoding if can_code(encoding, size) else encoding.instead
    log.info("The pictures are coded by %s.", chosen.encoder)
    return chosen


def can_code(encoding: Encoding, size: tuple[int, int]) -> bool:
    """Whether the encoder turns one picture of `size` (height, width) into a packet."""
    try:
        context: Any = CodecContext.create(encoding.encoder, "w")
    except ValueError:  # it is not even listed
        return False
    context.height, context.width = size
    context.pix_fmt = encoding.pixel_format
    context.framerate, context.time_base = Fraction(30), Fraction(1, 30)
    context.options = dict(encoding.options)
    picture = av.VideoFrame(size[1], size[0], encoding.pixel_format)
    picture.pts = 0
    try:
        return bool(context.encode(picture) + context.encode(None))
    except (FFmpegError, OSError):
        return False
