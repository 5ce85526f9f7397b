"""The one place that joins the stages: read, predict, track, draw, write.

    read_frames ─► prefetch ─► batched ─► predict ─► prefetch ─► steady ─► FrameClip.draw ─► write
                   thread 1               thread 2               the caller's thread

Memory: with batches of B frames, at most `frames_alive(B)` = 3 B + 13 pictures exist at once,
however long the video: B + 1 read ahead, B at the model, B on their way to the caller, 7 that wait
for the tracker to look ahead, the one in the caller's hands with its drawn copy, and 3 drawn ones
waiting at the encoder. A frame's objects add some 40 KB; what the encoder itself looks ahead comes
on top.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from fractions import Fraction
from itertools import islice
from math import ceil
from pathlib import Path

from vidseg.detection_writer import DetectionWriter, check_detections_output
from vidseg.detections import Header
from vidseg.effects import Effect
from vidseg.errors import InputError, OptionError
from vidseg.export import MaskFolder
from vidseg.frame import Frame
from vidseg.instances import Instances
from vidseg.kinds import check_kinds
from vidseg.predictor import Predictor
from vidseg.saved import check_belongs, header_for, recorded, saved
from vidseg.search import Search, Seconds, check_span
from vidseg.steady import frames_ahead
from vidseg.stream import batched, closing_input, prefetch
from vidseg.video.clip import FrameClip
from vidseg.video.codecs import Encoding, choose_codec
from vidseg.video.info import VideoInfo
from vidseg.video.landing import check_output
from vidseg.video.probe import probe
from vidseg.video.reader import read_frames
from vidseg.video.writer import open_writer

DEFAULT_BATCH = 4
"""Frames a batch for a predictor that does not say by `batch_size` how many suit it."""

Found = tuple[Frame, Instances]
READ_AHEAD = 3
"""Frames read ahead of the caller where no model runs between."""

RESUMED_AT = 8
"""A resumed run goes on at a multiple of so many frames, where the batch size is left to the
predictor: its batches are then those of an unbroken run."""

OnFrame = Callable[[int, int | None], None]
"""Called after every frame with how many are done, and of how many if that is known."""


def detect(
    frames: Iterable[Frame], predictor: Predictor, *, batch_size: int | None = None
) -> Generator[Found, None, None]:
    """Each frame with its objects, in order; reading and predicting run ahead on a thread each.

    Frames are predicted `batch_size` at a time; None takes what suits the predictor. An error of
    the source or the predictor comes after the frames before it; closing ends the threads and
    closes `frames`.
    """
    size = batch_size or getattr(predictor, "batch_size", DEFAULT_BATCH)
    batches = prefetch(_predicted(prefetch(frames, size + 1), predictor, size), 1)
    with closing(batches):
        for batch in batches:
            while batch:
                yield batch.popleft()


def frames_alive(batch_size: int) -> int:
    """The most pictures that `render` holds at once, the drawn ones included."""
    return 3 * batch_size + 6 + frames_ahead()


def _predicted(
    frames: Iterable[Frame], predictor: Predictor, size: int
) -> Generator[deque[Found], None, None]:
    with closing_input(batched(frames, size)) as batches:
        for batch in batches:
            found = predictor.predict([frame.image for frame in batch])
            yield deque(zip(batch, found, strict=True))
            del batch, found  # not to be alive beside the next batch


def render(
    source: str | Path,
    target: str | Path,
    effect: Effect,
    *,
    search: Search,
    encoding: Encoding | None = None,
    start: Seconds | None = None,
    end: Seconds | None = None,
    force: bool = False,
    keep_going: bool = False,
    on_frame: OnFrame | None = None,
) -> int:
    """Write `source` with `effect` drawn on every frame to `target`; returns the number of frames.

    Options are checked first, then paths, then the input's first frame is read, then weights load.
    `start` and `end` are seconds of the source, `end` exclusive.

    Raises:
        OptionError: a start not before the end; kinds of input and output that do not go together.
        InputError, DamagedInputError: the input cannot be read, or not to its end.
        OutputError, OutputExistsError: the output cannot be written; nothing is left of it.
        ModelError, WeightsUnavailableError: the model cannot be loaded.
    """
    start, end = exact(start, end)
    encoding = encoding or choose_codec(target)
    check_output(target, [source], force=force, folder=encoding.output == "folder")
    _check_saving(search, source, target, force=force)
    info = probe(source)
    check_kinds(info.kind, encoding.output)
    with (
        search_in(info, search, start=start, end=end, force=force, keep_going=keep_going) as found,
        open_writer(target, info, encoding=encoding, start=start, end=end, force=force) as sink,
        closing(FrameClip(found, info).draw(effect)) as clip,
    ):
        total, done = expected_frames(info, start, end), 0
        for done, frame in enumerate(clip.frames(), 1):
            sink.write(frame)
            if on_frame is not None:
                on_frame(done, total)
    return done


def save_masks(
    source: str | Path,
    target: str | Path,
    *,
    search: Search,
    per_object: bool = False,
    image: bool = False,
    start: Seconds | None = None,
    end: Seconds | None = None,
    force: bool = False,
    keep_going: bool = False,
    on_frame: OnFrame | None = None,
) -> int:
    """Write the objects of every frame into the folder `target`; returns the number of frames.

    In the order of checks and the errors as `render`.
    """
    start, end = exact(start, end)
    check_output(target, [source], force=force, folder=True)
    _check_saving(search, source, target, force=force)
    info = probe(source)
    total, done = expected_frames(info, start, end), 0
    with (
        search_in(info, search, start=start, end=end, force=force, keep_going=keep_going) as found,
        MaskFolder(
            target,
            search.names,
            kept_score=search.score,
            per_object=per_object,
            image=image,
            frames=info.frames,
            force=force,
        ) as sink,
    ):
        for done, (frame, instances) in enumerate(found, 1):
            sink.write(frame, instances)
            if on_frame is not None:
                on_frame(done, total)
    return done


def save_detections(
    source: str | Path,
    target: str | Path,
    *,
    search: Search,
    resume: bool = False,
    start: Seconds | None = None,
    end: Seconds | None = None,
    force: bool = False,
    keep_going: bool = False,
    on_frame: OnFrame | None = None,
) -> int:
    """Write everything found in `source` to the file `target`; returns the number of its frames.

    A run that is broken off leaves what it found; `resume` goes on with that, and the file is then
    that of an unbroken run. In the order of checks and the errors as `render`, and OptionError for
    a run to resume that had other options.
    """
    start, end = exact(start, end)
    check_detections_output(target, [source], resume=resume, force=force)
    info = probe(source)
    header = _header(info, search, start=start, end=end, keep_going=keep_going)
    every = search.batch_size or RESUMED_AT
    with DetectionWriter(target, header, resume=resume, every=every, force=force) as sink:
        again = sink.again.time if sink.again else start
        total = expected_frames(info, start, end)
        with _found_in(info, search, start=again, end=end, keep_going=keep_going) as found:
            for _ in recorded(found, sink):
                if on_frame is not None:
                    on_frame(sink.count, total)
    return sink.count


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
) -> Iterator[Iterator[Found]]:
    """The frames with the objects to show, everything found being saved where that is asked for."""
    with _found_in(info, search, start=start, end=end, keep_going=keep_going) as found:
        if search.save is None:
            with closing(search.watch(found, info.kind)) as shown:
                yield shown
            return
        header = _header(info, search, start=start, end=end, keep_going=keep_going)
        with (
            DetectionWriter(search.save, header, force=force) as sink,
            closing(recorded(found, sink)) as kept,
            closing(search.watch(kept, info.kind)) as shown,
        ):
            yield shown


def _check_saving(search: Search, source: str | Path, target: str | Path, *, force: bool) -> None:
    if search.save is None:
        return
    check_detections_output(search.save, [source], force=force)
    if search.save.resolve() == Path(target).resolve():
        raise OptionError(f"The output and the saved detections are both {target}; name two.")


def _header(info: VideoInfo, search: Search, **span: Fraction | bool | None) -> Header:
    options = {"precision": search.precision, "size": search.size, **span}
    return header_for(info, search.choice, search.kept, options)


@contextmanager
def _found_in(
    info: VideoInfo,
    search: Search,
    *,
    start: Fraction | None,
    end: Fraction | None,
    keep_going: bool,
) -> Iterator[Iterator[Found]]:
    """The frames with everything found; the first frame is read before the weights load."""
    if search.saved is not None:
        check_belongs(search.saved, info)
    with closing(read_frames(info, start=start, end=end, keep_going=keep_going)) as frames:
        first = deque(islice(frames, 1))
        if not first:
            raise InputError(_no_frames(info, start, end))
        rest = _resumed(first, frames)
        if search.saved is not None:
            found = saved(prefetch(rest, READ_AHEAD), search.saved)
        else:
            found = detect(rest, search.predictor(), batch_size=search.batch_size)
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
