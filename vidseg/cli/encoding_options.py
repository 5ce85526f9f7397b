"""Options for how videos are encoded, as a decorator that collects them in one value."""

from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from vidseg.cli.option import Command, option

if TYPE_CHECKING:
    from vidseg.video.codecs import Depth

DEPTH_BITS: "dict[str, Depth | None]" = {"auto": None, "8": 8, "10": 10}
"""What --depth takes, as bits per channel; None leaves it to the input and the codec."""


@dataclass(frozen=True, slots=True)
class Quality:
    """How to encode; None leaves it to the container's default."""

    codec: str | None
    crf: int | None
    preset: str | None
    depth: "Depth | None" = None


def encoding_options(command: Command) -> Command:
    """How to encode a video: gives `quality`, a `Quality`."""

    @option(
        "--codec",
        show_default="by the name of OUT",
        help="Video codec: h264, hevc, vp9, av1, prores or gif; auto encodes H.264 on an NVIDIA "
        "card if there is one.",
    )
    @option(
        "--crf",
        type=int,
        show_default="18 for H.264",
        help="Constant quality: lower is better, and makes larger files.",
    )
    @option(
        "--preset",
        show_default="veryfast for H.264",
        help="Speed preset of the encoder, by its own name.",
    )
    @option(
        "--depth",
        type=click.Choice(list(DEPTH_BITS)),
        default="auto",
        help="Bits per channel: auto keeps 10 bits and HDR of the input with hevc, av1, prores.",
    )
    @wraps(command)
    def wrapper(
        *, codec: str | None, crf: int | None, preset: str | None, depth: str, **others: Any
    ) -> Any:
        return command(quality=Quality(codec, crf, preset, DEPTH_BITS[depth]), **others)

    return wrapper
