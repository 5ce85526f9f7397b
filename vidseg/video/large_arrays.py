"""Large pictures in memory of their own, which the system has back as soon as they end.

Among malloc's other blocks, pictures come and go in sizes that leave gaps: after 96 frames of 4K
these took 100 to 600 MB.
"""

import mmap
import sys
from contextlib import suppress

import numpy as np

from vidseg.structures.frame import Image

LARGE = 16 * 2**20
"""Bytes from which a picture is moved: those of 4K, not of 1080p."""


def apart(image: Image) -> Image:
    """`image` itself, or where it is large, a writable and contiguous copy apart from the rest."""
    if image.nbytes < LARGE:
        return image
    try:
        room = _room(image.nbytes)
    except OSError:  # there is none, and the picture is here already
        return image
    copy = np.frombuffer(room, image.dtype).reshape(image.shape)
    np.copyto(copy, image)
    return copy


def _room(size: int) -> mmap.mmap:
    if sys.platform == "win32":
        return mmap.mmap(-1, size)
    room = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if sys.platform == "linux":
        with suppress(OSError):  # a kernel built without them
            room.madvise(mmap.MADV_HUGEPAGE)  # pages in three times as fast
    return room
