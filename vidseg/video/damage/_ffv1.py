"""FFV1: the checksum at the end of every slice, which ffmpeg's decoder reads and ignores."""

import zlib

TRAILER_BYTES = 8
"""Bytes after a slice: 3 of size, 1 of status, 4 of checksum (RFC 9043 section 4.9)."""
_MIRRORED_BYTES = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class SliceChecksums:
    """Which packets of a stream are damaged; checksums count once a packet had correct ones."""

    def __init__(self) -> None:
        self._exist = False

    def fail(self, packet: bytes) -> bool:
        """Whether the stream is known to have checksums, and one of `packet` is wrong."""
        intact = _is_intact(packet)
        self._exist |= intact
        return self._exist and not intact


def _is_intact(packet: bytes) -> bool:
    """Whether slices with correct checksums fill the packet; they are found from its end on."""
    end = len(packet)
    while end > TRAILER_BYTES:
        start = end - TRAILER_BYTES - int.from_bytes(packet[end - 8 : end - 5], "big")
        if start < 0 or checksum(packet[start:end]) != 0:
            return False
        end = start
    return end == 0


def checksum(data: bytes) -> int:
    """CRC-32 from the highest bit down, starting at 0 and not inverted: zlib's, mirrored."""
    mirrored = zlib.crc32(data.translate(_MIRRORED_BYTES), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)
