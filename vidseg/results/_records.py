"""The records of a `.vidseg` file, one per frame: encoded, found in a file, decoded and checked."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from vidseg.errors import InputError
from vidseg.results._header_checks import check_fraction, check_frame_size, check_integer
from vidseg.results.vidseg_header import Header
from vidseg.structures.frame import Instant, Moment
from vidseg.structures.instances import UNTRACKED, Instances
from vidseg.tracking.looks import COLOR_BINS, Looks, SeenFrame, seen_frame

RECORD_PREFIX = struct.Struct("<II")
"""Length and CRC-32 of the compressed record."""
OBJECT_FIELDS = [
    ("box", "<f4", 4),
    ("score", "<f4"),
    ("label", "<i4"),
    ("id", "<i4"),
    ("filled", "?"),
]
"""What a record holds of an object before its mask, as numpy lays it out."""
COLORS_FIELD = ("colors", "u1", (COLOR_BINS,))
"""What the record of a part holds of an object after its mask; see `vidseg.tracking.looks`."""
MAX_RECORD_BYTES = 1 << 27
"""Room for 160,000 objects in a frame; a record that unpacks to more is refused."""
MAX_LINE_BYTES = 1 << 12
"""Room for a frame's line of JSON."""
MAX_MASK_SIDE = 512
"""Cells; Mask R-CNN's masks have 28."""
MAX_TRACK_ID = 2**31 - 1
"""What a record has room for."""
BOX_SLACK_PIXELS = 1
"""Boxes may leave the frame by this much: what is rounded or moved between keyframes may."""

SavedFrame = tuple[Moment | SeenFrame, Instances]
"""A frame without its image, in a part with its looks; and the objects found in it."""


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


def read_records(file: BinaryIO, path: Path) -> Iterator[Record]:
    """The complete records from the file's position on; leaves out a truncated one at its end.

    Raises InputError: a record is corrupted.
    """
    end = file.tell()
    while len(prefix := file.read(RECORD_PREFIX.size)) == RECORD_PREFIX.size:
        start, (length, checksum) = end, RECORD_PREFIX.unpack(prefix)
        end = start + RECORD_PREFIX.size + length
        try:
            if length > MAX_RECORD_BYTES:
                raise ValueError("it is too long")
            body = file.read(length)
            if len(body) < length and _is_truncated(body):
                return
            if zlib.crc32(body) != checksum:
                if not file.read(1):
                    return  # the last write of a machine that lost power
                raise ValueError("its checksum is wrong")
            frame, rows = _decompressed(body)
        except ValueError as error:
            raise corrupted(path, start, error) from error
        yield Record(frame, rows, start, end)


def corrupted(path: Path, offset: int, fault: object) -> InputError:
    """The error for a record that cannot be used."""
    return InputError(f"{path} is corrupted at byte {offset}: {fault}. Make it again.")


def _is_truncated(body: bytes) -> bool:
    """Whether `body` is the beginning of a record; if it is whole, its length was corrupted."""
    unpacker = zlib.decompressobj()
    try:
        unpacker.decompress(body, MAX_RECORD_BYTES)
    except zlib.error as error:
        raise ValueError("it cannot be unpacked") from error
    if unpacker.eof or unpacker.unconsumed_tail:
        raise ValueError("its length is wrong")
    return True


def _decompressed(body: bytes) -> tuple[dict[str, Any], bytes]:
    unpacker = zlib.decompressobj()
    try:
        record = unpacker.decompress(body, MAX_RECORD_BYTES)
    except zlib.error as error:
        raise ValueError("it cannot be unpacked") from error
    if not unpacker.eof or unpacker.unused_data:
        raise ValueError("it does not unpack to one record")
    line, newline, rows = record.partition(b"\n")
    if not newline or len(line) > MAX_LINE_BYTES:
        raise ValueError("its first line is missing")
    try:
        frame = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError("its first line is no JSON") from error
    if not isinstance(frame, dict):
        raise ValueError("its first line is no object")
    return frame, rows


def encode_record(frame: dict[str, Any], rows: bytes = b"") -> bytes:
    """A record as it is stored in the file."""
    compressor = zlib.compressobj(zlib.Z_BEST_COMPRESSION, strategy=zlib.Z_FILTERED)
    line = json.dumps(frame, separators=(",", ":")).encode() + b"\n"
    body = compressor.compress(line + rows) + compressor.flush()
    return RECORD_PREFIX.pack(len(body), zlib.crc32(body)) + body


def encode_frame(moment: Instant, instances: Instances, looks: Looks | None = None) -> bytes:
    """The record of one frame; that of a part holds its looks too."""
    side = instances.masks.shape[-1]
    frame = {
        "index": moment.index,
        "time": str(moment.time),
        "duration": str(moment.duration),
        "size": list(instances.size),
        "side": side,
    }
    if looks is not None:
        frame["cut"] = looks.cut
    rows = np.zeros(len(instances), _object_dtype(side, looks=looks is not None))
    rows["box"], rows["score"] = instances.boxes, instances.scores
    rows["label"], rows["id"], rows["filled"] = instances.labels, instances.ids, instances.filled
    down = np.diff(instances.masks, axis=1, prepend=np.uint8(0))
    rows["mask"] = np.diff(down, axis=2, prepend=np.uint8(0))
    if looks is not None:
        rows["colors"] = looks.colors
    return encode_record(frame, rows.tobytes())


def decode_frame(record: Record, header: Header, path: Path) -> SavedFrame:
    """The frame and objects of a record.

    Raises InputError: they are not what a run with this header writes.
    """
    try:
        moment, instances = _decoded(record, header)
        check_objects(instances, header)
    except (ValueError, KeyError) as error:
        fault = f"it has no {error}" if isinstance(error, KeyError) else f"it {error}"
        raise corrupted(path, record.start, fault) from error
    return moment, instances


def check_end(record: Record, frames: int, file: BinaryIO, path: Path) -> None:
    """Raises InputError: `record` does not end a file of that many frames, or more follows."""
    if record.frame != {"end": True, "frames": frames} or record.rows:
        raise corrupted(path, record.start, f"it holds {frames} frames but says otherwise")
    if file.read(1):
        raise corrupted(path, record.end, "data follows its end")


def check_objects(instances: Instances, header: Header) -> None:
    """Raises ValueError: half a sentence about what no run with this header finds."""
    height, width = instances.size
    if header.source["kind"] != "folder" and [height, width] != header.source["size"]:
        raise ValueError(f"has a frame of {width} x {height} pixels, unlike its video")
    boxes, far = instances.boxes, BOX_SLACK_PIXELS
    if not np.isfinite(boxes).all() or (boxes[:, :2] > boxes[:, 2:]).any():
        raise ValueError("has a box that is none")
    if (boxes < -far).any() or (boxes[:, 2:] > (width + far, height + far)).any():
        raise ValueError("has a box outside its frame")
    if not ((instances.scores >= 0) & (instances.scores <= 1)).all():
        raise ValueError("has a score that is not between 0 and 1")
    if not np.isin(instances.labels, list(header.classes)).all():
        raise ValueError("has an object of an unknown class")
    if not ((instances.ids >= UNTRACKED) & (instances.ids <= MAX_TRACK_ID)).all():
        raise ValueError(f"has a track id that is not between 0 and {MAX_TRACK_ID}")


def _decoded(record: Record, header: Header) -> SavedFrame:
    frame = record.frame
    index = check_integer("index", frame["index"], 0)
    time = check_fraction("time", frame["time"])
    duration = check_fraction("duration", frame["duration"])
    size = check_frame_size(frame["size"])
    side, cut = check_integer("mask side", frame["side"], 1, MAX_MASK_SIDE), frame.get("cut")
    if not isinstance(cut, bool | None):
        raise ValueError("has a cut that is neither true nor false")
    dtype = _object_dtype(side, looks=cut is not None)
    if len(record.rows) % dtype.itemsize:
        raise ValueError("ends in the middle of an object")
    rows = np.frombuffer(record.rows, dtype)
    moment = Moment(index, time, duration)
    if cut is not None:
        moment = seen_frame(index, time, duration, size, Looks(cut, rows["colors"].copy()))
    return moment, Instances(
        boxes=rows["box"].astype(np.float32),
        masks=rows["mask"].cumsum(1, np.uint8).cumsum(2, np.uint8),
        scores=rows["score"].astype(np.float32),
        labels=rows["label"].astype(np.int64),
        ids=rows["id"].astype(np.int64),
        size=size,
        filled=rows["filled"].view(np.uint8) != 0,
        names=header.classes,
    )


def _object_dtype(side: int, *, looks: bool = False) -> np.dtype[np.void]:
    colors = [COLORS_FIELD] if looks else []
    return np.dtype([*OBJECT_FIELDS, ("mask", "u1", (side, side)), *colors])
