"""The commands as one call each: every option of the command line is a keyword here, or one of
`Search` or `choose_codec`.

`search` names the classes to look for (`"person"`, `["person", "dog"]`; none is all of them), or is
a whole `Search("balloon", model="balloon", score=0.7)`. `encoding` is by default that of the
target's name, else `choose_codec(target, "hevc", crf=24)`. Times are seconds, exact where they are
Fractions; `end` is exclusive. Every function returns the number of frames, and raises as
`vidseg.run`, and OptionError for an unknown class, model or codec or a number out of range.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from vidseg.effects import Overlay, Splash
from vidseg.effects.overlay import Labels
from vidseg.pipeline.outputs import CutoutOutput, ExportOutput, MaskFolderOutput, VideoOutput
from vidseg.pipeline.run import OnFrame, run
from vidseg.pipeline.search import Search, Seconds
from vidseg.video.codecs import Encoding

Wanted = Search | str | Iterable[str]


def overlay(
    source: str | Path,
    target: str | Path,
    *,
    search: Wanted = (),
    encoding: Encoding | None = None,
    alpha: float = 0.5,
    masks: bool = True,
    boxes: bool = True,
    labels: Labels = "id",
    contours: bool = False,
    color_by: Literal["class", "object"] = "object",
    start: Seconds | None = None,
    end: Seconds | None = None,
    force: bool = False,
    keep_going: bool = False,
    on_frame: OnFrame | None = None,
) -> int:
    """Draw the objects of `source` over it: `vidseg overlay` as one call."""
    search = _search(search)
    effect = Overlay(
        search.names,
        alpha=alpha,
        masks=masks,
        boxes=boxes,
        labels=labels,
        contours=contours,
        color_by=color_by,
    )
    return run(
        source,
        [VideoOutput(target, effect, encoding)],
        search=search,
        start=start,
        end=end,
        force=force,
        keep_going=keep_going,
        on_frame=on_frame,
    )


def splash(
    source: str | Path,
    target: str | Path,
    *,
    search: Wanted = (),
    encoding: Encoding | None = None,
    feather: float | None = None,
    start: Seconds | None = None,
    end: Seconds | None = None,
    force: bool = False,
    keep_going: bool = False,
    on_frame: OnFrame | None = None,
) -> int:
    """Keep the objects of `source` in colour on grey: `vidseg splash` as one call."""
    return run(
        source,
        [VideoOutput(target, Splash(feather), encoding)],
        search=_search(search),
        start=start,
        end=end,
        force=force,
        keep_going=keep_going,
        on_frame=on_frame,
    )


def cutout(
    source: str | Path,
    target: str | Path,
    *,
    search: Wanted = (),
    encoding: Encoding | None = None,
    refine: bool = True,
    per_object: bool = False,
    matte: bool = False,
    start: Seconds | None = None,
    end: Seconds | None = None,
    force: bool = False,
    keep_going: bool = False,
    on_frame: OnFrame | None = None,
) -> int:
    """Cut the objects of `source` out, onto transparency: `vidseg cutout` as one call.

    `encoding` is by default `choose_codec(target, alpha=not matte)`.
    """
    output = CutoutOutput(
        target, refine=refine, per_object=per_object, matte=matte, encoding=encoding
    )
    return run(
        source,
        [output],
        search=_search(search),
        start=start,
        end=end,
        force=force,
        keep_going=keep_going,
        on_frame=on_frame,
    )


def frames(
    source: str | Path,
    target: str | Path,
    *,
    search: Wanted = (),
    format: str | None = None,
    per_object: bool = False,
    image: bool = False,
    start: Seconds | None = None,
    end: Seconds | None = None,
    force: bool = False,
    keep_going: bool = False,
    on_frame: OnFrame | None = None,
) -> int:
    """Save the objects of every frame of `source`: `vidseg frames` as one call.

    Without a `format` in a folder with an indexed PNG a frame and `instances.json`; `per_object`
    belongs to that.
    """
    if format is None:
        output = MaskFolderOutput(target, per_object=per_object, image=image)
    else:
        output = ExportOutput(target, format, image=image)
    return run(
        source,
        [output],
        search=_search(search),
        start=start,
        end=end,
        force=force,
        keep_going=keep_going,
        on_frame=on_frame,
    )


def _search(wanted: Wanted) -> Search:
    return wanted if isinstance(wanted, Search) else Search(wanted)
