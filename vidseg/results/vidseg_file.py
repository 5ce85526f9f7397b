"""Saved detections: what was found in a video, as a file that is written once and used many times.

A `.vidseg` file is a line of JSON, the header, then one record a frame:

    4 bytes   length of the packed record, little-endian
    4 bytes   CRC-32 of the packed record
    the rest  zlib: a line of JSON about the frame, then its objects, one after another

`time` and `duration` are exact fractions of a second. A `box` is x0, y0, x1, y1 in pixels; an `id`
of -1 is an object of no track. Masks are soft, probability x 255 in side x side cells inside the
box, and stored without loss as differences to the cells above and to the left, modulo 256. The last
record of a whole file is `{"end": true, "frames": N}`. To read it all:

    import json, struct, zlib, numpy as np
    facts = [("box", "<f4", 4), ("score", "<f4"), ("label", "<i4"), ("id", "<i4"), ("filled", "?")]
    with open("street.vidseg", "rb") as file:
        header = json.loads(file.readline())
        while len(h := file.read(8)) == 8:
            line, _, rows = zlib.decompress(file.read(struct.unpack("<II", h)[0])).partition(b"\\n")
            frame = json.loads(line)  # index, time, duration, size (height, width), side
            objects = np.frombuffer(rows, [*facts, ("mask", "u1", (frame.get("side", 1),) * 2)])
            masks = objects["mask"].cumsum(1, np.uint8).cumsum(2, np.uint8)

The header names the source (with the hash of its two ends), the model, its classes, the score from
which objects were kept, and the options of the run; see `Header`.
"""

from __future__ import annotations

import json
import logging
import struct
import zlib
from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from vidseg.errors import InputError
from vidseg.structures.frame import Instant, Moment
from vidseg.structures.instances import Instances

log = logging.getLogger("vidseg")

FORMAT, VERSION = "vidseg detections", 1
FRAMING = struct.Struct("<II")
FACTS = [("box", "<f4", 4), ("score", "<f4"), ("label", "<i4"), ("id", "<i4"), ("filled", "?")]
"""What a record says of an object before its mask, as numpy lays it out."""
LONGEST_HEADER = 1 << 24

Found = tuple[Moment, Instances]


@dataclass(frozen=True, slots=True)
class Header:
    """What was looked for, where, and by what."""

    source: dict[str, Any]
    """Name, bytes, sha256 (of the two ends), kind, size, rate and frames of the input; for a folder
    also its `photos`."""
    model: dict[str, Any]
    """Name of the model; bytes and sha256 of its file where it has one."""
    classes: dict[int, str]
    """Label to name of everything that the model knows."""
    kept_score: float
    """Objects below this score were not kept."""
    labels: list[int] | None = None
    """Labels that were looked for; None is all."""
    options: dict[str, Any] = field(default_factory=dict)
    """Further options that decide what is found."""
    program: str = ""

    def to_line(self) -> bytes:
        """As the first line of a file."""
        text = json.dumps({"format": FORMAT, "version": VERSION, **asdict(self)})
        return text.encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes, path: Path) -> Header:
        """Raises InputError: not the first line of a file of detections, or of a later version."""
        try:
            facts = json.loads(line)
            kind, version = facts.pop("format"), facts.pop("version")
            if kind == FORMAT and version > VERSION:
                raise InputError(f"{path} is of version {version}; a newer vidseg reads it.")
            facts["classes"] = {int(label): name for label, name in facts["classes"].items()}
            return cls(**facts)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{path} is not a file of detections; make one with vidseg detect."
            ) from error


class Record(NamedTuple):
    """A whole record as it lies in a file."""

    facts: dict[str, Any]
    rows: bytes
    start: int
    """Where it begins, in bytes."""
    end: int


@dataclass(frozen=True, slots=True)
class Detections:
    """A file of saved detections; iterating reads it from the start, a frame at a time."""

    path: Path
    header: Header

    def __iter__(self) -> Generator[Found, None, None]:
        """Each frame that was looked at, in order, with its objects.

        A file whose run was broken off gives the frames that are whole, then a warning.

        Raises:
            InputError: a record is damaged.
        """
        with self.path.open("rb") as file:
            skip_header(file)
            count = 0
            for record in records(file, self.path):
                if "end" in record.facts:
                    return
                count += 1
                yield unpacked(record)
        log.warning(
            "%s breaks off after %d frames; it is used as far as it goes.", self.path, count
        )


def read_detections(path: str | Path) -> Detections:
    """Opens a file of saved detections.

    Raises:
        InputError: there is no such file, or it holds no detections.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            return Detections(path, Header.from_line(skip_header(file), path))
    except OSError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error


def skip_header(file: BinaryIO) -> bytes:
    """The first line; after it come the records."""
    return file.readline(LONGEST_HEADER)


def records(file: BinaryIO, path: Path) -> Iterator[Record]:
    """The whole records from where `file` stands; one that is torn at the end of it is left out.

    Raises InputError: a damaged record with something after it.
    """
    end = file.tell()
    while len(head := file.read(FRAMING.size)) == FRAMING.size:
        start, (length, check) = end, FRAMING.unpack(head)
        packed = file.read(length)
        end = start + FRAMING.size + length
        if len(packed) < length:
            return
        if zlib.crc32(packed) != check:
            if not file.read(1):
                return
            raise InputError(f"{path} is damaged at byte {start}; make it again.")
        line, _, rows = zlib.decompress(packed).partition(b"\n")
        yield Record(json.loads(line), rows, start, end)


def packed(facts: dict[str, Any], rows: bytes = b"") -> bytes:
    """A record as it stands in the file."""
    packer = zlib.compressobj(zlib.Z_BEST_COMPRESSION, strategy=zlib.Z_FILTERED)
    line = json.dumps(facts, separators=(",", ":")).encode() + b"\n"
    body = packer.compress(line + rows) + packer.flush()
    return FRAMING.pack(len(body), zlib.crc32(body)) + body


def packed_frame(moment: Instant, instances: Instances) -> bytes:
    """The record of one frame."""
    side = instances.masks.shape[-1]
    facts = {
        "index": moment.index,
        "time": str(moment.time),
        "duration": str(moment.duration),
        "size": list(instances.size),
        "side": side,
    }
    rows = np.zeros(len(instances), _layout(side))
    rows["box"], rows["score"] = instances.boxes, instances.scores
    rows["label"], rows["id"], rows["filled"] = instances.labels, instances.ids, instances.filled
    down = np.diff(instances.masks, axis=1, prepend=np.uint8(0))
    rows["mask"] = np.diff(down, axis=2, prepend=np.uint8(0))
    return packed(facts, rows.tobytes())


def unpacked(record: Record) -> Found:
    """The frame that a record is of."""
    facts = record.facts
    rows = np.frombuffer(record.rows, _layout(facts["side"]))
    moment = Moment(facts["index"], Fraction(facts["time"]), Fraction(facts["duration"]))
    return moment, Instances(
        boxes=rows["box"].astype(np.float32),
        masks=rows["mask"].cumsum(1, np.uint8).cumsum(2, np.uint8),
        scores=rows["score"].astype(np.float32),
        labels=rows["label"].astype(np.int64),
        ids=rows["id"].astype(np.int64),
        size=(facts["size"][0], facts["size"][1]),
        filled=rows["filled"].astype(np.bool_),
    )


def _layout(side: int) -> np.dtype[np.void]:
    return np.dtype([*FACTS, ("mask", "u1", (side, side))])
