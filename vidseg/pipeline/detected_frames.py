"""An input and everything that the model, or saved detections, find in it, frame by frame."""

from collections import deque
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from fractions import Fraction
from itertools import islice
from math import ceil
from threading import Event

from vidseg.concurrency import prefetch
from vidseg.detection.batched import detect
from vidseg.errors import InputError, OptionError
from vidseg.pipeline.run_options import RunOptions
from vidseg.pipeline.search import Search
from vidseg.results.parts import seen_frames
from vidseg.results.replay import check_same_input, header_for, replay
from vidseg.results.vidseg_file import Detections
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
    info: VideoInfo,
    search: Search,
    span: Span,
    options: RunOptions,
    *,
    stop: Event | None = None,
    pictures: bool = True,
) -> Iterator[Iterator[Found]]:
    """The frames with everything found; the first frame is read before the weights load.

    Without `pictures`, frames may come without theirs, as `SeenFrame`s. Once `stop` is set, workers
    look for no further frame.
    """
    if search.saved is not None:
        check_same_input(search.saved, info)
    with ExitStack() as stack:
        parts = None
        if search.workers is not None:
            check_shared(span)
            shared = search.workers.found(info, search, options, stop or Event())
            parts = stack.enter_context(shared)
        if parts is not None and not pictures and search.tracking.tracker is None:
            yield stack.enter_context(closing(seen_frames(parts)))
            return
        frames = stack.enter_context(_read(info, span))
        yield stack.enter_context(closing(_found(frames, info, search, options, parts)))


@contextmanager
def _read(info: VideoInfo, span: Span) -> Iterator[Iterator[Frame]]:
    """The frames of the span, the first of which is read already.

    Raises InputError: there is none.
    """
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
        yield _resumed(first, frames)


def _found(
    frames: Iterator[Frame],
    info: VideoInfo,
    search: Search,
    options: RunOptions,
    parts: Detections | None,
) -> Generator[Found, None, None]:
    """The frames with what is saved, what workers find, or what the model finds."""
    known = search.saved or parts
    if known is not None:
        return replay(prefetch(frames, READ_AHEAD_FRAMES), known)
    size, every = search.model_options.batch_size, search.every_in(info.kind)
    predictor = search.predictor(options.on_download)
    return detect(frames, predictor, batch_size=size, every=every)


def check_shared(span: Span) -> None:
    """Raises OptionError: a part of a video, whose batches would begin elsewhere."""
    if span != Span():
        raise OptionError(
            "One video is shared among workers without `start`, `end`, `keep_going` and "
            "`keep_interlaced`."
        )


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
        return f"{info.path} is a photo, which has no times; leave `start` and `end` out."
    length = (
        f"it lasts {float(info.duration):g} s" if info.duration is not None else "it is shorter"
    )
    return f"{info.path} has no frame between the start and the end asked for; {length}."
