"""A bare H.264 stream whose frames are coded as two fields, which libx264 cannot write.

Macroblocks are I_PCM, so that no encoder is needed. Section numbers are those of ITU-T H.264.
"""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from tests.support.scenes import scene_image

DELIMITER = b"\0\0\0\1\x09\x10"
KEY_INTERVAL = 8
Plane = NDArray[np.uint8]


class BitWriter:
    """Bits of a NAL unit."""

    def __init__(self) -> None:
        self._bits: list[int] = []

    def u(self, value: int, count: int = 1) -> None:
        self._bits += [value >> place & 1 for place in range(count - 1, -1, -1)]

    def ue(self, *values: int) -> None:
        for value in values:
            length = (value + 1).bit_length()
            self.u(value + 1, 2 * length - 1)

    def samples(self, data: Plane) -> None:
        """Aligned samples; 0 is no sample of I_PCM in CAVLC."""
        self.u(0, -len(self._bits) % 8)
        self._bits += np.unpackbits(np.maximum(data, 1)).tolist()

    def unit(self, reference: int, kind: int) -> bytes:
        """The NAL unit with emulation prevention (section 7.4.1)."""
        self.u(1)
        self.u(0, -len(self._bits) % 8)
        out, zeros = bytearray([reference << 5 | kind]), 0
        for byte in np.packbits(np.array(self._bits, np.uint8)).tolist():
            if zeros >= 2 and byte <= 3:
                out.append(3)
                zeros = 0
            out.append(byte)
            zeros = zeros + 1 if byte == 0 else 0
        return b"\0\0\0\1" + bytes(out)


def parameters(width: int, height: int, rate: int) -> bytes:
    """Sequence and picture parameter sets: fields allowed, no reordering."""
    sps = BitWriter()
    for value in (77, 0, 30):
        sps.u(value, 8)
    sps.ue(0, 0, 0, 4, 1)
    sps.u(0)
    sps.ue(width // 16 - 1, height // 32 - 1)
    for flag in (0, 0, 1, 0, 1, 0, 0, 0, 0, 1):
        sps.u(flag)
    for value in (1, 2 * rate):
        sps.u(value, 32)
    for flag in (1, 0, 0, 1, 1, 1):
        sps.u(flag)
    sps.ue(0, 0, 16, 16, 0, 1)
    pps = BitWriter()
    pps.ue(0, 0)
    pps.u(0, 2)
    pps.ue(0, 0, 0)
    pps.u(0, 3)
    pps.ue(0, 0, 0)
    pps.u(4, 3)
    return sps.unit(3, 7) + pps.unit(3, 8)


def field(planes: list[Plane], number: int, bottom: bool) -> bytes:
    """A slice that holds one field of frame `number`, of `planes` (luma, blue, red)."""
    within = number % KEY_INTERVAL
    key = within == 0 and not bottom
    out = BitWriter()
    out.ue(0, 7, 0)
    out.u(within, 4)
    out.u(1)
    out.u(int(bottom))
    if key:
        out.ue(number // KEY_INTERVAL % 2)
    out.u(2 * within + bottom, 8)
    out.u(0, 2 if key else 1)
    out.ue(0, 1)
    luma, blue, red = planes
    for row in range(luma.shape[0] // 16):
        for column in range(luma.shape[1] // 16):
            out.ue(25)
            y, c = np.s_[16 * row :, 16 * column :], np.s_[8 * row :, 8 * column :]
            blocks = luma[y][:16, :16], blue[c][:8, :8], red[c][:8, :8]
            out.samples(np.concatenate([block.ravel() for block in blocks]))
    return out.unit(3, 5 if key else 1)


def fields_of(images: Iterable[Plane], rate: int) -> list[bytes]:
    """Two fields a picture, each an access unit."""
    found = []
    for number, image in enumerate(images):
        height, width = image.shape[:2]
        frame = av.VideoFrame.from_ndarray(image, "rgb24").reformat(format="yuv420p")
        data = np.asarray(frame.to_ndarray(), np.uint8)
        chroma = data[height:].reshape(2, height // 2, width // 2)
        planes = [data[:height], *chroma]
        head = parameters(width, height, rate) if number % KEY_INTERVAL == 0 else b""
        top = [plane[0::2] for plane in planes]
        found += [DELIMITER + head + field(top, number, bottom=False)]
        found += [DELIMITER + field([plane[1::2] for plane in planes], number, bottom=True)]
    return found


def write_fields(path: Path, *, count: int = 12, rate: int = 25, stamps: int = 2) -> Path:
    """A file with `count` frames and `stamps` timestamps for each, 1 or 2.

    In a transport stream libavformat hands out a packet for each field.
    """
    fields = fields_of((scene_image(number) for number in range(count)), rate)
    bare = path.with_name("bare.h264")
    bare.write_bytes(b"".join(fields))
    if stamps == 1:
        first, second = fields[0::2], fields[1::2]
        units = [a + b[len(DELIMITER) :] for a, b in zip(first, second, strict=True)]
    else:
        units = fields
    tick = Fraction(90000, rate * stamps)
    with av.open(str(bare)) as read, av.open(str(path), "w") as write:
        stream = write.add_stream_from_template(read.streams.video[0])
        for number, unit in enumerate(units):
            packet = av.Packet(unit)
            packet.stream, packet.time_base = stream, Fraction(1, 90000)
            packet.pts = packet.dts = 27000 + round(number * tick)
            packet.duration = round(tick)
            packet.is_keyframe = number % (KEY_INTERVAL * stamps) == 0
            write.mux(packet)
    return path
