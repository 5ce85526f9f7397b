"""Saved detections: what was found in a video, as a file that is written once and used many times.

A `.vidseg` file is a line of JSON, the header, then one record a frame:

    4 bytes   length of the packed record, little-endian
    4 bytes   CRC-32 of the packed record
    the rest  zlib: a line of JSON about the frame, then the masks of its objects, one after another

Masks are soft, (side, side) uint8 probability x 255 inside the object's box, and stored without
loss as differences to the cells above and to the left, modulo 256. Boxes are x0, y0, x1, y1 in
pixels; `time` and `duration` are exact fractions of a second; an `id` of -1 is an object of no
track. The last record of a whole file is `{"end": true, "frames": N}`. To read it all:

    import json, struct, zlib, numpy as np
    with open("street.vidseg", "rb") as file:
        header = json.loads(file.readline())
        while len(head := file.read(8)) == 8:
            packed = file.read(struct.unpack("<II", head)[0])
            line, _, deltas = zlib.decompress(packed).partition(b"\\n")
            frame = json.loads(line)  # index, time, boxes, scores, labels, ids, filled
            side = frame.get("side", 1)
            masks = np.frombuffer(deltas, np.uint8).reshape(-1, side, side)
            masks = masks.cumsum(1, np.uint8).cumsum(2, np.uint8)

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
from numpy.typing import NDArray

from vidseg.errors import InputError
from vidseg.frame import Instant, Moment
from vidseg.instances import Instances

log = logging.getLogger("vidseg")

FORMAT, VERSION = "vidseg detections", 1
FRAMING = struct.Struct("<II")
LEVEL = 6
"""zlib's; 9 takes four times as long for 1 % less."""
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
    deltas: bytes
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
        line, _, deltas = zlib.decompress(packed).partition(b"\n")
        yield Record(json.loads(line), deltas, start, end)


def packed(facts: dict[str, Any], deltas: bytes = b"") -> bytes:
    """A record as it stands in the file."""
    body = zlib.compress(json.dumps(facts, separators=(",", ":")).encode() + b"\n" + deltas, LEVEL)
    return FRAMING.pack(len(body), zlib.crc32(body)) + body


def packed_frame(moment: Instant, instances: Instances) -> bytes:
    """The record of one frame."""
    facts = {
        "index": moment.index,
        "time": str(moment.time),
        "duration": str(moment.duration),
        "size": list(instances.size),
        "side": instances.masks.shape[-1],
        "boxes": [_shortest(box) for box in instances.boxes],
        "scores": _shortest(instances.scores),
        "labels": instances.labels.tolist(),
        "ids": instances.ids.tolist(),
        "filled": instances.filled.astype(int).tolist(),
    }
    down = np.diff(instances.masks, axis=1, prepend=np.uint8(0))
    return packed(facts, np.diff(down, axis=2, prepend=np.uint8(0)).tobytes())


def unpacked(record: Record) -> Found:
    """The frame that a record is of."""
    facts, side = record.facts, record.facts["side"]
    deltas = np.frombuffer(record.deltas, np.uint8).reshape(-1, side, side)
    moment = Moment(facts["index"], Fraction(facts["time"]), Fraction(facts["duration"]))
    return moment, Instances(
        boxes=np.array(facts["boxes"], np.float32).reshape(-1, 4),
        masks=deltas.cumsum(1, np.uint8).cumsum(2, np.uint8),
        scores=np.array(facts["scores"], np.float32),
        labels=np.array(facts["labels"], np.int64),
        ids=np.array(facts["ids"], np.int64),
        size=(facts["size"][0], facts["size"][1]),
        filled=np.array(facts["filled"], np.bool_),
    )


def _shortest(values: NDArray[np.float32]) -> list[float]:
    """The shortest decimal numbers that are these float32 and no others."""
    return [float(str(value)) for value in values]
