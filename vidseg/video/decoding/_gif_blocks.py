"""Whether the blocks of a GIF follow each other up to its end (GIF89a, appendix A).

Pillow takes any byte between two blocks, and where bytes are missing it may take one of them for
the end of the file.
"""

from contextlib import closing
from pathlib import Path

from vidseg.video.demuxing.file_bytes import FileBytes

PADDING, EXTENSION, IMAGE, TRAILER = 0x00, 0x21, 0x2C, 0x3B
COLOR_TABLE = 0x80
"""Flag of a header or an image: a table of colours follows."""


def gif_damage(path: Path) -> str:
    """What is wrong with the blocks of a GIF, as part of a sentence; "" if nothing is."""
    with closing(FileBytes(path)) as data:
        at = _after_table(data, 13, 10)
        while at is not None and at < len(data):
            kind = data.read(at, at + 1)[0]
            if kind == TRAILER:
                return ""
            at = _after_block(data, at, kind)
        return "" if at == len(data) else "its blocks do not follow each other"


def _after_block(data: FileBytes, at: int, kind: int) -> int | None:
    """Where the block at a byte ends; None where there is none."""
    if kind == PADDING:
        return at + 1
    if kind == EXTENSION:
        return _after_parts(data, at + 2)
    if kind == IMAGE:
        return _after_parts(data, _after_table(data, at + 10, at + 9) + 1)
    return None


def _after_table(data: FileBytes, at: int, flags_at: int) -> int:
    flags = (data.read(flags_at, flags_at + 1) or b"\0")[0]
    return at + (3 << ((flags & 7) + 1) if flags & COLOR_TABLE else 0)


def _after_parts(data: FileBytes, at: int) -> int | None:
    """Parts of up to 255 bytes, each after its length; an empty one is the last."""
    while length := data.read(at, at + 1):
        at += 1 + length[0]
        if not length[0]:
            return at
    return None
