"""FFV1: the checksum at the end of every slice, which ffmpeg's decoder reads and passes over."""

from vidseg.video.damage._ogg import checksum

TRAILER = 8
"""Bytes after a slice: 3 of size, 1 of status, 4 of checksum (RFC 9043 section 4.9)."""


class SliceChecks:
    """Which packets of a stream are damaged; it trusts checksums once a packet had good ones."""

    def __init__(self) -> None:
        self._known = False

    def fail(self, packet: bytes) -> bool:
        """Whether checksums are known to be there, and one of `packet` is wrong."""
        sound = _is_sound(packet)
        self._known |= sound
        return self._known and not sound


def _is_sound(packet: bytes) -> bool:
    """Whether slices with right checksums fill the packet; they are found from its end on."""
    end = len(packet)
    while end > TRAILER:
        start = end - TRAILER - int.from_bytes(packet[end - 8 : end - 5], "big")
        if start < 0 or checksum(packet[start:end]) != 0:
            return False
        end = start
    return end == 0
