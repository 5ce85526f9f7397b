"""The times of all frames of an MP4 or MOV file from its index, without reading any frame.

libavformat hands out decoding times and keyframes of its index, with edit lists applied. Durations
and composition offsets are missing; they are read here (ISO/IEC 14496-12 section 8.6.1).
"""

from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from vidseg.video.demuxing._frame_index import FrameIndex, Ticks
from vidseg.video.demuxing.mp4_boxes import Box, boxes
from vidseg.video.demuxing.packets import VideoPacket

MAX_TRACKS = 1024
KEYFRAME, DISCARDED = 1, 2
"""Flags of an index entry (AVINDEX_KEYFRAME and AVINDEX_DISCARD_FRAME of avformat.h)."""


def read_mp4_index(
    path: Path, container: InputContainer, stream: VideoStream, first: VideoPacket
) -> FrameIndex | None:
    """The index, checked against the `first` packet; None if it does not tell all times.

    That is so in other containers, in fragmented files, and where edits repeat or drop frames.
    """
    if "mov" not in container.format.name.split(","):
        return None
    entries = stream.index_entries
    count = len(entries)
    tables = _time_tables(path, stream.id, count) if count else None
    if tables is None or first.pts is None or first.dts is None:
        return None
    durations, offsets = tables
    dts = np.fromiter((entry.timestamp for entry in entries), np.int64, count)
    flags = np.fromiter((entry.flags for entry in entries), np.int64, count)
    place = int(np.searchsorted(dts, first.dts))
    if place >= len(dts) or dts[place] != first.dts:
        return None
    pts = dts + offsets
    shown = (flags & DISCARDED) == 0
    return FrameIndex(
        pts=pts + (first.pts - pts[place]),
        durations=with_shown_end(pts, durations, shown),
        keys=(flags & KEYFRAME) != 0,
        shown=shown,
    )


def with_shown_end(pts: Ticks, durations: Ticks, shown: NDArray[np.bool_]) -> Ticks:
    """The durations, with that of the frame shown last in the order of display.

    They are steps in decoding order. At a variable rate, the step after a frame that is decoded
    early is not the time it is shown; but the sum of all is the time of all.
    """
    if not shown.any():
        return durations
    last = int(np.flatnonzero(shown)[pts[shown].argmax()])
    left = int(pts[shown].min() + durations[shown].sum() - pts[last])
    if 0 < left < durations[last]:
        durations[last] = left
    return durations


def _time_tables(path: Path, track: int, count: int) -> tuple[Ticks, Ticks] | None:
    """Duration, and display minus decoding time, of each of `count` samples of a track.

    None if the file holds other samples than its index lists.
    """
    with path.open("rb") as file:
        movie = next((b for b in boxes(file, 0, path.stat().st_size) if b.kind == b"moov"), None)
        inside = list(islice(boxes(file, movie.start, movie.end), MAX_TRACKS)) if movie else []
        if any(box.kind == b"mvex" for box in inside):  # fragments follow
            return None
        for trak in inside:
            if trak.kind == b"trak" and _track_number(file, trak) == track:
                durations = _expanded(file, trak, b"stts", count)
                offsets = _expanded(file, trak, b"ctts", count)
                return None if durations is None or offsets is None else (durations, offsets)
    return None


def _track_number(file: BinaryIO, trak: Box) -> int | None:
    header = _descend(file, trak, b"tkhd")
    if header is None:
        return None
    file.seek(header.start)
    data = file.read(24).ljust(24, b"\0")
    return int.from_bytes(data[20:24] if data[0] == 1 else data[12:16], "big")


def _expanded(file: BinaryIO, trak: Box, kind: bytes, count: int) -> Ticks | None:
    """The value for each sample of a table of runs; zeros if there is no table."""
    table = _descend(file, trak, b"mdia", b"minf", b"stbl", kind)
    if table is None:
        return np.zeros(count, np.int64)
    file.seek(table.start + 8)
    runs = np.frombuffer(file.read(min(table.end - table.start - 8, 8 * count)), ">i4")
    lengths, values = runs[: len(runs) // 2 * 2].reshape(-1, 2).T
    if (lengths < 0).any() or lengths.sum(dtype=np.int64) != count:
        return None
    return np.repeat(values.astype(np.int64), lengths)


def _descend(file: BinaryIO, box: Box, *kinds: bytes) -> Box | None:
    found: Box | None = box
    for kind in kinds:
        inner = boxes(file, found.start, found.end) if found else iter(())
        found = next((child for child in inner if child.kind == kind), None)
    return found
