"""Mask images whose pixel values identify objects."""

import warnings
from pathlib import Path

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from vidseg.datasets.annotation_files import check_readable
from vidseg.errors import InputError
from vidseg.video.decoding.image_reader import PHOTO_ERRORS, open_stored

Values = NDArray[np.uint8 | np.uint16 | np.int32 | np.int64 | np.bool_]
VOID_VALUES = (254, 255)
"""Border or unknown, in images that number their objects from 1 (VOC, DAVIS)."""
MAX_NUMBERED = 50
"""Objects that are numbered from 1 have no greater value, unless all smaller ones are there too."""
VOC_VOID_COLOR = 0xE0E0C0
"""Void in VOC's palette, as an RGB number."""
MAX_OBJECTS = 5000
"""Most objects of an image; photos have far fewer."""
MIN_SOFT_VALUES = 4
"""Fewer values are objects, whatever their shape."""


def read_values(path: Path) -> Values:
    """(H, W) palette indexes or grey levels as stored, RGB as one number; never turned upright.

    Where the image is of one colour and partly transparent, its opacity is the mask.

    Raises InputError: it cannot be read as an image, or is partly transparent in several colours.
    """
    check_readable(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PIL.Image.DecompressionBombWarning)
            with open_stored(path) as image:
                return _values(path, image)
    except PHOTO_ERRORS as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} cannot be read as a mask image: {error}.") from error


def _values(path: Path, image: PIL.Image.Image) -> Values:
    if image.mode in ("P", "L", "I", "1") or image.mode.startswith("I;16"):
        return np.array(image)
    if image.mode in ("F", "RGBa", "La"):
        raise InputError(f"{path} is no mask image: its pixels are of the kind {image.mode}.")
    colors = np.array(image.convert("RGB"), np.int64) @ np.array([65536, 256, 1])
    grey = np.array(image.getchannel(0)) if image.mode == "LA" else colors
    if "A" not in image.getbands():
        return colors
    alpha = np.array(image.getchannel("A"))
    if (alpha == alpha.flat[0]).all():
        return grey
    if (grey[alpha > 0] == grey[alpha > 0].flat[0]).all():
        return alpha
    raise InputError(
        f"{path} is no clear mask image: it is partly transparent and has several colours; save "
        "it without transparency."
    )


def object_values(values: Values) -> list[int]:
    """The values that are objects: all but 0 and, where others are numbered from 1, void values.

    Raises ValueError: the values are not those of objects, but of soft edges or of a photo.
    """
    small = values.dtype.itemsize < 4  # bincount is much faster than sorting
    found = np.flatnonzero(np.bincount(values.ravel())) if small else np.unique(values)
    present = [int(value) for value in found if value != 0]
    _check_hard(values, present)
    rest = [value for value in present if value not in VOID_VALUES]
    return rest if rest and max(present) <= 255 and _is_numbered(rest) else present


def _is_numbered(values: list[int]) -> bool:
    return max(values) <= max(MAX_NUMBERED, len(values))


def _check_hard(values: Values, present: list[int]) -> None:
    """Raises ValueError: most of the values have no pixel whose four neighbours are alike."""
    if len(present) < MIN_SOFT_VALUES:
        return
    middle = values[1:-1, 1:-1]
    alike = np.ones(middle.shape, bool)
    for beside in (values[:-2, 1:-1], values[2:, 1:-1], values[1:-1, :-2], values[1:-1, 2:]):
        alike &= middle == beside
    solid = len(np.unique(middle[alike & (middle != 0)]))
    if 2 * solid < len(present):
        raise ValueError(
            f"its mask image has {len(present)} values, most of them at edges alone; save it "
            "without anti-aliasing, not as JPEG, and with one value per object"
        )
    if len(present) > MAX_OBJECTS:
        raise ValueError(f"its mask image has {len(present)} values")


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
