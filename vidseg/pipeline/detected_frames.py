"""An input and everything that the model, or saved detections, find in it, frame by frame."""

from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from fractions import Fraction
from itertools import islice
from math import ceil

from vidseg.concurrency import prefetch
from vidseg.detection.batched import detect
from vidseg.errors import InputError
from vidseg.pipeline.search import OnDownload, Search
from vidseg.results.replay import check_same_input, header_for, replay
from vidseg.results.vidseg_header import Header
from vidseg.structures.frame import Frame
from vidseg.structures.instances import Found
from vidseg.structures.span import Span
from vidseg.video.decoding.reader import read_frames
from vidseg.video.info import VideoInfo

READ_AHEAD_FRAMES = 3
"""Frames read ahead of the caller where no model runs between."""


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
            raise InputError(no_frames(info, span))
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
    if search.model_options.tiles is not None:
        facts["tiles"] = search.model_options.tiles
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


def no_frames(info: VideoInfo, span: Span) -> str:
    """Why there is no frame to look at, for an InputError."""
    if span.is_whole:
        return f"{info.path} has no frame that can be read."
    if info.kind == "photo":
        return f"{info.path} is a photo, which has no times; leave --start and --end out."
    length = (
        f"it lasts {float(info.duration):g} s" if info.duration is not None else "it is shorter"
    )
    return f"{info.path} has no frame between the start and the end asked for; {length}."
