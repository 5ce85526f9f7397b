"""The objects of an input as a stream: read, detect, track, and of that what was asked for.

An object at a point is searched for first: the input is read up to that time, and everything found
so far waits without its pictures.
"""

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from fractions import Fraction
from itertools import islice
from math import ceil
from pathlib import Path
from threading import Event

from vidseg.concurrency import prefetch, until
from vidseg.detection.batched import detect
from vidseg.errors import InputError, OptionError
from vidseg.pipeline._own_frames import OwnFrame, numbered_frames
from vidseg.pipeline._point_selection import object_at_point
from vidseg.pipeline.run_options import RunOptions
from vidseg.pipeline.search import OnDownload, Search
from vidseg.pipeline.stages import shown_objects, tracked_objects, with_ids
from vidseg.results.replay import check_same_input, header_for, record, replay
from vidseg.results.vidseg_header import Header
from vidseg.results.vidseg_writer import DetectionWriter, check_detections_output
from vidseg.structures.frame import Frame
from vidseg.structures.instances import Found
from vidseg.structures.span import Seconds, Span
from vidseg.video.decoding.reader import read_frames
from vidseg.video.info import VideoInfo
from vidseg.video.probe import probe

READ_AHEAD_FRAMES = 3
"""Frames read ahead of the caller where no model runs between."""

Wanted = Search | str | Iterable[str]
"""What to look for: a whole search, or class names alone."""


def find(
    source: str | Path | Iterable[OwnFrame],
    search: Wanted = (),
    *,
    span: Span | None = None,
    rate: Seconds = 30,
    options: RunOptions | None = None,
) -> Generator[Found, None, None]:
    """Each frame of `source` with its objects: tracked, filled and smoothed as the commands show
    them.

        for frame, objects in vidseg.find("street.mp4", "person"):
            print(frame.time, objects.ids, objects.boxes)

    Args:
        source: a video, an animation, a photo, a folder of photos; or frames of your own, in order:
            (H, W, 3) uint8 RGB arrays, (seconds, array) pairs, or `Frame`s.
        search: class names, or a whole `Search`.
        span: the part of a file to look at.
        rate: frames a second of arrays without times.

    The model runs ahead of the caller on other threads. Tracking looks `frames_ahead` frames ahead,
    7 by default; `Search(fill=0, smooth=0, ...)` shortens that for a live source. Leaving the loop
    early, or closing the generator, ends the threads and closes the source.

    Raises:
        OptionError: an unknown class, model or option, or one that own frames do not allow.
        InputError: the input cannot be read.
        ModelError, WeightsUnavailableError: the model cannot be loaded.
    """
    search, span, options = as_search(search), span or Span(), options or RunOptions()
    if isinstance(source, str | Path):
        info = probe(source)
        search.check_kind(info.kind)
        if search.save is not None:
            check_detections_output(search.save, [source], force=options.force)
        return _found_in_file(info, search, span, options)
    _check_own(search, span)
    return _found_in_frames(numbered_frames(source, rate), search, options.on_download)


def as_search(wanted: Wanted) -> Search:
    return wanted if isinstance(wanted, Search) else Search(wanted)


def _found_in_file(
    info: VideoInfo, search: Search, span: Span, options: RunOptions
) -> Generator[Found, None, None]:
    with shown_frames(info, search, span, options) as shown:
        yield from shown


def _found_in_frames(
    frames: Iterable[Frame], search: Search, on_download: OnDownload | None
) -> Generator[Found, None, None]:
    model = search.predictor(on_download)
    size = search.model_options.batch_size
    found = detect(frames, model, batch_size=size, every=search.every)
    with closing(tracked_objects(search, found, "video")) as shown:
        yield from shown


def _check_own(search: Search, span: Span) -> None:
    if search.saved is not None or search.save is not None:
        raise OptionError("Detections are saved of files; frames of your own are not recognised.")
    if search.selection.at is not None:
        raise OptionError("An object at a point is selected in files, which are read twice.")
    if not span.is_whole:
        raise OptionError("A span is a part of a file; pass only the frames to look at.")


@contextmanager
def shown_frames(
    info: VideoInfo, search: Search, span: Span, options: RunOptions, *, stop: Event | None = None
) -> Iterator[Iterator[Found]]:
    """The frames with the objects to show, everything found being saved where that is asked for.

    Once `stop` is set, as by another thread, no further frame is looked for.
    """
    tracked = search.tracking_facts(info.kind) is not None
    with detected_frames(info, search, span, options.on_download) as found:
        known, point_id = with_ids(search, until(stop or Event(), found), info.kind), None
        if search.selection.at is not None:
            point_id, known = object_at_point(known, info, search, span)
        if search.save is None:
            with closing(shown_objects(search, known, tracked=tracked, point_id=point_id)) as shown:
                yield shown
            return
        header = header_of(info, search, span)
        with (
            DetectionWriter(search.save, header, force=options.force) as sink,
            closing(record(known, sink)) as kept,
            closing(shown_objects(search, kept, tracked=tracked, point_id=point_id)) as shown,
        ):
            yield shown


@contextmanager
def detected_frames(
    info: VideoInfo, search: Search, span: Span, on_download: OnDownload | None = None
) -> Iterator[Iterator[Found]]:
    """The frames with everything found; the first frame is read before the weights load."""
    if search.saved is not None:
        check_same_input(search.saved, info)
    reading = read_frames(
        info,
        start=span.start,
        end=span.end,
        keep_going=span.keep_going,
        keep_interlaced=span.keep_interlaced,
    )
    with closing(reading) as frames:
        first = deque(islice(frames, 1))
        if not first:
            raise InputError(_no_frames(info, span))
        rest = _resumed(first, frames)
        if search.saved is not None:
            found = replay(prefetch(rest, READ_AHEAD_FRAMES), search.saved)
        else:
            size, every = search.model_options.batch_size, search.every_in(info.kind)
            found = detect(rest, search.predictor(on_download), batch_size=size, every=every)
        with closing(found):
            yield found


def header_of(info: VideoInfo, search: Search, span: Span, *, compact: bool = False) -> Header:
    """What a file of detections says of a run over this input."""
    facts = {
        "precision": search.model_options.precision,
        "size": search.model_options.size,
        "compact": compact,
        "every": search.every_in(info.kind),
        "tracking": search.tracking_facts(info.kind),
        "start": span.start,
        "end": span.end,
        "keep_going": span.keep_going,
    }
    if span.keep_interlaced:
        facts["keep_interlaced"] = True
    return header_for(info, search.choice, search.keep_score, facts)


def expected_frames(info: VideoInfo, span: Span) -> int | None:
    """How many frames lie in the span: exact at a constant rate, else about."""
    if span.is_whole:
        return info.frames
    stop = min((time for time in (span.end, info.duration) if time is not None), default=None)
    if stop is None:
        return None
    return max(ceil((stop - (span.start or Fraction(0))) * info.rate), 0)


def _resumed(first: deque[Frame], rest: Iterator[Frame]) -> Iterator[Frame]:
    """`first`, emptied so that its frame does not live as long as the video, then the rest."""
    yield first.popleft()
    yield from rest


def _no_frames(info: VideoInfo, span: Span) -> str:
    if span.is_whole:
        return f"{info.path} has no frame that can be read."
    if info.kind == "photo":
        return f"{info.path} is a photo, which has no times; leave --start and --end out."
    length = (
        f"it lasts {float(info.duration):g} s" if info.duration is not None else "it is shorter"
    )
    return f"{info.path} has no frame between the start and the end asked for; {length}."
