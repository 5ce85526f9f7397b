"""Which codec goes into which container, and how `crf` and `preset` reach each encoder."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from vidseg.errors import OptionError

Output = Literal["video", "animation", "photo", "folder"]

ALPHA_PHOTOS = (".png", ".webp", ".tiff", ".tif")
"""Photos that hold transparency."""
PHOTO_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tiff", ".tif")
PRESETS = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow",
)  # fmt: skip
"""x264's names, fastest first; the other encoders' speeds are mapped to them."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the pictures of an output are coded."""

    output: Output
    container: str = ""
    """ffmpeg's name of the container format; empty for photos."""
    codec: str = ""
    """What the user calls it: h264, hevc, vp9, av1, prores, gif."""
    encoder: str = ""
    pixel_format: str = "yuv420p"
    options: Mapping[str, str] = field(default_factory=dict)
    tag: str | None = None
    """Four-character code in MP4 and MOV where ffmpeg's default does not play everywhere."""
    alpha: bool = False
    """Whether pictures are (H, W, 4) RGBA, with straight colours, and transparency is kept."""
    instead: "Encoding | None" = None
    """What is used where this machine does not have the encoder."""


@dataclass(frozen=True, slots=True)
class _Codec:
    encoder: str
    crf: int | None
    """The default; None where the codec has none."""
    crf_limit: int
    presets: Mapping[str, Mapping[str, str]]
    """Preset name to the encoder's own options."""
    preset: str
    pixel_format: str = "yuv420p"
    options: Mapping[str, str] = field(default_factory=dict)
    tag: str | None = None
    quality: str = "crf"
    """The encoder's name of that option."""


def _x26x() -> dict[str, dict[str, str]]:
    return {name: {"preset": name} for name in PRESETS}


def _speeds(option: str, speeds: tuple[int, ...]) -> dict[str, dict[str, str]]:
    return {name: {option: str(speed)} for name, speed in zip(PRESETS, speeds, strict=True)}


CODECS: Mapping[str, _Codec] = {
    "h264": _Codec("libx264", 18, 51, _x26x(), "veryfast"),
    "hevc": _Codec(
        "libx265", 20, 51, _x26x(), "veryfast",
        options={"x265-params": "log-level=none"}, tag="hvc1",
    ),
    "vp9": _Codec(
        "libvpx-vp9", 24, 63, _speeds("cpu-used", (8, 7, 6, 5, 4, 3, 2, 1, 0)), "veryfast",
        options={"b": "0", "deadline": "good", "row-mt": "1"},
    ),
    "av1": _Codec(
        "libsvtav1", 26, 63, _speeds("preset", (12, 11, 10, 9, 8, 6, 5, 4, 3)), "veryfast"
    ),
    "prores": _Codec(
        "prores_ks", None, 0,
        {name: {"profile": name} for name in ("proxy", "lt", "standard", "hq")}, "hq",
        pixel_format="yuv422p10le", options={"vendor": "apl0"},
    ),
    "gif": _Codec("gif", None, 0, {}, "", pixel_format="pal8"),
}  # fmt: skip

NVENC = _Codec(
    "h264_nvenc", 19, 51,
    {name: {"preset": f"p{max(1, n)}"} for n, name in enumerate(PRESETS, start=-1)}, "medium",
    options={"rc": "vbr", "b": "0", "tune": "hq", "profile": "high"}, quality="cq",
)  # fmt: skip
"""H.264 of NVIDIA's cards, at a constant quality: no limit is set to the rate."""

AUTO = "auto"
"""Stands for the container's default codec, which `NVENC` makes where it can."""

ALPHA_CODECS: Mapping[str, _Codec] = {
    "prores": _Codec(
        "prores_ks", None, 0, {name: {"profile": name} for name in ("4444", "4444xq")}, "4444",
        pixel_format="yuva444p10le", options={"vendor": "apl0"},
    ),
    "vp9": replace(CODECS["vp9"], pixel_format="yuva420p"),
}  # fmt: skip
"""Codecs that keep transparency, in the form that does."""

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
"""Suffix to ffmpeg's format name and the codecs it may hold, the default first."""

ALPHA_CONTAINERS = {".mov": ("prores",), ".webm": ("vp9",), ".mkv": ("vp9", "prores")}
"""Suffix to the codecs that keep transparency in it, the default first; MP4 drops that of VP9."""


def output_kind(path: str | Path) -> Output:
    """What an output is, by its name: no suffix means a folder of photos.

    Raises OptionError for a suffix that is none of ours.
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
        f"{Path(path).name!r} has an ending that cannot be written; use one of {known}."
    )


def choose_codec(
    path: str | Path,
    codec: str | None = None,
    crf: int | None = None,
    preset: str | None = None,
    *,
    alpha: bool = False,
) -> Encoding:
    """The encoding for an output of this name; None takes the default of the container or codec.

    "auto" is the default codec too, but H.264 is left to an NVIDIA card where there is one, unless
    `crf` is 0, by which x264 loses nothing.
    `crf` is the encoder's own quality number, lower is better; `preset` is one of x264's names for
    every codec but ProRes, where it is the profile (proxy, lt, standard, hq; with `alpha` 4444 and
    4444xq). With `alpha` the output is one that keeps transparency.

    Raises OptionError for an unknown codec or preset, a pair of codec and container that does not
    go together, a `crf` out of range, and a name or codec that cannot hold `alpha`.
    """
    output = output_kind(path)
    suffix = Path(path).suffix.lower()
    auto = codec is not None and codec.lower() == AUTO
    codec = None if auto else codec
    if output in ("photo", "folder"):
        _refuse_for_photos(codec, crf, preset)
        if alpha and output == "photo" and suffix not in ALPHA_PHOTOS:
            raise OptionError(_no_alpha(suffix))
        return Encoding(output, alpha=alpha)
    container, codecs = CONTAINERS[suffix]
    if alpha and suffix not in ALPHA_CONTAINERS:
        raise OptionError(_no_alpha(suffix))
    known, codecs = (ALPHA_CODECS, ALPHA_CONTAINERS[suffix]) if alpha else (CODECS, codecs)
    name = _codec_name(codec) if codec is not None else codecs[0]
    if name not in codecs:
        what = " with transparency" if alpha else ""
        raise OptionError(f"{suffix} does not hold {name}{what}; it holds {', '.join(codecs)}.")

    def encoding(made: _Codec) -> Encoding:
        return Encoding(
            output=output,
            container=container,
            codec=name,
            encoder=made.encoder,
            pixel_format=made.pixel_format,
            options={**made.options, **_quality(name, made, crf), **_speed(name, made, preset)},
            tag=made.tag if container in ("mp4", "mov") else None,
            alpha=alpha,
        )

    plain = encoding(known[name])
    if auto and name == "h264" and crf != 0:
        return replace(encoding(NVENC), instead=plain)
    return plain


def _no_alpha(suffix: str) -> str:
    return (
        f"{suffix} holds no transparency; use {', '.join(ALPHA_CONTAINERS)} for a video, "
        f"{', '.join(ALPHA_PHOTOS)} for a photo, or a folder."
    )


def _refuse_for_photos(codec: str | None, crf: int | None, preset: str | None) -> None:
    given = {"codec": codec, "crf": crf, "preset": preset}
    for option, value in given.items():
        if value is not None:
            raise OptionError(f"Photos take no {option}, got {value}; leave it out.")


def _codec_name(codec: str) -> str:
    name = ALIASES.get(codec.lower(), codec.lower())
    if name in CODECS:
        return name
    close = difflib.get_close_matches(name, (*CODECS, *ALIASES, AUTO), n=1)
    hint = f"did you mean {close[0]}? Known" if close else "known"
    raise OptionError(f"Unknown codec {codec!r}: {hint} are {', '.join((*CODECS, AUTO))}.")


def _quality(name: str, codec: _Codec, crf: int | None) -> dict[str, str]:
    if codec.crf is None:
        if crf is not None:
            raise OptionError(f"{name} takes no crf, got {crf}; leave it out.")
        return {}
    value = codec.crf if crf is None else crf
    if not 0 <= value <= codec.crf_limit:
        raise OptionError(f"crf for {name} goes from 0 to {codec.crf_limit}, got {value}.")
    return {codec.quality: str(value)}


def _speed(name: str, codec: _Codec, preset: str | None) -> Mapping[str, str]:
    if not codec.presets:
        if preset is not None:
            raise OptionError(f"{name} takes no preset, got {preset!r}; leave it out.")
        return {}
    chosen = codec.preset if preset is None else preset
    if chosen not in codec.presets:
        known = ", ".join(codec.presets)
        raise OptionError(f"Unknown preset {chosen!r} for {name}; choose one of {known}.")
    return codec.presets[chosen]
