"""How a report was made, and the commands that show its tracks, in words."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Iterable
from fractions import Fraction
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from vidseg.detection import max_keyframe_step
from vidseg.pipeline.search import Search
from vidseg.structures.span import Span
from vidseg.tracking.stages import DEFAULT_FILL_FRAMES, DEFAULT_SMOOTHING_RADIUS
from vidseg.version import __version__
from vidseg.video.info import VideoInfo

LIBRARIES = ("torch", "torchvision", "opencv-python", "av", "numpy")
"""Whose versions a report names."""
DEFAULT_SCORE = 0.5
USUAL_SAVED = {"every": 1}
"""Options of saved detections that go without saying."""

Words = dict[str, str]


def program_name() -> str:
    return f"vidseg {__version__}"


def versions() -> str:
    """The program, Python and the libraries that decide about results."""
    found = [program_name(), f"Python {platform.python_version()}"]
    for name in LIBRARIES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def made_facts(search: Search, info: VideoInfo | None, span: Span) -> Words:
    """Pairs of words for people: the input, the model, the options, the versions."""
    words = _input_words(search, info)
    words["Model"] = model_words(search)
    labels = search.labels
    names = [search.names.get(label, str(label)) for label in sorted(labels or ())]
    words["Classes"] = ", ".join(names) if labels is not None else "all that the model knows"
    words["Score"] = f"{search.score:g} or more"
    words["Tracking"] = _tracking_words(search)
    if not span.is_whole:
        words["Part"] = f"{_seconds(span.start or 0)} to {_seconds(span.end)}"
    words["Versions"] = versions()
    return words


def track_commands(
    search: Search, info: VideoInfo | None, span: Span, ids: Iterable[int]
) -> dict[int, str]:
    """For each track the command that draws it alone."""
    path = _source(search) if info is None else info.path
    options = [*_finding_options(search), *_shown_options(search, span)]
    commands = {}
    for number in ids:
        target = Path(f"{path.stem}_{number}{path.suffix}")
        words = ["vidseg", "overlay", "--id", str(number), *options]
        commands[number] = shlex.join([*words, _argument(path), _argument(target)])
    return commands


def _argument(path: Path) -> str:
    """The path so that no program takes it for an option."""
    return f"./{path}" if str(path).startswith("-") else str(path)


def _source(search: Search) -> Path:
    """The name of the video of saved detections."""
    assert search.saved is not None
    return Path(search.saved.header.source["name"])


def _input_words(search: Search, info: VideoInfo | None) -> Words:
    if info is None:
        return {"Video": f"{_source(search)}, not at hand"}
    height, width = info.size
    rate = f"{float(info.rate):g} frames/s" + ("" if info.constant_rate else " on average")
    codec = next((each.codec for each in info.streams if each.index == info.stream), info.container)
    facts = [info.path.name, f"{width} x {height}", rate, codec]
    return {"Video": ", ".join(fact for fact in facts if fact)}


def model_words(search: Search) -> str:
    """The model and its options, or those of the run that saved the detections."""
    if search.saved is None:
        options = search.model_options
        facts = [search.choice.model, f"precision {options.precision}"]
        if options.size is not None:
            facts.append(f"size {options.size}")
        if search.every != 1:
            facts.append(f"every {search.every} frames")
        return ", ".join(facts)
    header = search.saved.header
    facts = [f"{header.model['name']}, as saved in {search.saved.path.name} by {header.program}"]
    facts += [
        f"{name.replace('_', ' ')} {_plain(value)}"
        for name, value in header.options.items()
        if value not in (None, False, USUAL_SAVED.get(name)) and name != "tracking"
    ]
    return ", ".join(facts)


def _tracking_words(search: Search) -> str:
    tracking = search.tracking
    if not tracking.enabled:
        return "off"
    name = "" if tracking.tracker is None else "a tracker of your own, "
    fill = f"gaps of up to {tracking.fill} frames filled" if tracking.fill else "gaps not filled"
    smooth = f"smoothed over {tracking.smooth} frames" if tracking.smooth else "not smoothed"
    return f"{name}{fill}, {smooth}"


def _finding_options(search: Search) -> list[str]:
    """Where the objects come from."""
    saved = search.save if search.saved is None else search.saved.path
    if saved is not None:
        return ["--detections", str(saved)]
    words = ["--model", search.choice.model]
    options = search.model_options
    for option, value, usual in (
        ("--device", options.device, "auto"),
        ("--precision", options.precision, "auto"),
        ("--size", options.size, None),
        ("--batch-size", options.batch_size, None),
        ("--every", search.every, 1),
    ):
        words += [] if value == usual else [option, str(value)]
    return words


def _shown_options(search: Search, span: Span) -> list[str]:
    """Which of them are shown, and how they are tracked."""
    words: list[str] = []
    for label in sorted(search.labels or ()):
        words += ["--class", search.names.get(label, str(label))]
    tracking = search.tracking
    usual_fill = max(DEFAULT_FILL_FRAMES, max_keyframe_step(search.every))
    if search.saved is not None:
        usual_fill = (search.saved.header.options.get("tracking") or {}).get("fill", usual_fill)
    for option, value, usual in (
        ("--score", f"{search.score:g}", f"{DEFAULT_SCORE:g}"),
        ("--fill", tracking.fill, usual_fill),
        ("--smooth", tracking.smooth, DEFAULT_SMOOTHING_RADIUS),
        ("--start", _exact(span.start), None),
        ("--end", _exact(span.end), None),
    ):
        words += [] if value == usual else [option, str(value)]
    words += ["--keep-going"] if span.keep_going else []
    return words + (["--keep-interlaced"] if span.keep_interlaced else [])


def _exact(time: Fraction | None) -> str | None:
    return None if time is None else f"{float(time):.6f}".rstrip("0").rstrip(".")


def _seconds(time: Fraction | int | None) -> str:
    return "the end" if time is None else f"{float(time):g} s"


def _plain(value: Any) -> str:
    return "" if value is True else str(value)
