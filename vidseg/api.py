"""The commands as one call each: every option of the command line is a keyword."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from vidseg.effects import Overlay, Splash
from vidseg.pipeline import OnFrame, render, save_masks
from vidseg.search import Search, Seconds
from vidseg.video.codecs import choose_codec


def overlay(
    source: str | Path,
    target: str | Path,
    *,
    classes: str | Iterable[str] = (),
    score: float = 0.5,
    max_objects: int | None = None,
    track: bool = True,
    model: str | Path | None = None,
    device: str = "auto",
    precision: str = "auto",
    size: int | None = None,
    batch_size: int | None = None,
    detections: str | Path | None = None,
    save_detections: str | Path | None = None,
    start: Seconds | None = None,
    end: Seconds | None = None,
    codec: str | None = None,
    crf: int | None = None,
    preset: str | None = None,
    alpha: float = 0.5,
    masks: bool = True,
    boxes: bool = True,
    labels: bool = True,
    contours: bool = False,
    color_by: Literal["class", "object"] = "object",
    force: bool = False,
    keep_going: bool = False,
    on_frame: OnFrame | None = None,
) -> int:
    """Draw the objects of `source` over it: `vidseg overlay` as one call; returns the frame count.

    Times are seconds, exact where they are Fractions; `end` is exclusive. Raises as `render`, and
    OptionError for an unknown class, model or codec or a number out of range.
    """
    search = Search(
        classes,
        score=score,
        max_objects=max_objects,
        track=track,
        model=model,
        device=device,
        precision=precision,
        size=size,
        batch_size=batch_size,
        detections=detections,
        save_detections=save_detections,
    )
    return render(
        source,
        target,
        Overlay(
            search.names,
            alpha=alpha,
            masks=masks,
            boxes=boxes,
            labels=labels,
            contours=contours,
            color_by=color_by,
        ),
        search=search,
        encoding=choose_codec(target, codec, crf, preset),
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
    classes: str | Iterable[str] = (),
    score: float = 0.5,
    max_objects: int | None = None,
    track: bool = True,
    model: str | Path | None = None,
    device: str = "auto",
    precision: str = "auto",
    size: int | None = None,
    batch_size: int | None = None,
    detections: str | Path | None = None,
    save_detections: str | Path | None = None,
    start: Seconds | None = None,
    end: Seconds | None = None,
    codec: str | None = None,
    crf: int | None = None,
    preset: str | None = None,
    feather: float | None = None,
    force: bool = False,
    keep_going: bool = False,
    on_frame: OnFrame | None = None,
) -> int:
    """Keep the objects of `source` in colour on grey: `vidseg splash` as one call, as `overlay`."""
    search = Search(
        classes,
        score=score,
        max_objects=max_objects,
        track=track,
        model=model,
        device=device,
        precision=precision,
        size=size,
        batch_size=batch_size,
        detections=detections,
        save_detections=save_detections,
    )
    return render(
        source,
        target,
        Splash(feather),
        search=search,
        encoding=choose_codec(target, codec, crf, preset),
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
    classes: str | Iterable[str] = (),
    score: float = 0.5,
    max_objects: int | None = None,
    track: bool = True,
    model: str | Path | None = None,
    device: str = "auto",
    precision: str = "auto",
    size: int | None = None,
    batch_size: int | None = None,
    detections: str | Path | None = None,
    save_detections: str | Path | None = None,
    start: Seconds | None = None,
    end: Seconds | None = None,
    per_object: bool = False,
    image: bool = False,
    force: bool = False,
    keep_going: bool = False,
    on_frame: OnFrame | None = None,
) -> int:
    """Save the objects of every frame in a folder: `vidseg frames` as one call, as `overlay`.

    The folder holds an indexed PNG a frame and `instances.json`.
    """
    search = Search(
        classes,
        score=score,
        max_objects=max_objects,
        track=track,
        model=model,
        device=device,
        precision=precision,
        size=size,
        batch_size=batch_size,
        detections=detections,
        save_detections=save_detections,
    )
    return save_masks(
        source,
        target,
        search=search,
        per_object=per_object,
        image=image,
        start=start,
        end=end,
        force=force,
        keep_going=keep_going,
        on_frame=on_frame,
    )
