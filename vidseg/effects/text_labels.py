"""Text labels: small pictures with one line of text."""

from functools import lru_cache
from threading import Lock

import cv2
import numpy as np

from vidseg.structures.colors import Color, text_color_on
from vidseg.structures.frame import Image

FONT_WEIGHT = 500
"""Font weight between regular (400) and semibold (600)."""

_text_lock = Lock()
"""OpenCV 5.0 mixes up glyphs when two threads draw text at once."""


@lru_cache(maxsize=512)
def tag(text: str, size: int, color: Color) -> Image:
    """(h, w, 3) uint8, read-only: `text` of `size` pixels in black or white on `color`.

    The height depends on the size alone, so that tags of different texts align.
    """
    pad = max(2, round(size * 0.3))
    with _text_lock:
        font = cv2.FontFace("sans")
        left, _, width, _ = cv2.getTextSize((0, 0), text, (0, 0), font, size, FONT_WEIGHT)
        picture = np.empty((round(size * 1.4), width + 2 * pad, 3), np.uint8)
        picture[...] = color
        baseline = round(size * 1.05)
        cv2.putText(
            picture, text, (pad - left, baseline), text_color_on(color), font, size, FONT_WEIGHT
        )
    picture.flags.writeable = False
    return picture
