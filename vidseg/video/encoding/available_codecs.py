"""Which codecs this machine reads and writes."""

from typing import Literal

from av.codec import Codec

from vidseg.video.codecs import AUTO, CODECS, choose_codec
from vidseg.video.encoding._hardware_encoders import can_encode

READ_CODECS = ("h264", "hevc", "vp8", "vp9", "av1", "prores", "mpeg4", "mpeg2video", "mjpeg")
"""Names that ffmpeg gives the video codecs of most files."""
TRIAL_SIZE = (256, 256)
"""(height, width) of the frame that a hardware encoder is tried with."""


def written_codecs() -> dict[str, bool]:
    """Codec of --codec to whether this PyAV has its encoder."""
    return {name: _has(codec.encoder, "w") for name, codec in CODECS.items()}


def read_codecs() -> dict[str, bool]:
    """Codec of `READ_CODECS` to whether this PyAV decodes it."""
    return {name: _has(name, "r") for name in READ_CODECS}


def encodes_on_a_card() -> bool:
    """Whether `--codec auto` encodes H.264 on a graphics card of this machine."""
    return can_encode(choose_codec("trial.mp4", AUTO), TRIAL_SIZE)


def _has(name: str, mode: Literal["r", "w"]) -> bool:
    try:
        Codec(name, mode)
    except ValueError:  # av.codec.UnknownCodecError
        return False
    return True
