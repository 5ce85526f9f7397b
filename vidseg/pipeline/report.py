"""A page about what was found in a video: its tracks, its worst moments, and how it was made."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from vidseg.atomic_output import atomic_output, check_output
from vidseg.errors import InputError, OptionError
from vidseg.evaluation.read_results import clip_format
from vidseg.inspection.found_video import FoundVideo, ReadFrames
from vidseg.inspection.video_facts import About
from vidseg.inspection.video_page import VideoPart, video_page
from vidseg.pipeline._counts import ObjectCounter
from vidseg.pipeline._evaluation_pages import save_page
from vidseg.pipeline._report_on_clips import report_on_clips
from vidseg.pipeline._report_source import Shown, search_and_video, shown_in
from vidseg.pipeline._report_words import made_facts, program_name, track_commands
from vidseg.pipeline.detected_frames import expected_frames, no_frames
from vidseg.pipeline.find import Wanted, as_search, check_saving
from vidseg.pipeline.run_options import RunOptions, RunResult
from vidseg.pipeline.search import Search
from vidseg.remote.paths import as_path
from vidseg.structures.span import Span
from vidseg.video.decoding.moments import read_chosen
from vidseg.video.info import VideoInfo
from vidseg.video.probe import probe

log = logging.getLogger("vidseg")

PAGE_SUFFIXES = (".html", ".htm")


def report(
    source: str | Path,
    target: str | Path,
    *,
    search: Wanted = (),
    video: str | Path | None = None,
    span: Span | None = None,
    options: RunOptions | None = None,
) -> RunResult:
    """Write a page about the objects of `source` to `target`, as `vidseg report` does.

        vidseg.report("street.mp4", "street.html", search="person")
        vidseg.report("street.vidseg", "street.html")
        vidseg.report("DAVIS/", "davis.html", search=vidseg.Search(model="everyday"))

    The page is one file that needs no network. It lists every track with pictures, score and area
    over time, counts of each class, and the moments where the result is worst; all of its numbers
    are in it as JSON.

    Args:
        source: a video, an animation, a folder of photos; saved detections of one; or annotated
            clips (YouTube-VIS, DAVIS, MOTS), whose truth is shown beside what was found.
        search: class names, or a whole `Search`.
        video: where the video of saved detections is; None: beside them, under its name. Without it
            the page has no pictures, and ids stay as they were saved.
        span: the part of the video to look at.

    Objects pass once, and pictures are taken afterwards from the few frames that are shown. Some 30
    bytes an object and frame stay in memory, and 60 in a temporary file.

    Raises:
        OptionError: `target` is no page; options that do not go together.
        InputError, DamagedInputError: an input cannot be read, or is not the one of the detections.
        OutputError, OutputExistsError: `target` cannot be written.
        ModelError, WeightsUnavailableError: the model cannot be loaded.
    """
    source, span, options = as_path(source), span or Span(), options or RunOptions()
    _check_page(target)
    if (kind := clip_format(source)) is not None:
        html, result = report_on_clips(source, kind, target, as_search(search), span, options)
        _write_page(html, target, options)
        return result
    wanted, path = search_and_video(source, search, None if video is None else Path(video))
    check_output(target, [source, *([path] if path else [])], force=options.force)
    check_saving(wanted, source, options)
    info = None if path is None else _probed(path, wanted)
    if info is None:
        log.warning("The video of %s was not found beside it, so the page has no pictures.", source)
    counter = ObjectCounter()
    with FoundVideo(wanted.names) as found:
        total = expected_frames(info, span) if info else None
        with shown_in(wanted, info, span, options) as shown:
            _collect(shown, found, counter, options, total)
        part = part_about(found, wanted, info, span)
    if not part.facts["frames"]:
        raise InputError(_no_frames(wanted, info, span))
    _write_page(
        video_page(f"{part.facts['name']}: report", [part], program_name()), target, options
    )
    return counter.result()


def _check_page(target: str | Path) -> None:
    """Raises OptionError: its name is not that of a page."""
    if Path(target).suffix.lower() not in PAGE_SUFFIXES:
        raise OptionError(f"A report is a page, and {target} is none; use a name with .html.")


def _write_page(html: str, target: str | Path, options: RunOptions) -> None:
    with atomic_output(target, force=options.force) as fresh:
        save_page(fresh, html)


def _reader_of(info: VideoInfo, span: Span) -> ReadFrames:
    return lambda indexes: read_chosen(info, indexes, span)


def _no_frames(search: Search, info: VideoInfo | None, span: Span) -> str:
    """Which of the two lacks frames: the saved detections, or the video."""
    if search.saved is None:
        assert info is not None
        return no_frames(info, span)
    where = "" if span.is_whole else " between the start and the end asked for"
    return f"{search.saved.path} has no frame{where}."


def _probed(path: Path, search: Search) -> VideoInfo:
    info = probe(path)
    if info.kind == "photo":
        raise OptionError(f"{path} is a photo, and a report shows objects over time.")
    search.check_kind(info.kind)
    return info


def _collect(
    shown: Shown,
    found: FoundVideo,
    counter: ObjectCounter,
    options: RunOptions,
    total: int | None,
) -> None:
    for done, (moment, instances) in enumerate(shown, 1):
        found.add(moment, instances)
        counter.add(instances)
        if options.on_frame is not None:
            options.on_frame(done, total)


def part_about(
    found: FoundVideo,
    search: Search,
    info: VideoInfo | None,
    span: Span,
    *,
    metrics: Mapping[str, float | None] | None = None,
) -> VideoPart:
    """The part of a page about what `search` found in a video, or without it where it is None."""
    record = found.record()
    ids = [track.id for track in record.tracks]
    about = About(
        name=_name(search, info),
        score=search.score,
        made=made_facts(search, info, span),
        commands=track_commands(search, info, span, ids),
        metrics=metrics or {},
        notes=() if info else ("The video was not at hand, so there are no pictures.",),
    )
    every = search.saved.header.options.get("every", 1) if search.saved else search.every
    read = _reader_of(info, span) if info else None
    return found.part(record, about, read, filled_is_missed=every == 1)


def _name(search: Search, info: VideoInfo | None) -> str:
    if info is not None:
        return info.path.absolute().name
    assert search.saved is not None
    return str(search.saved.header.source["name"])
