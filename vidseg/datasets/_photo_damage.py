"""Find truncated photos without decoding them."""

from pathlib import Path

TAIL_BYTES = 4096
"""The end marker of a photo is searched in this many last bytes: cameras append data."""


def looks_truncated(path: Path) -> bool:
    """Whether the file lacks the end that its format demands; False for other formats.

    A file that looks truncated may still be whole: decode it to be sure.
    """
    try:
        with path.open("rb") as file:
            head = file.read(12)
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL_BYTES))
            tail = file.read()
    except OSError:
        return False
    if head.startswith(b"\xff\xd8"):
        return b"\xff\xd9" not in tail
    if head.startswith(b"\x89PNG"):
        return b"IEND" not in tail
    if head.startswith(b"GIF8"):
        return not tail.rstrip(b"\0").endswith(b";")
    if head.startswith(b"RIFF"):
        return size < int.from_bytes(head[4:8], "little") + 8
    if head.startswith(b"BM"):
        return size < int.from_bytes(head[2:6], "little")
    return False
