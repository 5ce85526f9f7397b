"""Which codec goes into which container, and how `crf` and `preset` reach each encoder."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from vidseg.errors import OptionError

Output = Literal["video", "animation", "photo", "folder"]

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
    path: str | Path, codec: str | None = None, crf: int | None = None, preset: str | None = None
) -> Encoding:
    """The encoding for an output of this name; None takes the default of the container or codec.

    `crf` is the encoder's own quality number, lower is better; `preset` is one of x264's names for
    every codec but ProRes, where it is the profile (proxy, lt, standard, hq).

    Raises OptionError for an unknown codec or preset, a pair of codec and container that does not
    go together, and a `crf` out of range.
    """
    output = output_kind(path)
    if output in ("photo", "folder"):
        _refuse_for_photos(codec, crf, preset)
        return Encoding(output)
    suffix = Path(path).suffix.lower()
    container, codecs = CONTAINERS[suffix]
    name = _codec_name(codec) if codec is not None else codecs[0]
    if name not in codecs:
        raise OptionError(f"{suffix} does not hold {name}; it holds {', '.join(codecs)}.")
    made = CODECS[name]
    return Encoding(
        output=output,
        container=container,
        codec=name,
        encoder=made.encoder,
        pixel_format=made.pixel_format,
        options={**made.options, **_quality(name, crf), **_speed(name, preset)},
        tag=made.tag if container in ("mp4", "mov") else None,
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
    close = difflib.get_close_matches(name, (*CODECS, *ALIASES), n=1)
    hint = f"did you mean {close[0]}? Known" if close else "known"
    raise OptionError(f"Unknown codec {codec!r}: {hint} are {', '.join(CODECS)}.")


def _quality(name: str, crf: int | None) -> dict[str, str]:
    codec = CODECS[name]
    if codec.crf is None:
        if crf is not None:
            raise OptionError(f"{name} takes no crf, got {crf}; leave it out.")
        return {}
    value = codec.crf if crf is None else crf
    if not 0 <= value <= codec.crf_limit:
        raise OptionError(f"crf for {name} goes from 0 to {codec.crf_limit}, got {value}.")
    return {"crf": str(value)}


def _speed(name: str, preset: str | None) -> Mapping[str, str]:
    codec = CODECS[name]
    if not codec.presets:
        if preset is not None:
            raise OptionError(f"{name} takes no preset, got {preset!r}; leave it out.")
        return {}
    chosen = codec.preset if preset is None else preset
    if chosen not in codec.presets:
        known = ", ".join(codec.presets)
        raise OptionError(f"Unknown preset {chosen!r} for {name}; choose one of {known}.")
    return codec.presets[chosen]
