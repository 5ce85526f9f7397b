"""Photos inside the JSON files of LabelMe, as base64 in `imageData`."""

import base64
import io
from pathlib import Path

import PIL.ImageOps

from vidseg.datasets.annotation_files import read_json
from vidseg.errors import InputError
from vidseg.structures.frame import Image
from vidseg.video.decoding.image_files import PHOTO_ERRORS, open_stored
from vidseg.video.decoding.image_pixels import flatten, srgb_pixels


def is_embedded(path: Path) -> bool:
    """Whether the path of a photo is that of the file that it is embedded in."""
    return path.suffix.lower() == ".json"


def embedded_size(path: Path) -> tuple[int, int]:
    """(height, width) of the upright photo; InputError if it cannot be read."""
    height, width = read_embedded(path).shape[:2]
    return height, width


def read_embedded(path: Path) -> Image:
    """Upright (H, W, 3) uint8 RGB; InputError if it cannot be read."""
    try:
        data = base64.b64decode(read_json(path)["imageData"], validate=True)
        with open_stored(io.BytesIO(data)) as image:
            return flatten(srgb_pixels(PIL.ImageOps.exif_transpose(image)))
    except (*PHOTO_ERRORS, KeyError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} has no photo in imageData that can be read: {error}.") from error
