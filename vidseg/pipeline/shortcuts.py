"""The drawing and saving commands as one call each.

`search` names the classes to look for (`"person"`, `["person", "dog"]`; none is all of them), or is
a whole `Search("balloon", model="balloon", score=0.7)`. `encoding` is by default that of the
target's name, else `choose_codec(target, "hevc", crf=24)`. `span` is the part of the input to use.
Every function returns what was found, and raises the errors of `vidseg.run`.
"""

from pathlib import Path
from typing import Literal

from vidseg.effects import Overlay, Splash
from vidseg.effects.overlay import Labels
from vidseg.pipeline.find import Wanted, as_search
from vidseg.pipeline.outputs import CutoutOutput, ExportOutput, MaskFolderOutput, VideoOutput
from vidseg.pipeline.run import run
from vidseg.pipeline.run_options import RunOptions, RunResult
from vidseg.structures.span import Span
from vidseg.video.codecs import Encoding


def overlay(
    source: str | Path,
    target: str | Path,
    *,
    search: Wanted = (),
    encoding: Encoding | None = None,
    span: Span | None = None,
    options: RunOptions | None = None,
    alpha: float = 0.5,
    masks: bool = True,
    boxes: bool = True,
    labels: Labels = "id",
    contours: bool = False,
    color_by: Literal["class", "object"] = "object",
) -> RunResult:
    """Draw the objects of `source` over it, as `vidseg overlay` does."""
    search = as_search(search)
    effect = Overlay(
        search.names,
        alpha=alpha,
        masks=masks,
        boxes=boxes,
        labels=labels,
        contours=contours,
        color_by=color_by,
    )
    output = VideoOutput(target, effect, encoding)
    return run(source, [output], search=search, span=span, options=options)


def splash(
    source: str | Path,
    target: str | Path,
    *,
    search: Wanted = (),
    encoding: Encoding | None = None,
    span: Span | None = None,
    options: RunOptions | None = None,
    feather: float | None = None,
) -> RunResult:
    """Keep the objects of `source` in colour and turn the rest grey, as `vidseg splash` does."""
    output = VideoOutput(target, Splash(feather), encoding)
    return run(source, [output], search=as_search(search), span=span, options=options)


def cutout(
    source: str | Path,
    target: str | Path,
    *,
    search: Wanted = (),
    encoding: Encoding | None = None,
    span: Span | None = None,
    options: RunOptions | None = None,
    refine: bool = True,
    per_object: bool = False,
    matte: bool = False,
) -> RunResult:
    """Cut the objects of `source` out, onto transparency, as `vidseg cutout` does.

    `encoding` is by default `choose_codec(target, alpha=not matte)`.
    """
    output = CutoutOutput(
        target, refine=refine, per_object=per_object, matte=matte, encoding=encoding
    )
    return run(source, [output], search=as_search(search), span=span, options=options)


def frames(
    source: str | Path,
    target: str | Path,
    *,
    search: Wanted = (),
    span: Span | None = None,
    options: RunOptions | None = None,
    format: str | None = None,
    per_object: bool = False,
    image: bool = False,
) -> RunResult:
    """Save the objects of every frame of `source`, as `vidseg frames` does.

    Without a `format`, writes a folder with one indexed PNG per frame and `instances.json`;
    `per_object` belongs to that.
    """
    if format is None:
        output = MaskFolderOutput(target, per_object=per_object, image=image)
    else:
        output = ExportOutput(target, format, image=image)
    return run(source, [output], search=as_search(search), span=span, options=options)
