"""Which codecs each container holds, and how `crf` and `preset` translate to encoder options."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from vidseg.errors import OptionError

OutputKind = Literal["video", "animation", "photo", "folder"]
"""What a target is: a video, a GIF, one photo, or a folder of photos."""

ALPHA_PHOTO_SUFFIXES = (".png", ".webp", ".tiff", ".tif")
"""Suffixes of photo formats with an alpha channel."""
PHOTO_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tiff", ".tif")
"""Suffixes of photo formats that can be written."""
Depth = Literal[8, 10]
"""Bits per channel."""
ENCODER_PRESETS = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow",
)  # fmt: skip
"""x264's preset names, fastest first; the speed settings of other encoders are mapped to them."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the frames of an output are encoded."""

    output: OutputKind
    container: str = ""
    """ffmpeg's name for the container format; empty for photos."""
    codec: str = ""
    """The name that users give: h264, hevc, vp9, av1, prores, gif."""
    encoder: str = ""
    """ffmpeg's name for the encoder."""
    pixel_format: str = "yuv420p"
    deep_pixel_format: str = ""
    """The pixel format for 10 bits per channel; empty for codecs that are written with 8."""
    depth: Depth | None = None
    """Bits per channel of the output; None for those of the source, if the codec has them."""
    options: Mapping[str, str] = field(default_factory=dict)
    tag: str | None = None
    """Four-character code for MP4 and MOV where some players reject ffmpeg's default."""
    alpha: bool = False
    """Whether frames are (H, W, 4) RGBA with straight alpha, and transparency is kept."""
    fallback: "Encoding | None" = None
    """What replaces this encoding on machines that lack the encoder."""


@dataclass(frozen=True, slots=True)
class _Codec:
    encoder: str
    crf: int | None
    """The default quality; None for codecs without one."""
    max_crf: int
    presets: Mapping[str, Mapping[str, str]]
    """Maps a preset name to options of the encoder."""
    default_preset: str
    pixel_format: str = "yuv420p"
    deep_pixel_format: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    tag: str | None = None
    crf_option: str = "crf"
    """What the encoder calls its quality option."""


def _x26x_presets() -> dict[str, dict[str, str]]:
    return {name: {"preset": name} for name in ENCODER_PRESETS}


def _speed_presets(option: str, speeds: tuple[int, ...]) -> dict[str, dict[str, str]]:
    return {name: {option: str(speed)} for name, speed in zip(ENCODER_PRESETS, speeds, strict=True)}


CODECS: Mapping[str, _Codec] = {
    "h264": _Codec("libx264", 18, 51, _x26x_presets(), "veryfast"),
    "hevc": _Codec(
        "libx265", 20, 51, _x26x_presets(), "veryfast",
        deep_pixel_format="yuv420p10le",
        options={"x265-params": "log-level=none"}, tag="hvc1",
    ),
    "vp9": _Codec(
        "libvpx-vp9", 24, 63, _speed_presets("cpu-used", (8, 7, 6, 5, 4, 3, 2, 1, 0)), "veryfast",
        options={"b": "0", "deadline": "good", "row-mt": "1"},
    ),
    "av1": _Codec(
        "libsvtav1", 26, 63, _speed_presets("preset", (12, 11, 10, 9, 8, 6, 5, 4, 3)), "veryfast",
        deep_pixel_format="yuv420p10le",
    ),
    "prores": _Codec(
        "prores_ks", None, 0,
        {name: {"profile": name} for name in ("proxy", "lt", "standard", "hq")}, "hq",
        pixel_format="yuv422p10le", deep_pixel_format="yuv422p10le", options={"vendor": "apl0"},
    ),
    "gif": _Codec("gif", None, 0, {}, "", pixel_format="pal8"),
}  # fmt: skip

NVENC = _Codec(
    "h264_nvenc", 19, 51,
    {name: {"preset": f"p{max(1, n)}"} for n, name in enumerate(ENCODER_PRESETS, start=-1)},
    "medium",
    options={"rc": "vbr", "b": "0", "tune": "hq", "profile": "high"}, crf_option="cq",
)  # fmt: skip
"""H.264 on NVIDIA graphics cards, at constant quality and without a bitrate limit."""

AUTO = "auto"
"""Codec name for the default of the container, encoded by `NVENC` if the machine has it."""

ALPHA_CODECS: Mapping[str, _Codec] = {
    "prores": _Codec(
        "prores_ks", None, 0, {name: {"profile": name} for name in ("4444", "4444xq")}, "4444",
        pixel_format="yuva444p10le", deep_pixel_format="yuva444p10le", options={"vendor": "apl0"},
    ),
    "vp9": replace(CODECS["vp9"], pixel_format="yuva420p"),
}  # fmt: skip
"""Codecs with an alpha channel, in the variant that has it."""

ALIASES = {
    "libx264": "h264", "x264": "h264", "avc": "h264",
    "libx265": "hevc", "x265": "hevc", "h265": "hevc",
    "libvpx-vp9": "vp9", "libsvtav1": "av1", "prores_ks": "prores",
}  # fmt: skip

CONTAINERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    ".mp4": ("mp4", ("h264", "hevc", "av1", "vp9")),
    ".m4v": ("mp4", ("h264", "hevc")),
    ".mov": ("mov", ("h264", "hevc", "prores")),
    ".mkv": ("matroska", ("h264", "hevc", "vp9", "av1", "prores")),
    ".webm": ("webm", ("vp9", "av1")),
    ".gif": ("gif", ("gif",)),
}
"""Maps a suffix to ffmpeg's format name and the codecs allowed in it, the default first."""

ALPHA_CONTAINERS = {".mov": ("prores",), ".webm": ("vp9",), ".mkv": ("vp9", "prores")}
"""Maps a suffix to its codecs with transparency, the default first. MP4 loses the alpha of VP9."""


def output_kind(path: str | Path) -> OutputKind:
    """The kind of output that a name asks for; a name without a suffix is a folder of photos.

    Raises OptionError for a suffix that cannot be written.
    """
    suffix = Path(path).suffix.lower()
    if suffix in CONTAINERS:
        return "animation" if suffix == ".gif" else "video"
    if suffix in PHOTO_SUFFIXES:
        return "photo"
    if not suffix or Path(path).is_dir():
        return "folder"
    known = ", ".join((*CONTAINERS, *PHOTO_SUFFIXES))
    raise OptionError(
        f"{Path(path).name!r} has a suffix that cannot be written; use one of {known}."
    )


def choose_codec(
    path: str | Path,
    codec: str | None = None,
    crf: int | None = None,
    preset: str | None = None,
    *,
    alpha: bool = False,
    depth: Depth | None = None,
) -> Encoding:
    """The encoding for a target of this name; None takes the default of the container or codec.

    `codec` "auto" is the default codec too, but H.264 is encoded on an NVIDIA card if there is one,
    unless `crf` is 0, which is lossless in x264 only.
    `crf` is the quality scale of the encoder, lower is better. `preset` is an x264 preset name for
    every codec except ProRes, where it is the profile (proxy, lt, standard, hq; with `alpha` 4444
    and 4444xq). `alpha` asks for an output that keeps transparency. `depth` is 8 or 10 bits per
    channel; None keeps 10 bits of the source, and its HDR, where the codec has them (hevc, av1,
    prores).

    Raises OptionError for an unknown codec or preset, a codec that the container does not hold, a
    `crf` out of range, a name or codec without an alpha channel where `alpha` is set, and 10 bits
    for a codec that has 8.
    """
    output = output_kind(path)
    suffix = Path(path).suffix.lower()
    is_auto = codec is not None and codec.lower() == AUTO
    codec = None if is_auto else codec
    if output in ("photo", "folder"):
        _reject_photo_options(codec, crf, preset, depth)
        if alpha and output == "photo" and suffix not in ALPHA_PHOTO_SUFFIXES:
            raise OptionError(_no_alpha_message(suffix))
        return Encoding(output, alpha=alpha)
    container, codecs = CONTAINERS[suffix]
    if alpha and suffix not in ALPHA_CONTAINERS:
        raise OptionError(_no_alpha_message(suffix))
    known, codecs = (ALPHA_CODECS, ALPHA_CONTAINERS[suffix]) if alpha else (CODECS, codecs)
    name = _codec_name(codec) if codec is not None else codecs[0]
    if name not in codecs:
        variant = " with transparency" if alpha else ""
        raise OptionError(f"{suffix} does not hold {name}{variant}; it holds {', '.join(codecs)}.")

    if depth == 10 and not known[name].deep_pixel_format:
        deep = ", ".join(each for each in CODECS if CODECS[each].deep_pixel_format)
        raise OptionError(f"{name} is written with 8 bits; 10 bits need one of {deep}.")

    def encoding(found: _Codec) -> Encoding:
        return Encoding(
            output=output,
            container=container,
            codec=name,
            encoder=found.encoder,
            pixel_format=found.pixel_format,
            deep_pixel_format=found.deep_pixel_format,
            depth=depth,
            options={
                **found.options,
                **_crf_options(name, found, crf),
                **_preset_options(name, found, preset),
            },
            tag=found.tag if container in ("mp4", "mov") else None,
            alpha=alpha,
        )

    software = encoding(known[name])
    if is_auto and name == "h264" and crf != 0:
        return replace(encoding(NVENC), fallback=software)
    return software


def _no_alpha_message(suffix: str) -> str:
    return (
        f"{suffix} cannot store transparency; use {', '.join(ALPHA_CONTAINERS)} for a video, "
        f"{', '.join(ALPHA_PHOTO_SUFFIXES)} for a photo, or a folder."
    )


def _reject_photo_options(
    codec: str | None, crf: int | None, preset: str | None, depth: Depth | None
) -> None:
    given = {"codec": codec, "crf": crf, "preset": preset, "depth": depth}
    for option, value in given.items():
        if value is not None:
            raise OptionError(f"Photos have no {option} setting, got {value}; leave it out.")


def _codec_name(codec: str) -> str:
    name = ALIASES.get(codec.lower(), codec.lower())
    if name in CODECS:
        return name
    matches = difflib.get_close_matches(name, (*CODECS, *ALIASES, AUTO), n=1)
    hint = f"did you mean {matches[0]}? Known" if matches else "known"
    raise OptionError(f"Unknown codec {codec!r}: {hint} are {', '.join((*CODECS, AUTO))}.")


def _crf_options(name: str, codec: _Codec, crf: int | None) -> dict[str, str]:
    if codec.crf is None:
        if crf is not None:
            raise OptionError(f"{name} has no crf setting, got {crf}; leave it out.")
        return {}
    value = codec.crf if crf is None else crf
    if not 0 <= value <= codec.max_crf:
        raise OptionError(f"crf for {name} must be from 0 to {codec.max_crf}, got {value}.")
    return {codec.crf_option: str(value)}


def _preset_options(name: str, codec: _Codec, preset: str | None) -> Mapping[str, str]:
    if not codec.presets:
        if preset is not None:
            raise OptionError(f"{name} has no presets, got {preset!r}; leave it out.")
        return {}
    chosen = codec.default_preset if preset is None else preset
    if chosen not in codec.presets:
        known = ", ".join(codec.presets)
        raise OptionError(f"Unknown preset {chosen!r} for {name}; choose one of {known}.")
    return codec.presets[chosen]
