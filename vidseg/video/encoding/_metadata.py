"""Tags and chapters of the source, as they are true of the output."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from vidseg.video.pyav_versions import ratio

if TYPE_CHECKING:  # PyAV describes it in its stubs only
    from av.container.core import Chapter

# Facts about the encoding or layout of the source, which would be wrong for the new file
STALE_TAGS = (
    "encoder", "major_brand", "minor_version", "compatible_brands", "duration", "rotate",
    "timecode",
)  # fmt: skip
STALE_TAG_PREFIXES = ("bps", "number_of_", "_statistics_")
KEPT_VIDEO_TAGS = ("language", "title", "handler_name")
"""Tags of the video stream that still hold after encoding."""
MOV_LANGUAGES = {
    "deu": "ger", "nld": "dut", "swe": "sve", "ell": "gre", "isl": "ice", "zho": "chi",
    "sqi": "alb",
}  # fmt: skip
"""Languages that QuickTime knows by another code only (Macintosh language table)."""


APPLE_TAG_PREFIX = "com.apple.quicktime."
"""Tags of iPhones: place, local date, make and model. MP4 and MOV hold them in a list of keys."""


def file_tags(tags: dict[str, str]) -> dict[str, str]:
    """The tags of a file or stream that still hold for the output."""
    return {
        _apple_name(name): value
        for name, value in tags.items()
        if name.lower() not in STALE_TAGS and not name.lower().startswith(STALE_TAG_PREFIXES)
    }


def has_apple_tags(tags: dict[str, str]) -> bool:
    """Whether MP4 and MOV need their list of keys to hold `tags`."""
    return any(name.startswith(APPLE_TAG_PREFIX) for name in tags)


def _apple_name(name: str) -> str:
    """The name as Apple spells it: Matroska writes all names in capitals."""
    if not name.lower().startswith(APPLE_TAG_PREFIX):
        return name
    return name if name.startswith(APPLE_TAG_PREFIX) else name.lower().replace("iso6709", "ISO6709")


def stream_tags(tags: dict[str, str], container: str) -> dict[str, str]:
    """The tags of a copied stream, with languages by the names that `container` knows."""
    kept = file_tags(tags)
    if container == "mov" and "language" in kept:
        kept["language"] = MOV_LANGUAGES.get(kept["language"], kept["language"])
    return kept


def video_tags(tags: dict[str, str]) -> dict[str, str]:
    """The tags of the video stream that still hold after encoding."""
    return {name: value for name, value in tags.items() if name in KEPT_VIDEO_TAGS}


def cut_chapters(
    chapters: list[Chapter], origin: Fraction, zero: Fraction, end: Fraction | None
) -> list[Chapter]:
    """Chapters with the timestamps of the output; those outside the cut are dropped.

    `origin` is the source's timestamp of its second 0; `zero` and `end` are seconds of the source.
    """
    kept: list[Chapter] = []
    for chapter in chapters:
        base = ratio(chapter["time_base"])
        if base is None:
            continue
        shift = origin + zero
        first = max(chapter["start"] * base - shift, Fraction(0))
        last = chapter["end"] * base - shift
        if end is not None:
            last = min(last, end - zero)
        if last > first:
            start_tick, end_tick = round(first / base), round(last / base)
            kept.append({**chapter, "start": start_tick, "end": end_tick})
    return kept
