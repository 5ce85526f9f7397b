"""Mask images whose pixel values identify objects."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pictures

from vidseg.errors import InputError
from vidseg.video.decoding.image_reader import PHOTO_ERRORS

Values = NDArray[np.uint8 | np.uint16 | np.int32 | np.int64 | np.bool_]
VOID_VALUES = (254, 255)
"""Border or unknown, in images that number their objects from 1 (VOC, DAVIS)."""

VOC_VOID_COLOR = 0xE0E0C0
"""Void in VOC's palette, as an RGB number."""


def read_values(path: Path) -> Values:
    """(H, W) palette indexes or grey levels as stored, RGB as one number; never turned upright.

    Raises InputError: it cannot be read as an image.
    """
    try:
        with Pictures.open(path) as picture:
            if picture.mode in ("P", "L", "I", "1") or picture.mode.startswith("I;16"):
                return np.array(picture)
            if picture.mode == "LA":
                return np.array(picture)[..., 0]
            colors = np.array(picture.convert("RGB"), np.int64)
    except PHOTO_ERRORS as error:
        raise InputError(f"{path} cannot be read as a mask image: {error}.") from error
    return colors @ np.array([65536, 256, 1])


def object_values(values: Values) -> list[int]:
    """The values that are objects: all but 0 and, where there are others, the void values."""
    small = values.dtype.itemsize < 4  # bincount is much faster than sorting
    found = np.flatnonzero(np.bincount(values.ravel())) if small else np.unique(values)
    present = [int(value) for value in found if value != 0]
    numbered = [value for value in present if value not in VOID_VALUES]
    return numbered if numbered and max(present) <= 255 else present


def palette_indexes(values: Values) -> Values:
    """Colours of VOC's palette as their indexes; other images unchanged.

    Index bits 0, 1, 2 are the highest bits of red, green and blue, the next three the next
    highest (VOC2012 development kit, `VOClabelcolormap`).
    """
    if values.dtype != np.int64:
        return values
    red, green, blue = values >> 16, values >> 8 & 255, values & 255
    indexes = np.zeros_like(values)
    for place in range(3):
        for offset, channel in enumerate((red, green, blue)):
            indexes |= (channel >> (7 - place) & 1) << (3 * place + offset)
    return indexes.astype(np.uint16)


def most_frequent(values: Values, pixels: NDArray[np.bool_]) -> int:
    """The most frequent value there but background and void; 0 if there is none."""
    found, counts = np.unique(values[pixels], return_counts=True)
    counts[np.isin(found, (0, 255, VOC_VOID_COLOR))] = 0
    return int(found[counts.argmax()]) if counts.any() else 0
