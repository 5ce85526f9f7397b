"""The one place that joins the stages: read, predict, track, draw, write.

    read ─► prefetch ─► batched ─► predict ─► steady ─► prefetch ─► FrameClip ─► draw ─► write
            a thread               A threads            a thread    the caller's ├► draw ─► write
                                                                    thread       └► export

One pass, many outputs: what is read and found once is drawn and written as often as it is wanted.

Memory: with batches of B frames, A of them at the model at once, and D drawn outputs, at most
`frames_alive(B, D, at_once=A)` = (A + 2) B + 10 + 2 D pictures exist at once, however long the
video: B read ahead, A B at the model, B that are done or wait for it, 7 that wait for the tracker
to look ahead, the one after it, the one in the caller's hands, the copy that is being drawn, and
for each drawn output 2 at its encoder. A frame's objects add some 40 KB; what the encoders
themselves look ahead comes on top. Keyframes (`vidseg.detection`) make it more.

An object that is pointed at is looked for first: the input is read once more up to that time, where
everything found so far waits without its pictures.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from fractions import Fraction
from itertools import islice
from math import ceil
from pathlib import Path
from threading import Event

from vidseg.atomic_output import check_output, output_error
from vidseg.concurrency import prefetch, until
from vidseg.detection import Every, frames_waiting
from vidseg.detection.batched import detect
from vidseg.errors import InputError, OptionError, VidsegError
from vidseg.pipeline._point_selection import pointed_at
from vidseg.pipeline.outputs import Output, RunContext, Write
from vidseg.pipeline.search import Search, Seconds, check_span
from vidseg.results.replay import check_same_input, header_for, record, replay
from vidseg.results.vidseg_header import Header
from vidseg.results.vidseg_writer import DetectionWriter, check_detections_output
from vidseg.structures.frame import Frame
from vidseg.structures.instances import Found, Instances
from vidseg.tracking.stages import (
    DEFAULT_FILL_FRAMES,
    DEFAULT_SMOOTHING_RADIUS,
    frames_ahead,
)
from vidseg.video.decoding.reader import read_frames
from vidseg.video.info import VideoInfo
from vidseg.video.moviepy_clip import FrameClip
from vidseg.video.probe import probe

READ_AHEAD = 3
"""Frames read ahead of the caller where no model runs between."""

OnFrame = Callable[[int, int | None], None]
"""Called after every frame with how many are done, and of how many if that is known."""


def frames_alive(
    batch_size: int,
    drawn: int = 1,
    *,
    at_once: int = 1,
    every: Every = 1,
    fill: int = DEFAULT_FILL_FRAMES,
    radius: int = DEFAULT_SMOOTHING_RADIUS,
) -> int:
    """The most pictures that `run` holds at once, those of so many drawn outputs included, where
    the predictor works on `at_once` batches at once."""
    if every == 1:
        found = (at_once + 2) * batch_size + 1
    else:
        found = frames_waiting(every, batch_size, at_once)
    return found + 2 + frames_ahead(fill, radius) + 2 * drawn


def run(
    source: str | Path,
    outputs: Iterable[Output],
    *,
    search: Search,
    start: Seconds | None = None,
    end: Seconds | None = None,
    force: bool = False,
    keep_going: bool = False,
    on_frame: OnFrame | None = None,
) -> int:
    """Make all `outputs` of `source` in one pass over it; returns the number of frames.

    Options are checked first, then paths, then the input's first frame is read, then weights load.
    `start` and `end` are seconds of the source, `end` exclusive.

    One output that fails ends the run: while frames are written, none of the outputs is left; while
    the outputs are finished, those that were finished before it are whole and stay.

    Raises:
        OptionError: a start not before the end; no output, or two on one path; kinds of input and
            output that do not go together.
        InputError, DamagedInputError: the input cannot be read, or not to its end.
        OutputError, OutputExistsError: an output cannot be written.
        ModelError, WeightsUnavailableError: the model cannot be loaded.
    """
    start, end = exact(start, end)
    outputs = list(outputs)
    _check_outputs(outputs, source, search, force=force)
    info = probe(source)
    search.check_kind(info.kind)
    for output in outputs:
        output.check(info)
    total, done, stop = expected_frames(info, start, end), 0, Event()
    with ExitStack() as stack:
        searched = search_in(
            info, search, start=start, end=end, force=force, keep_going=keep_going, stop=stop
        )
        clip = FrameClip(prefetch(stack.enter_context(searched), 1, stop=stop), info)
        stack.callback(clip.close)
        going = RunContext(clip, info, search, start, end, force)
        writes = [stack.enter_context(_named(output, going)) for output in outputs]
        for done, frame in enumerate(clip.frames(), 1):
            for write in writes:
                write(frame, clip.stream.instances)
            if on_frame is not None:
                on_frame(done, total)
    return done


def _check_outputs(
    outputs: Sequence[Output], source: str | Path, search: Search, *, force: bool
) -> None:
    targets = [output.target for output in outputs] + ([search.save] if search.save else [])
    if not targets:
        raise OptionError("There is nothing to write; name an output.")
    places = [target.resolve() for target in targets]
    for target, place in zip(targets, places, strict=True):
        if places.count(place) > 1:
            raise OptionError(f"Two outputs would be written to {target}; name two places.")
    inputs = [source] if search.saved is None else [source, search.saved.path]
    for output in outputs:
        check_output(output.target, inputs, force=force, folder=output.folder)
    if search.save is not None:
        check_detections_output(search.save, [source], force=force)


@contextmanager
def _named(output: Output, going: RunContext) -> Iterator[Write]:
    """The output opened, so that what goes wrong in writing to it names it and no other."""
    with output.open(going) as write:

        def written(frame: Frame, instances: Instances) -> None:
            try:
                write(frame, instances)
            except OSError as error:
                if isinstance(error, VidsegError):
                    raise
                raise output_error(output.target, error) from error

        yield written


def exact(start: Seconds | None, end: Seconds | None) -> tuple[Fraction | None, Fraction | None]:
    check_span(start, end)
    return (None if start is None else Fraction(start)), (None if end is None else Fraction(end))


@contextmanager
def search_in(
    info: VideoInfo,
    search: Search,
    *,
    start: Fraction | None,
    end: Fraction | None,
    force: bool,
    keep_going: bool,
    stop: Event | None = None,
) -> Iterator[Iterator[Found]]:
    """The frames with the objects to show, everything found being saved where that is asked for.

    Once `stop` is set, as by another thread, no further frame is looked for.
    """
    with found_in(info, search, start=start, end=end, keep_going=keep_going) as found:
        known, pointed = search.identify(until(stop or Event(), found), info.kind), None
        if search.chosen.at is not None:
            pointed, known = pointed_at(known, info, search, start=start, keep_going=keep_going)
        if search.save is None:
            with closing(search.show(known, info.kind, pointed=pointed)) as shown:
                yield shown
            return
        header = header_of(info, search, start=start, end=end, keep_going=keep_going)
        with (
            DetectionWriter(search.save, header, force=force) as sink,
            closing(record(known, sink)) as kept,
            closing(search.show(kept, info.kind, pointed=pointed)) as shown,
        ):
            yield shown


def header_of(info: VideoInfo, search: Search, **span: Fraction | bool | None) -> Header:
    """What a file of detections says of a run over this input."""
    tracking = search.tracking(info.kind)
    options = {"precision": search.precision, "size": search.size, "compact": False}
    options["every"] = search.every_in(info.kind)
    return header_for(info, search.choice, search.kept, {**options, "tracking": tracking, **span})


@contextmanager
def found_in(
    info: VideoInfo,
    search: Search,
    *,
    start: Fraction | None,
    end: Fraction | None,
    keep_going: bool,
) -> Iterator[Iterator[Found]]:
    """The frames with everything found; the first frame is read before the weights load."""
    if search.saved is not None:
        check_same_input(search.saved, info)
    with closing(read_frames(info, start=start, end=end, keep_going=keep_going)) as frames:
        first = deque(islice(frames, 1))
        if not first:
            raise InputError(_no_frames(info, start, end))
        rest = _resumed(first, frames)
        if search.saved is not None:
            found = replay(prefetch(rest, READ_AHEAD), search.saved)
        else:
            every = search.every_in(info.kind)
            found = detect(rest, search.predictor(), batch_size=search.batch_size, every=every)
        with closing(found):
            yield found


def _resumed(first: deque[Frame], rest: Iterator[Frame]) -> Iterator[Frame]:
    """`first`, emptied so that its frame does not live as long as the video, then the rest."""
    yield first.popleft()
    yield from rest


def expected_frames(
    info: VideoInfo, start: Fraction | None = None, end: Fraction | None = None
) -> int | None:
    """How many frames lie from `start` to before `end`: exact at a constant rate, else about."""
    if start is None and end is None:
        return info.frames
    stop = min((time for time in (end, info.duration) if time is not None), default=None)
    if stop is None:
        return None
    return max(ceil((stop - (start or 0)) * info.rate), 0)


def _no_frames(info: VideoInfo, start: Fraction | None, end: Fraction | None) -> str:
    if start is None and end is None:
        return f"{info.path} has no frame that can be read."
    if info.kind == "photo":
        return f"{info.path} is a photo, which has no times; leave --start and --end out."
    length = (
        f"it lasts {float(info.duration):g} s" if info.duration is not None else "it is shorter"
    )
    return f"{info.path} has no frame between the start and the end asked for; {length}."
