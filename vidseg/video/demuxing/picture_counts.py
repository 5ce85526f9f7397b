"""How many frames a packet begins: mostly one, but there are fields, hidden and empty pictures."""

import re
from collections.abc import Callable, Iterator

from av.video.stream import VideoStream

from vidseg.video.demuxing._bits import BitReader
from vidseg.video.demuxing.packets import VideoPacket

PictureCounter = Callable[[VideoPacket], int]
"""Frames that a decoder will show for a packet; packets must come in order."""

HEADER_BYTES = 64
"""Bytes at the start of a slice or VOP that hold all of the header that is read here."""


def picture_counter(stream: VideoStream) -> PictureCounter:
    """The counter for a stream; frames outside the edit list of an MP4 count 0."""
    codec = stream.codec.canonical_name
    if codec == "vp8":
        return _count_vp8
    if codec == "mpeg4":
        return _Mpeg4Counter(stream.codec_context.extradata or b"")
    if codec == "h264":
        fields = _FieldCounter(stream.codec_context.extradata or b"")
        return fields if fields.interlaced else _count_any
    return _count_any


def needs_packets(stream: VideoStream) -> bool:
    """Whether frames can only be counted by looking into the packets."""
    return picture_counter(stream) is not _count_any


def _count_any(packet: VideoPacket) -> int:
    return int(packet.size > 0 and not packet.is_discard)


def _count_vp8(packet: VideoPacket) -> int:
    """RFC 6386 section 9.1: bit 4 is show_frame."""
    return int(_count_any(packet) and bool(bytes(packet)[0] & 0x10))


class _Mpeg4Counter:
    """MPEG-4 part 2 (ISO/IEC 14496-2 section 6.2): XviD's "not coded" pictures show nothing.

    A packet may hold several pictures (DivX's packed bitstream).
    """

    def __init__(self, extradata: bytes) -> None:
        self._time_bits: int | None = None
        self._note_layer(extradata)

    def __call__(self, packet: VideoPacket) -> int:
        if not _count_any(packet):
            return 0
        data = bytes(packet)
        self._note_layer(data)
        return sum(self._is_coded(data[at + 4 : at + 20]) for at in _starts(data, b"\0\0\1\xb6"))

    def _note_layer(self, data: bytes) -> None:
        """Video object layer: the size of the time in each picture's header."""
        layer = re.search(rb"\x00\x00\x01[\x20-\x2f]", data)
        if layer is None:
            return
        bits = BitReader(data[layer.end() : layer.end() + HEADER_BYTES])
        bits.u(1 + 8)
        if bits.u(1):  # is_object_layer_identifier
            bits.u(4 + 3)
        if bits.u(4) == 15:  # extended pixel aspect
            bits.u(8 + 8)
        if bits.u(1):  # vol_control_parameters
            bits.u(2 + 1)
            if bits.u(1):  # vbv_parameters
                bits.u(79)
        bits.u(2 + 1)
        self._time_bits = max(1, (bits.u(16) - 1).bit_length())

    def _is_coded(self, header: bytes) -> bool:
        if self._time_bits is None:
            return True
        bits = BitReader(header)
        bits.u(2)
        for _ in range(8 * len(header)):
            if not bits.u(1):  # modulo_time_base ends
                break
        bits.u(1 + self._time_bits + 1)
        return bool(bits.u(1))


class _FieldCounter:
    """H.264 whose pictures may be coded as two fields, which some containers keep in two packets.

    Names are those of ITU-T H.264 section 7.3.
    """

    def __init__(self, extradata: bytes) -> None:
        self.interlaced = False
        """Frames may be coded as fields: frame_mbs_only_flag is 0."""
        self._may_be_field = False
        """`interlaced`, for the frames of the current parameters."""
        self._frame_num_bits = 4
        self._color_planes = False
        self._first_field: int | None = None
        """Parity of a field that waits for its second one."""
        self._length_bytes = 0
        """Bytes of the length before each NAL unit (avcC); 0 for start codes (Annex B)."""
        if extradata[:1] == b"\1" and len(extradata) > 8:
            self._length_bytes = (extradata[4] & 3) + 1
            self._note_sps(extradata[8:])
        else:
            for unit in self._units(extradata):
                self._note(unit)

    def __call__(self, packet: VideoPacket) -> int:
        if packet.size == 0:
            return 0
        frames = 0
        for unit in self._units(bytes(packet)):
            if self._note(unit) and unit[1] & 0x80:  # first_mb_in_slice is 0: a picture begins
                frames += self._begins_frame(unit)
        return 0 if packet.is_discard else frames

    def _units(self, data: bytes) -> Iterator[bytes]:
        """The start of each NAL unit."""
        if not self._length_bytes:
            for at in _starts(data, b"\0\0\1"):
                yield data[at + 3 : at + 3 + HEADER_BYTES]
            return
        at = 0
        while at + self._length_bytes < len(data):
            size = int.from_bytes(data[at : at + self._length_bytes], "big")
            at += self._length_bytes
            yield data[at : at + min(size, HEADER_BYTES)]
            at += size

    def _note(self, unit: bytes) -> bool:
        """Whether `unit` is a slice; parameters are kept."""
        kind = unit[0] & 0x1F if len(unit) > 1 else 0
        if kind == 7:
            self._note_sps(unit)
        return kind in (1, 2, 5)

    def _note_sps(self, unit: bytes) -> None:
        """seq_parameter_set_data, section 7.3.2.1.1."""
        bits = BitReader(_unescaped(unit[1:]))
        profile = bits.u(8)
        bits.u(16)
        bits.ue()
        self._color_planes = False
        if profile in (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135):
            self._skip_high_profile(bits)
        self._frame_num_bits = bits.ue() + 4
        order = bits.ue()
        if order == 0:
            bits.ue()
        elif order == 1:
            bits.u(1)
            for _ in range(2):
                bits.se()
            for _ in range(min(bits.ue(), 255)):
                bits.se()
        bits.ue()
        bits.u(1)
        bits.ue()
        bits.ue()
        self._may_be_field = not bits.u(1)
        self.interlaced |= self._may_be_field

    def _skip_high_profile(self, bits: BitReader) -> None:
        chroma = bits.ue()
        if chroma == 3:
            self._color_planes = bool(bits.u(1))
        bits.ue()
        bits.ue()
        bits.u(1)
        if bits.u(1):  # seq_scaling_matrix_present_flag
            for index in range(12 if chroma == 3 else 8):
                if bits.u(1):
                    _skip_scaling_list(bits, 16 if index < 6 else 64)

    def _begins_frame(self, unit: bytes) -> bool:
        """Slice header, section 7.3.3: False for the second field of a frame."""
        bits = BitReader(_unescaped(unit[1:]))
        for _ in range(3):
            bits.ue()
        bits.u(2 * self._color_planes + self._frame_num_bits)
        is_field = self._may_be_field and bits.u(1)
        parity = bits.u(1) if is_field else None
        if is_field and self._first_field is not None and parity != self._first_field:
            self._first_field = None
            return False
        self._first_field = parity
        return True


def _skip_scaling_list(bits: BitReader, size: int) -> None:
    """ITU-T H.264 section 7.3.2.1.1.1."""
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.se()) % 256
        last = following or last


def _unescaped(unit: bytes) -> bytes:
    """Without emulation prevention (ITU-T H.264 section 7.4.1)."""
    return unit.replace(b"\0\0\3", b"\0\0")


def _starts(data: bytes, code: bytes) -> Iterator[int]:
    at = data.find(code)
    while at >= 0:
        yield at
        at = data.find(code, at + len(code))
