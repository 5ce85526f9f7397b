"""Memory of pictures: large ones in mappings of their own, smaller ones used again.

In malloc's heap, large pictures that come and go leave gaps: 100 to 600 MB after 96 frames of 4K.
Mappings are returned to the system when they are freed.
"""

import mmap
import sys
from contextlib import suppress

import numpy as np

from vidseg.structures.frame import Image

MIN_MAPPED_BYTES = 16 * 2**20
"""Smallest picture that is moved, in bytes: 4K pictures are moved, 1080p ones are not."""


def in_own_memory(image: Image) -> Image:
    """`image` itself; if it is large, a writable, contiguous copy in a mapping of its own."""
    if image.nbytes < MIN_MAPPED_BYTES:
        return image
    try:
        memory = _mapping(image.nbytes)
    except OSError:  # out of memory, but the picture exists already
        return image
    copy = np.frombuffer(memory, image.dtype).reshape(image.shape)
    np.copyto(copy, image)
    return copy


def reuse_freed_memory() -> None:
    """Let malloc keep the memory of freed pictures for the next ones.

    glibc returns freed memory beyond twice the largest block that was ever mapped and freed
    (mallopt(3), M_MMAP_THRESHOLD). With no large block before, each picture would fault its pages
    in anew: reading 720p took 2.8 ms a frame instead of 1.7.
    """
    np.empty(MIN_MAPPED_BYTES, np.uint8)  # freed at once, and none of its pages is touched


def _mapping(size: int) -> mmap.mmap:
    if sys.platform == "win32":
        return mmap.mmap(-1, size)
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if sys.platform == "linux":
        with suppress(OSError):  # a kernel built without huge pages
            memory.madvise(mmap.MADV_HUGEPAGE)  # page faults take a third of the time
    return memory
