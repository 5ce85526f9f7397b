"""Colours of objects; the same in every frame and every run."""

from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Color: TypeAlias = tuple[int, int, int]
"""RGB, each 0..255."""

PALETTE: tuple[Color, ...] = (
    (59, 130, 246),  # blue
    (249, 115, 22),  # orange
    (34, 197, 94),  # green
    (217, 70, 239),  # magenta
    (234, 179, 8),  # gold
    (239, 68, 68),  # red
    (6, 182, 212),  # cyan
    (139, 92, 246),  # violet
    (132, 204, 22),  # lime
    (236, 72, 153),  # pink
)
"""Colours that stand out from photographs; adjacent entries differ most from each other."""

BLACK: Color = (0, 0, 0)
WHITE: Color = (255, 255, 255)


def color_of(number: int) -> Color:
    """The colour of a label or track id (from 1); the palette repeats after its last entry."""
    return PALETTE[(number - 1) % len(PALETTE)]


def text_color_on(color: Color) -> Color:
    """Black or white, whichever contrasts more with `color` (WCAG 2.2, contrast ratio)."""
    luminance = relative_luminance(color)
    return BLACK if (luminance + 0.05) ** 2 > 0.05 * 1.05 else WHITE


def relative_luminance(color: Color) -> float:
    """0 for black to 1 for white (WCAG 2.2)."""
    values = np.array(color) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


@lru_cache(maxsize=1)
def davis_palette() -> bytes:
    """256 RGB triples of the DAVIS and Pascal VOC palette; entry 0, the background, is black.

    Bits 0, 3, 6 of an entry's index become the top bits of red; bits 1, 4, 7 those of green; bits
    2, 5 those of blue.
    """
    numbers = np.arange(256)
    channels = [
        sum(((numbers >> (3 * k + channel)) & 1) << (7 - k) for k in range(3))
        for channel in range(3)
    ]
    table: NDArray[np.uint8] = np.stack(channels, axis=1).astype(np.uint8)
    return table.tobytes()
