"""What a container announces about its own length, compared with what is there."""

from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path

from av.container import InputContainer
from av.video.stream import VideoStream

from vidseg.video.damage import _avi
from vidseg.video.demuxing.avi import is_avi
from vidseg.video.demuxing.container import READ_ERRORS, open_container, time_base
from vidseg.video.demuxing.ebml import EBML_MAGIC, announced_end
from vidseg.video.demuxing.file_bytes import FileBytes
from vidseg.video.demuxing.mp4_boxes import boxes

MAX_EARLY_END = Fraction(1, 2)
"""Seconds by which intact files may end before the duration they announce."""
DURATION_FORMATS = ("mov", "matroska", "flv", "avi", "asf")
"""Containers whose header tells the duration; for others, libavformat guesses it."""

TS_SYNC = 0x47
TS_PACKET_BYTES = (188, 192, 204)
"""Bytes of a packet: plain, with a time in front (M2TS), with a checksum behind."""


def truncation(
    path: Path, container: InputContainer, stream: VideoStream, end: Fraction, rate: Fraction
) -> str:
    """What shows that the file was cut off, as part of a sentence; "" if nothing does.

    `end` is that of the last frame of the video, in seconds of the container's clock; `rate` in
    frames a second.
    """
    announced, size = _announced_bytes(path, container), path.stat().st_size
    if announced is not None and announced > size:
        return f"it was cut off after {size} of {announced} bytes"
    names = container.format.name.split(",")
    if is_avi(container.format.name):
        return _missing_chunks(path, stream, end)
    if container.duration is None or not any(name in names for name in DURATION_FORMATS):
        return ""
    promised = Fraction(container.duration, 1_000_000)
    early = promised - max(MAX_EARLY_END, 2 / rate)
    if end < early and (end := max(end, _end_of_all_streams(path, end))) < early:
        return f"it ends at {float(end):.3g} s and announces {float(promised):.3g} s"
    return ""


def _missing_chunks(path: Path, stream: VideoStream, end: Fraction) -> str:
    """AVI announces its frames; empty chunks at the end repeat the last frame."""
    announced, found = stream.duration or 0, round(end / time_base(stream))
    if found >= announced:
        return ""
    with closing(FileBytes(path)) as data:
        found = max(found, _avi.chunks_of_stream(data, stream.index))
    return f"it ends after {found} of {announced} frames" if found < announced else ""


def _end_of_all_streams(path: Path, after: Fraction) -> Fraction:
    """Where the last packet of any stream ends; reads on from the time `after`. Seconds."""
    end = Fraction(0)
    try:
        with open_container(path) as container:
            container.seek(max(int(after * 1_000_000), 0))
            for packet in container.demux():
                time = packet.pts if packet.pts is not None else packet.dts
                if packet.size and time is not None:
                    ticks = time + (packet.duration or 0)
                    end = max(end, ticks * time_base(packet.stream))
    except READ_ERRORS:
        pass  # what was read so far counts
    return end


def _announced_bytes(path: Path, container: InputContainer) -> int | None:
    """The size that MP4, Matroska or AVI announce, or that a whole last packet of TS would give."""
    with closing(FileBytes(path)) as data:
        start = data.read(0, 12)
        if start[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"styp"):
            return max(_mp4_ends(path, container), default=None)
        if start[:4] == EBML_MAGIC:
            return announced_end(data)
        if start[:4] == b"RIFF":  # some writers count the 8 bytes of this header too
            return int.from_bytes(start[4:8], "little")
        return _end_of_whole_packets(data)


def _mp4_ends(path: Path, container: InputContainer) -> Iterator[int]:
    """Where each top-level box ends, and the last sample of each stream by the index."""
    with path.open("rb") as file:
        yield from (box.end for box in boxes(file, 0, path.stat().st_size))
    for stream in container.streams:
        entries = stream.index_entries
        if len(entries):
            yield entries[-1].pos + entries[-1].size


def _end_of_whole_packets(data: FileBytes) -> int | None:
    """The size of a transport stream if its last packet were whole (ISO/IEC 13818-1)."""
    head = data.read(0, 6 * max(TS_PACKET_BYTES))
    for size in TS_PACKET_BYTES:
        start = next((at for at in range(size) if _is_in_sync(head, at, size)), None)
        left = (len(data) - start) % size if start is not None else 0
        sync = bytes([TS_SYNC])
        if 0 < left < TS_PACKET_BYTES[0] and data.read(len(data) - left, len(data))[:1] == sync:
            return len(data) - left + TS_PACKET_BYTES[0]
    return None


def _is_in_sync(head: bytes, at: int, size: int) -> bool:
    places = range(at, at + 5 * size, size)
    return len(head) > places[-1] and all(head[place] == TS_SYNC for place in places)
