"""How long a run would take, measured on short stretches of its input; nothing of it is kept."""

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
STRETCH_SECONDS = 3.0
"""How long each should take by the first, which is the slowest: the three take some 6 s."""
FIRST_STRETCH_FRAMES = 4
"""Frames of the stretch that decides how long the others are; they are never shorter."""
MAX_STRETCH_FRAMES = 24

MakeOutputs = Callable[[Path], Sequence[Output]]
"""The outputs of the run, made to be written into this folder."""


@dataclass(frozen=True, slots=True)
class Seconds:
    """A time with the spread of the stretches that it was measured on."""

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
    seconds_per_frame: Seconds | None
    """None where too few frames are there to measure one."""
    seconds: Seconds | None
    """Of the whole run, loading the model included; None without `frames`."""


def estimate(
    source: str | Path,
    outputs: MakeOutputs,
    *,
    search: Wanted = (),
    span: Span | None = None,
    on_download: OnDownload | None = None,
) -> Estimate:
    """How long `vidseg.run` of these outputs would take on this machine as it is now.

        vidseg.estimate("in.mp4", lambda folder: [VideoOutput(folder / "out.mp4", Splash())])

    Runs the whole chain, encoding included, on three stretches of the input, into a temporary
    folder. What a run does once is measured with a single frame and taken off, so that it does not
    count for every frame. The spread is that of the stretches; scenes with many more objects
    elsewhere can take longer. A stretch keeps fewer cores busy at once than a long run, so that an
    estimate is rather too high than too low. Nothing that `search` would save is saved, and no
    object is selected.

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


class _Timed(NamedTuple):
    """A stretch that was run."""

    frames: int
    seconds: float


@dataclass(frozen=True, slots=True)
class _Measure:
    """Runs a part of the input, and tells its frames and seconds."""

    info: VideoInfo
    outputs: MakeOutputs
    search: Search
    folder: Path

    def __call__(self, span: Span) -> _Timed:
        with tempfile.TemporaryDirectory(dir=self.folder) as part:
            outputs = self.outputs(Path(part))
            began = time.monotonic()
            options = RunOptions()
            result = run(self.info.path, outputs, search=self.search, span=span, options=options)
            return _Timed(result.frames, time.monotonic() - began)


def _estimate(measure: _Measure, info: VideoInfo, span: Span, loading: float) -> Estimate:
    if info.kind == "photo":
        measure(span)  # the first run of a model is slower than all others
        frames, seconds = measure(span)
        return Estimate(info.size, frames, frames, None, _spread([loading + seconds]))
    starts = _starts(measure.search, info, span)
    measure(_stretch(info, span, starts[0], 1))
    few = measure(_stretch(info, span, starts[0], 1))
    count = _stretch_frames(few, measure(_stretch(info, span, starts[0], FIRST_STRETCH_FRAMES)))
    stretches = [_measured(measure, _stretch(info, span, start, count)) for start in starts]
    each = [
        max(many.seconds - few.seconds, 0.0) / (many.frames - few.frames)
        for many in stretches
        if many is not None and many.frames > few.frames
    ]
    total, per_frame = expected_frames(info, span), _spread(each) if each else None
    seconds = None
    if total is not None and per_frame is not None:
        seconds = _spread([loading + few.seconds + max(total - 1, 0) * value for value in each])
    drawn = sum(many.frames for many in stretches if many is not None)
    return Estimate(info.size, total, drawn, per_frame, seconds)


def _stretch_frames(few: _Timed, more: _Timed) -> int:
    """How many frames take about `STRETCH_SECONDS`."""
    frame = (more.seconds - few.seconds) / max(more.frames - few.frames, 1)
    wanted = round(STRETCH_SECONDS / max(frame, 1e-3))
    return min(max(wanted, FIRST_STRETCH_FRAMES), MAX_STRETCH_FRAMES)


def _measured(measure: _Measure, span: Span) -> _Timed | None:
    """None where no frame lies in the span, as in a pause of a variable rate."""
    try:
        return measure(span)
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


def _spread(values: Sequence[float]) -> Seconds:
    return Seconds(min(values), median(values), max(values))
