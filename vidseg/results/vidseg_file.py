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
that was kept, and the options of the run; see `Header`.
"""

from __future__ import annotations

import json
import logging
import struct
import zlib
from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from vidseg.errors import InputError
from vidseg.structures.frame import Instant, Moment
from vidseg.structures.instances import Instances

log = logging.getLogger("vidseg")

FORMAT, VERSION = "vidseg detections", 1
RECORD_PREFIX = struct.Struct("<II")
OBJECT_FIELDS = [
    ("box", "<f4", 4),
    ("score", "<f4"),
    ("label", "<i4"),
    ("id", "<i4"),
    ("filled", "?"),
]
"""What a record holds of an object before its mask, as numpy lays it out."""
MAX_HEADER_BYTES = 1 << 24
"""Room for the names of a million photos."""

SavedFrame = tuple[Moment, Instances]
"""A frame without its image, and the objects found in it."""


@dataclass(frozen=True, slots=True)
class Header:
    """What was looked for, in what, and by what."""

    source: dict[str, Any]
    """Name, bytes, sha256 (of both ends), kind, size, rate and frames of the input; for a folder
    also the names of its `photos`."""
    model: dict[str, Any]
    """Name of the model; for a model file also its bytes and sha256."""
    classes: dict[int, str]
    """Label to name of every class of the model."""
    kept_score: float
    """Objects below this score were not kept."""
    labels: list[int] | None = None
    """Labels that were looked for; None for all."""
    options: dict[str, Any] = field(default_factory=dict)
    """Further options that decide what is found."""
    program: str = ""

    def to_line(self) -> bytes:
        """The first line of a file."""
        text = json.dumps({"format": FORMAT, "version": VERSION, **asdict(self)})
        return text.encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes, path: Path) -> Header:
        """Raises InputError: not the first line of a `.vidseg` file, or one of a later version."""
        try:
            facts = json.loads(line)
            kind, version = facts.pop("format"), facts.pop("version")
            if kind == FORMAT and version > VERSION:
                raise InputError(f"{path} has format version {version}; a newer vidseg reads it.")
            facts["classes"] = {int(label): name for label, name in facts["classes"].items()}
            return cls(**facts)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{path} is not a file of detections; make one with vidseg detect."
            ) from error


class Record(NamedTuple):
    """A decompressed record and its place in the file."""

    frame: dict[str, Any]
    """Its line of JSON."""
    rows: bytes
    """Its objects."""
    start: int
    """Offset of its first byte."""
    end: int
    """Offset of the byte after it."""


@dataclass(frozen=True, slots=True)
class Detections:
    """A `.vidseg` file; iterating reads it from the start, frame by frame."""

    path: Path
    header: Header

    def __iter__(self) -> Generator[SavedFrame, None, None]:
        """Each frame of the run in order, with its objects.

        The file of an interrupted run gives its complete frames, then a warning.

        Raises:
            InputError: a record is corrupted.
        """
        with self.path.open("rb") as file:
            read_header_line(file)
            count = 0
            for record in read_records(file, self.path):
                if "end" in record.frame:
                    return
                count += 1
                moment, instances = decode_frame(record)
                yield moment, replace(instances, names=self.header.classes)
        log.warning("%s ends after %d frames: its run was interrupted.", self.path, count)


def read_detections(path: str | Path) -> Detections:
    """Opens a `.vidseg` file.

    Raises:
        InputError: there is no such file, or it is not a `.vidseg` file.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            return Detections(path, Header.from_line(read_header_line(file), path))
    except OSError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error


def read_header_line(file: BinaryIO) -> bytes:
    """The first line; the records come after it."""
    return file.readline(MAX_HEADER_BYTES)


def read_records(file: BinaryIO, path: Path) -> Iterator[Record]:
    """The complete records from the file's position on; leaves out a truncated one at its end.

    Raises InputError: a corrupted record with more data after it.
    """
    end = file.tell()
    while len(head := file.read(RECORD_PREFIX.size)) == RECORD_PREFIX.size:
        start, (length, checksum) = end, RECORD_PREFIX.unpack(head)
        compressed = file.read(length)
        end = start + RECORD_PREFIX.size + length
        if len(compressed) < length:
            return
        if zlib.crc32(compressed) != checksum:
            if not file.read(1):
                return
            raise InputError(f"{path} is corrupted at byte {start}; make it again.")
        line, _, rows = zlib.decompress(compressed).partition(b"\n")
        yield Record(json.loads(line), rows, start, end)


def encode_record(frame: dict[str, Any], rows: bytes = b"") -> bytes:
    """A record as it is stored in the file."""
    compressor = zlib.compressobj(zlib.Z_BEST_COMPRESSION, strategy=zlib.Z_FILTERED)
    line = json.dumps(frame, separators=(",", ":")).encode() + b"\n"
    body = compressor.compress(line + rows) + compressor.flush()
    return RECORD_PREFIX.pack(len(body), zlib.crc32(body)) + body


def encode_frame(moment: Instant, instances: Instances) -> bytes:
    """The record of one frame."""
    side = instances.masks.shape[-1]
    frame = {
        "index": moment.index,
        "time": str(moment.time),
        "duration": str(moment.duration),
        "size": list(instances.size),
        "side": side,
    }
    rows = np.zeros(len(instances), _object_dtype(side))
    rows["box"], rows["score"] = instances.boxes, instances.scores
    rows["label"], rows["id"], rows["filled"] = instances.labels, instances.ids, instances.filled
    down = np.diff(instances.masks, axis=1, prepend=np.uint8(0))
    rows["mask"] = np.diff(down, axis=2, prepend=np.uint8(0))
    return encode_record(frame, rows.tobytes())


def decode_frame(record: Record) -> SavedFrame:
    """The frame and objects of a record."""
    frame = record.frame
    rows = np.frombuffer(record.rows, _object_dtype(frame["side"]))
    moment = Moment(frame["index"], Fraction(frame["time"]), Fraction(frame["duration"]))
    return moment, Instances(
        boxes=rows["box"].astype(np.float32),
        masks=rows["mask"].cumsum(1, np.uint8).cumsum(2, np.uint8),
        scores=rows["score"].astype(np.float32),
        labels=rows["label"].astype(np.int64),
        ids=rows["id"].astype(np.int64),
        size=(frame["size"][0], frame["size"][1]),
        filled=rows["filled"].astype(np.bool_),
    )


def _object_dtype(side: int) -> np.dtype[np.void]:
    return np.dtype([*OBJECT_FIELDS, ("mask", "u1", (side, side))])
