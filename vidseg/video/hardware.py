"""Whether this machine has an encoder: ffmpeg lists those of graphics cards on every machine."""

from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.codec import CodecContext
from av.error import FFmpegError

from vidseg.video.codecs import Encoding


def settled(encoding: Encoding, size: tuple[int, int]) -> Encoding:
    """The encoding, or the one instead where its encoder does not code a picture of `size`."""
    if encoding.instead is None or codes(encoding, size):
        return encoding
    return encoding.instead


def codes(encoding: Encoding, size: tuple[int, int]) -> bool:
    """Whether the encoder turns one black picture of `size` (height, width) into a packet."""
    try:
        context: Any = CodecContext.create(encoding.encoder, "w")
        context.height, context.width = size
        context.pix_fmt = encoding.pixel_format
        context.framerate, context.time_base = Fraction(30), Fraction(1, 30)
        context.options = dict(encoding.options)
        picture = av.VideoFrame.from_ndarray(np.zeros((*size, 3), np.uint8), "rgb24")
        picture = picture.reformat(format=encoding.pixel_format)
        picture.pts = 0
        return bool(context.encode(picture) + context.encode(None))
    except (FFmpegError, OSError, ValueError):  # the last where it is not even listed
        return False
