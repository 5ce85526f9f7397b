"""The bytes of a file, of which only those asked for are read."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

SEARCH_BYTES = 1 << 20
"""Bytes that are read at a time in a search."""


class FileBytes:
    """The bytes of a file, of which only those asked for are read; close it after use."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        self._size = path.stat().st_size

    def __len__(self) -> int:
        return self._size

    def read(self, start: int, end: int) -> bytes:
        """The bytes from `start` to before `end`, as far as there are any."""
        end = min(end, self._size)
        if end <= start:
            return b""
        if hasattr(os, "pread"):
            return os.pread(self._file, end - start, start)
        os.lseek(self._file, start, os.SEEK_SET)
        return os.read(self._file, end - start)

    def blocks(self, start: int, end: int, overlap: int = 0) -> Iterator[tuple[int, bytes]]:
        """(place, bytes) in blocks of bounded size; each also begins the next one's `overlap`."""
        while start < min(end, self._size):
            yield start, self.read(start, min(start + SEARCH_BYTES + overlap, end))
            start += SEARCH_BYTES

    def search(self, pattern: re.Pattern[bytes], start: int, end: int) -> Iterator[int]:
        """Where `pattern` (of at most 32 bytes) is found."""
        for at, data in self.blocks(start, end, overlap=31):
            for found in pattern.finditer(data):
                if found.start() < SEARCH_BYTES:
                    yield at + found.start()

    def close(self) -> None:
        os.close(self._file)
