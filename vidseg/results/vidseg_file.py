"""Saved detections: the objects of a video in one file, written once and used many times.

A `.vidseg` file is a line of JSON, the header, then one record a frame:

    4 bytes   length of the compressed record, little-endian
    4 bytes   CRC-32 of the compressed record
    the rest  zlib: a line of JSON about the frame, then its objects, one after another

`time` and `duration` are exact fractions of a second. A `box` is x0, y0, x1, y1 in pixels; an `id`
of -1 is an untracked object. Masks are soft, probability x 255 in side x side cells inside the box,
and stored losslessly as differences from the cells above and to the left, modulo 256. The last
record of a complete file is `{"end": true, "frames": N}`. To read it all:

    import json, struct, zlib, numpy as np
    facts = [("box", "<f4", 4), ("score", "<f4"), ("label", "<i4"), ("id", "<i4"), ("filled", "?")]
    with open("street.vidseg", "rb") as file:
        header = json.loads(file.readline())
        while len(h := file.read(8)) == 8:
            line, _, rows = zlib.decompress(file.read(struct.unpack("<II", h)[0])).partition(b"\\n")
            frame = json.loads(line)  # index, time, duration, size (height, width), side
            objects = np.frombuffer(rows, [*facts, ("mask", "u1", (frame.get("side", 1),) * 2)])
            masks = objects["mask"].cumsum(1, np.uint8).cumsum(2, np.uint8)

The header has the source (with a hash of both its ends), the model, its classes, the lowest score
that was kept, and the options of the run; see `vidseg_header`.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from vidseg.errors import InputError
from vidseg.remote.fetch import local
from vidseg.results._records import SavedFrame, check_end, corrupted, decode_frame, read_records
from vidseg.results.vidseg_header import Header, read_header, read_header_line

log = logging.getLogger("vidseg")


@dataclass(frozen=True, slots=True)
class Detections:
    """A `.vidseg` file; iterating reads it from the start, frame by frame."""

    path: Path
    header: Header

    def __iter__(self) -> Generator[SavedFrame, None, None]:
        """Each frame of the run in order, with its objects.

        The file of an interrupted run gives its complete frames, then a warning.

        Raises:
            InputError: the file is corrupted.
        """
        return self.frames()

    def frames(self, *, whole: bool = False) -> Generator[SavedFrame, None, None]:
        """The same; with `whole`, the file of an interrupted run is an InputError at its end."""
        count, last_index = 0, -1
        with self.path.open("rb") as file:
            read_header_line(file)
            for record in read_records(file, self.path):
                if "end" in record.frame:
                    check_end(record, count, file, self.path)
                    return
                moment, instances = decode_frame(record, self.header, self.path)
                if moment.index <= last_index:
                    raise corrupted(self.path, record.start, "its frames are not in order")
                count, last_index = count + 1, moment.index
                yield moment, instances
        if whole:
            raise InputError(f"{self.path} ends after {count} frames: its run was interrupted.")
        log.warning("%s ends after %d frames: its run was interrupted.", self.path, count)


def read_detections(path: str | Path) -> Detections:
    """Opens a `.vidseg` file.

    Raises:
        InputError: there is no such file, or it is not a `.vidseg` file.
    """
    path = local(path)
    try:
        with path.open("rb") as file:
            return Detections(path, read_header(file, path))
    except OSError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
