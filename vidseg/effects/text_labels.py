"""Text labels: small pictures with one line of text."""

import re
from functools import lru_cache
from threading import Lock

import cv2
import numpy as np

from vidseg.structures.colors import Color, text_color_on
from vidseg.structures.frame import Image

FONT_WEIGHT = 500
"""Font weight between regular (400) and semibold (600)."""

RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff]+(?: [\u0590-\u08ff]+)*")
"""Words in Hebrew, Arabic and related scripts; OpenCV draws all characters from left to right."""

_text_lock = Lock()
"""OpenCV 5.0 mixes up glyphs when two threads draw text at once."""


@lru_cache(maxsize=512)
def tag(text: str, size: int, color: Color) -> Image:
    """(h, w, 3) uint8, read-only: `text` of `size` pixels in black or white on `color`.

    The height depends on the size alone, so that tags of different texts align. OpenCV's own font
    has Latin, Greek, Cyrillic, Hebrew, Chinese, Japanese, Korean, and Arabic in unjoined letters.
    """
    text = RIGHT_TO_LEFT.sub(lambda words: words[0][::-1], text)
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
