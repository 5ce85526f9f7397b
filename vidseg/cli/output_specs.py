"""What `--to` says: KIND[:SETTINGS]=TARGET, such as `overlay=a.mp4`, `frames:image=masks` or
`pixelate:class=person,cells=8=b.mp4`.

KIND is an effect, `frames`, a format of `vidseg export`, or `detections`. An effect's settings are
those of `vidseg.effects.parse`; `frames` takes `image` and `per-object`, a format that is a folder
`image`, and one of outlines `tolerance`.
"""

from collections.abc import Sequence
from difflib import get_close_matches
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from vidseg.cli.options import Command, Quality, option
from vidseg.errors import OptionError
from vidseg.results.formats.names import FORMATS

if TYPE_CHECKING:
    from vidseg.pipeline.outputs import Output
    from vidseg.pipeline.search import Search
    from vidseg.video.codecs import Encoding

DETECTIONS = "detections"
TOLERANCE = "tolerance"
SETTINGS_BY_KIND = {"frames": ("image", "per-object")} | {
    name: ("image", TOLERANCE) if look.outlines else ("image",) for name, look in FORMATS.items()
}
"""Kind to its settings: `TOLERANCE` in pixels, each of the others on or off."""


class OutputSpec(NamedTuple):
    """One output as the user describes it."""

    kind: str
    settings: str
    target: str


class To(click.ParamType):
    """KIND[:SETTINGS]=TARGET; settings contain = too, so after them the last = counts."""

    name = "kind=target"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> OutputSpec:
        if isinstance(value, OutputSpec):
            return value
        text = str(value)
        cut = text.rpartition if ":" in text.partition("=")[0] else text.partition
        what, _, target = cut("=")
        if not what or not target:
            self.fail(
                f"{text!r} is not an output; write KIND=TARGET, as in overlay=a.mp4", param, ctx
            )
        if target == "-":
            self.fail(f"{what} cannot be written to standard output; name a file", param, ctx)
        kind, _, settings = what.partition(":")
        return OutputSpec(kind, settings, target)


def to_option(command: Command) -> Command:
    """What to make: gives `wanted`; `detections` among it becomes `--save-detections`."""

    @option(
        "--to",
        "wanted",
        type=To(),
        multiple=True,
        required=True,
        show_default=False,
        metavar="KIND=TARGET",
        help="What to make, and where; repeat it. KIND is an effect, such as overlay or splash, "
        f"frames, detections, or {', '.join(FORMATS)}. Settings follow a colon: "
        "overlay:alpha=0.3,boxes=off=a.mp4, labelme:image=out.",
    )
    @wraps(command)
    def wrapper(*, wanted: Sequence[OutputSpec], save_detections: str | None, **others: Any) -> Any:
        files = [each.target for each in wanted if each.kind == DETECTIONS]
        files += [save_detections] if save_detections else []
        if len(files) > 1:
            raise OptionError(f"Detections are saved once, not in {' and '.join(files)}.")
        rest = [each for each in wanted if each.kind != DETECTIONS]
        return command(wanted=rest, save_detections=files[0] if files else None, **others)

    return wrapper


def refuse_slashes(wanted: Sequence[OutputSpec]) -> None:
    """Raises OptionError: a trailing slash, which means a folder for several inputs elsewhere."""
    for each in wanted:
        if each.target.endswith("/") and each.kind not in SETTINGS_BY_KIND:
            raise OptionError(
                f"{each.target} has a slash at its end, which is for several inputs; name a file, "
                "or without the slash a folder of photos."
            )


def outputs_for(wanted: Sequence[OutputSpec], search: "Search", quality: Quality) -> "list[Output]":
    """The outputs described by `wanted`.

    Raises OptionError: an unknown kind or setting, an ending or codec that cannot be written.
    """
    from vidseg.effects.parse import EFFECT_PRESETS, EFFECTS

    drawn = (*EFFECTS, *EFFECT_PRESETS)
    for each in wanted:
        if each.kind not in (*drawn, *SETTINGS_BY_KIND):
            raise OptionError(_unknown(each.kind, [*drawn, *SETTINGS_BY_KIND, DETECTIONS]))
    encodings = _encodings([each.target for each in wanted if each.kind in drawn], quality)
    return [
        _drawn(each, search, encodings[each.target]) if each.kind in drawn else _saved(each)
        for each in wanted
    ]


def _drawn(each: OutputSpec, search: "Search", encoding: "Encoding") -> "Output":
    from vidseg.effects.parse import parse_effect
    from vidseg.pipeline.outputs import VideoOutput

    text = f"{each.kind}:{each.settings}" if each.settings else each.kind
    return VideoOutput(each.target, parse_effect(text, search.names), encoding)


def _saved(each: OutputSpec) -> "Output":
    from vidseg.pipeline.outputs import ExportOutput, MaskFolderOutput

    settings = _settings(each)
    image = bool(settings.get("image"))
    if each.kind == "frames":
        per_object = bool(settings.get("per-object"))
        return MaskFolderOutput(each.target, per_object=per_object, image=image)
    return ExportOutput(each.target, each.kind, image=image, tolerance=settings.get(TOLERANCE))


def _settings(each: OutputSpec) -> dict[str, float]:
    """Name to value: `TOLERANCE` in pixels, the others 0 or 1."""
    known, given = SETTINGS_BY_KIND[each.kind], dict[str, float]()
    for setting in each.settings.split(",") if each.settings else ():
        name, _, value = setting.strip().replace("_", "-").partition("=")
        if name not in known:
            raise OptionError(f"{each.kind} has no setting {name!r}; it has {', '.join(known)}.")
        given[name] = _pixels(value) if name == TOLERANCE else _switch(each, name, value)
    return given


def _pixels(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise OptionError(f"{TOLERANCE} must be a number of pixels, got {value!r}.") from None


def _switch(each: OutputSpec, name: str, value: str) -> bool:
    if value not in ("", "on", "off"):
        raise OptionError(f"{name} of {each.kind} must be on or off, got {value!r}.")
    return value != "off"


def _encodings(targets: Sequence[str], quality: Quality) -> "dict[str, Encoding]":
    """How to encode each target; the options apply to videos, not to photos among them."""
    from vidseg.video.codecs import choose_codec, output_kind

    given = quality.codec, quality.crf, quality.preset
    depth = quality.depth
    videos = {target for target in targets if output_kind(target) == "video"}
    if not videos and any(value is not None for value in (*given, depth)):
        raise OptionError("--codec, --crf, --preset and --depth need a video; none is drawn.")
    for_videos = {target: choose_codec(target, *given, depth=depth) for target in videos}
    return {target: for_videos.get(target) or choose_codec(target) for target in targets}


def _unknown(kind: str, known: Sequence[str]) -> str:
    close = get_close_matches(kind.casefold(), known, n=3)
    hint = f" (did you mean {' or '.join(close)}?)" if close else ""
    return f"There is no output {kind!r}{hint}; use {', '.join(known)}."
