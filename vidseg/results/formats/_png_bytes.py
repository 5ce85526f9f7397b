"""PNG encoded in memory, so that a disk error surfaces as an OSError of the write."""

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture

from vidseg.structures.colors import davis_palette

PNG_COMPRESSION_LEVEL = 1
"""zlib's level: flat areas pack nearly as small as at 6, in a third of the time."""


def encode_indexed_png(labels: NDArray[np.uint8 | np.uint16]) -> bytes:
    """(H, W) uint8 labels under the DAVIS palette; uint16 ones become 16-bit greyscale."""
    return encode_png(labels, davis_palette() if labels.dtype == np.uint8 else None)


def encode_png(image: NDArray[Any], palette: bytes | None = None) -> bytes:
    """(H, W) uint8 or uint16, or (H, W, 3) uint8 RGB, or (H, W, 4) RGBA; `palette` is 256 RGB
    triples."""
    picture = Picture.fromarray(image)
    if palette is not None:
        picture.putpalette(palette)
    file = BytesIO()
    picture.save(file, "PNG", compress_level=PNG_COMPRESSION_LEVEL)
    return file.getvalue()
