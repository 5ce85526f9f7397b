"""What a run would take, measured on short stretches of its input; nothing of it is kept."""

import tempfile
import time
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import NamedTuple

from vidseg.errors import DamagedInputError, InputError
from vidseg.pipeline._peak_memory import peak_memory
from vidseg.pipeline.detected_frames import expected_frames
from vidseg.pipeline.find import Wanted, as_search
from vidseg.pipeline.outputs import Output
from vidseg.pipeline.run import run
from vidseg.pipeline.run_options import RunOptions
from vidseg.pipeline.search import OnDownload, Search
from vidseg.structures.span import Span
from vidseg.tracking.selection import Selection
from vidseg.video.decoding.moments import moment_times
from vidseg.video.info import VideoInfo
from vidseg.video.probe import probe

STRETCHES = 3
"""Places of the input that are measured."""
STRETCH_SECONDS = 0.8
"""How long the frames that are measured in one place should take."""
SHORT_FRAMES = 8
"""Frames of the run that fills the pipeline, where so many can be afforded."""
MIN_STRETCH_FRAMES = 4
MAX_STRETCH_FRAMES = 24

MakeOutputs = Callable[[Path], Sequence[Output]]
"""The outputs of the run, made to be written into this folder."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A measured value with its spread over the places that it was measured in."""

    lowest: float
    median: float
    highest: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run would take."""

    size: tuple[int, int]
    """(height, width) of the frames."""
    frames: int | None
    """None where only decoding can tell."""
    measured_frames: int
    """Frames of the stretches."""
    seconds_per_frame: Spread | None
    """None where too few frames are there to measure one."""
    seconds: Spread | None
    """Of the whole run, loading the model included; None without `frames`."""
    output_bytes: Spread | None
    """Of all outputs together; None without `frames`."""
    peak_memory: int
    """Bytes: the most that this process has held so far, the measured stretches included."""


def estimate(
    source: str | Path,
    outputs: MakeOutputs,
    *,
    search: Wanted = (),
    span: Span | None = None,
    on_download: OnDownload | None = None,
) -> Estimate:
    """What `vidseg.run` of these outputs would take on this machine as it is now.

        vidseg.estimate("in.mp4", lambda folder: [VideoOutput(folder / "out.mp4", Splash())])

    Runs the whole chain, encoding included, in three places of the input, into a temporary folder.
    In each place a short stretch is run and then a longer one; what the longer one takes more is
    what its further frames cost. What a run does once thus does not count for every frame. The
    spread is that of the places: scenes with many more objects elsewhere can take longer, and what
    else the machine does counts too. Nothing that `search` would save is saved, and no object is
    selected.

    Raises the errors of `vidseg.run`.
    """
    span, search = span or Span(), _unsaved(as_search(search))
    info = probe(source)
    began = time.monotonic()
    if search.saved is None:
        search.predictor(on_download)
    loading = time.monotonic() - began
    with tempfile.TemporaryDirectory(prefix="vidseg-estimate-") as folder:
        measure = _Measure(info, outputs, search, Path(folder))
        return _estimate(measure, info, span, loading)


class _Cost(NamedTuple):
    """What a stretch took."""

    frames: int
    seconds: float
    output_bytes: int


class _FurtherFrame(NamedTuple):
    """What each further frame costs in one place."""

    seconds: float
    output_bytes: float


@dataclass(frozen=True, slots=True)
class _Measure:
    """Runs a part of the input, and tells what it took."""

    info: VideoInfo
    outputs: MakeOutputs
    search: Search
    folder: Path

    def __call__(self, span: Span) -> _Cost:
        with tempfile.TemporaryDirectory(dir=self.folder) as part:
            outputs = self.outputs(Path(part))
            began = time.monotonic()
            options = RunOptions()
            result = run(self.info.path, outputs, search=self.search, span=span, options=options)
            return _Cost(result.frames, time.monotonic() - began, _bytes_in(Path(part)))


def _estimate(measure: _Measure, info: VideoInfo, span: Span, loading: float) -> Estimate:
    if info.kind == "photo":
        measure(span)  # the first run of a model is slower than all others
        cost = measure(span)
        seconds, size = _spread([loading + cost.seconds]), _spread([cost.output_bytes])
        return Estimate(info.size, cost.frames, cost.frames, None, seconds, size, peak_memory())
    starts = _starts(measure.search, info, span)
    measure(_stretch(info, span, starts[0], 1))
    once = measure(_stretch(info, span, starts[0], 1))
    some = measure(_stretch(info, span, starts[0], MIN_STRETCH_FRAMES))
    short, long = _stretch_frames(once, some)
    measured, each = 0, list[_FurtherFrame]()
    for start in starts:
        few, many = (_measured(measure, _stretch(info, span, start, n)) for n in (short, long))
        if few is None or many is None or many.frames == 1:
            continue
        measured += many.frames
        each.append(_further(few if few.frames < many.frames else once, many))
    total, seconds, size = expected_frames(info, span), None, None
    if total is not None and each:
        seconds = _spread([loading + once.seconds + (total - 1) * one.seconds for one in each])
        size = _spread([once.output_bytes + (total - 1) * one.output_bytes for one in each])
    per_frame = _spread([one.seconds for one in each]) if each else None
    return Estimate(info.size, total, measured, per_frame, seconds, size, peak_memory())


def _stretch_frames(once: _Cost, some: _Cost) -> tuple[int, int]:
    """Frames of the short and of the long stretch; their difference takes `STRETCH_SECONDS`.

    The short one fills the pipeline, so that the cores are as busy in the further frames as in a
    long run. Frames that take long keep them busy by themselves, and are too dear for that.
    """
    frame = (some.seconds - once.seconds) / max(some.frames - once.frames, 1)
    wanted = round(STRETCH_SECONDS / max(frame, 1e-3))
    if wanted < SHORT_FRAMES:
        return 1, max(wanted, MIN_STRETCH_FRAMES)
    return SHORT_FRAMES, SHORT_FRAMES + min(wanted, MAX_STRETCH_FRAMES)


def _further(few: _Cost, many: _Cost) -> _FurtherFrame:
    frames = many.frames - few.frames
    return _FurtherFrame(
        max(many.seconds - few.seconds, 0.0) / frames,
        max(many.output_bytes - few.output_bytes, 0) / frames,
    )


def _measured(measure: _Measure, stretch: Span) -> _Cost | None:
    """None where no frame lies in the stretch, as in a pause of a variable rate."""
    try:
        return measure(stretch)
    except DamagedInputError:
        raise
    except InputError:
        return None


def _starts(search: Search, info: VideoInfo, span: Span) -> list[Fraction]:
    """Where the stretches start: spread over the span where the input can be entered anywhere."""
    if len(info.keyframes) > STRETCHES and info.duration is not None and search.saved is None:
        return moment_times(info, span, STRETCHES) or [span.start or Fraction(0)]
    return [max(span.start or Fraction(0), info.start)] * STRETCHES


def _stretch(info: VideoInfo, span: Span, start: Fraction, frames: int) -> Span:
    """`frames` frames from `start` on, as far as the rate tells."""
    end = start + (frames - Fraction(1, 2)) / info.rate
    if span.end is not None:
        end = min(end, span.end)
    return Span(start, end, span.keep_going, span.keep_interlaced)


def _unsaved(search: Search) -> Search:
    """The same search, which saves nothing and follows no object."""
    other = copy(search)
    other.save, other.selection = None, Selection()
    return other


def _bytes_in(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _spread(values: Sequence[float]) -> Spread:
    return Spread(min(values), median(values), max(values))
