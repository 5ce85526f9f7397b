"""Keyframe mode: the network sees some frames only; objects are propagated to the frames between.

    frames ─► prefetch ─► mark keyframes ─► windows ─► predict keyframes ─► propagate ─► prefetch
              thread 1                                 threads 2            threads 3

Keyframes are every N-th frame of the source, counted by its index, so that a run that starts later
has the same ones. The first and the last frame of each scene are always keyframes, so that all
frames between two keyframes belong to one scene and can be interpolated from both sides. Frames are
taken in windows of a few keyframes; the predictor gets these in batches while the others wait.

Propagated objects are marked `filled`: no network has seen them in their frame.

Memory: at most `frames_waiting(every, batch_size, at_once)` pictures.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from functools import partial
from typing import Literal, NamedTuple

import numpy as np

from vidseg.concurrency import batched, closing_input, map_ahead, prefetch
from vidseg.detection._propagation import Keyframe, propagate
from vidseg.detection.predictor import Predictor, batches_at_once, predict_frames
from vidseg.structures.frame import Frame
from vidseg.structures.instances import Found, Instances
from vidseg.video.analysis.optical_flow import FlowFinder, Grey, reduced
from vidseg.video.analysis.scene_cuts import CutFinder

Every = int | Literal["auto"]
"""Frames from keyframe to keyframe; `auto` chooses by motion, 1 to `MAX_AUTO_STEP`."""

MAX_AUTO_STEP = 10
"""Most frames from keyframe to keyframe with `auto`."""
MAX_TRAVEL = 0.08
"""Motion since the last keyframe that makes `auto` set the next one, in longer picture sides.

Measured on three clips of DAVIS with true masks on keyframes, J&F of the frames between (mean, and
worst clip): 0.08 sets a keyframe every 2.4 to 4.9 frames, 0.924 and 0.823; 0.04 every 1.6 to 3.3
frames, 0.936 and 0.850; 0.12 every 3.2 to 7.0 frames, 0.915 and 0.801. A keyframe every fifth frame
gives 0.906 and 0.764.
"""
TRAVEL_PERCENTILE = 95
"""Percentile of the motion of all points that counts: 5 % of the picture may move more."""
TRAVEL_PICTURE_SIDE = 160
"""Longer side of the reduced pictures in which motion is measured, in pixels."""
PROPAGATION_THREADS = 2
"""Intervals between keyframes that are propagated in parallel, at 20 ms per frame each."""
WINDOW_FRAMES = 16
"""Frames per window; more where a single step between keyframes is longer."""


class Marked(NamedTuple):
    """A frame, and whether it is a keyframe."""

    frame: Frame
    key: bool


Seen = tuple[Frame, Instances | None]
"""A frame, with its objects if it is a keyframe."""


def detect_keyframes(
    frames: Iterable[Frame], predictor: Predictor, *, every: Every, batch_size: int
) -> Generator[Found, None, None]:
    """Each frame with its objects, in order; the predictor sees keyframes only.

    Other threads read, predict and propagate ahead. An error of the source or of the predictor
    arrives after all frames before it. Closing the generator ends the threads and closes `frames`.
    """
    window = window_length(every, batch_size)
    windows = _windows(_marked(prefetch(frames, window + 1), every), window)
    find = partial(_predicted, predictor, batch_size)
    at_once = batches_at_once(predictor)
    predicted = map_ahead(find, windows, workers=at_once, ahead=at_once)
    return prefetch(_propagated(predicted), 1)


def max_keyframe_step(every: Every) -> int:
    """Most frames from one keyframe to the next."""
    return MAX_AUTO_STEP if every == "auto" else every


def window_length(every: Every, batch_size: int) -> int:
    """Frames per window: a batch of keyframes, or as many keyframes as fit."""
    step = max_keyframe_step(every)
    return step * max(1, min(batch_size, WINDOW_FRAMES // step))


def frames_waiting(every: Every, batch_size: int, at_once: int = 1) -> int:
    """The most pictures that `detect_keyframes` holds, including the one handed out.

    These are one window and 3 frames read ahead, `at_once` windows at the predictor, one finished
    or waiting window, one in use, the frames after the last keyframe, those of
    `PROPAGATION_THREADS` intervals, and 2 handed on.
    """
    ahead = (3 + at_once) * window_length(every, batch_size)
    return ahead + (1 + PROPAGATION_THREADS) * max_keyframe_step(every) + 5


def _marked(frames: Iterable[Frame], every: Every) -> Generator[Marked, None, None]:
    """Mark the keyframes. An error of `frames` arrives after all frames before it."""
    cuts, pace = CutFinder(), _Pace(every)
    last: Marked | None = None
    with closing_input(frames) as source:
        try:
            for frame in source:
                cut = cuts.is_cut(frame.image)
                if last is not None:
                    yield last._replace(key=last.key or cut)
                last = Marked(frame, pace.is_due(frame, new=cut or last is None))
                del frame  # the reader's next frame must not keep this one alive
        except Exception:
            if last is not None:
                yield last._replace(key=True)
            raise
        if last is not None:
            yield last._replace(key=True)


class _Pace:
    """Decides when the next keyframe is due."""

    def __init__(self, every: Every) -> None:
        self._auto, self._max_step = every == "auto", max_keyframe_step(every)
        self._finder = FlowFinder()
        self._last: Grey | None = None
        self._travel = 0.0

    def is_due(self, frame: Frame, *, new: bool) -> bool:
        """`new`: the frame is the first of its scene."""
        regular = new or frame.index % self._max_step == 0
        if not self._auto:
            return regular
        self._travel += self._motion(frame, new=new)
        due = regular or self._travel > MAX_TRAVEL
        self._travel = 0.0 if due else self._travel
        return due

    def _motion(self, frame: Frame, *, new: bool) -> float:
        """Motion since the previous frame, in longer picture sides."""
        last, self._last = self._last, reduced(frame.image, TRAVEL_PICTURE_SIDE)
        if last is None or new or last.shape != self._last.shape:
            return 0.0
        flow = self._finder.between(self._last, last)
        motion = np.percentile(np.linalg.norm(flow, axis=2), TRAVEL_PERCENTILE)
        return float(motion) / max(last.shape)


def _windows(frames: Iterable[Marked], length: int) -> Generator[list[Marked], None, None]:
    """Lists of frames, each ending before an index that is a multiple of `length`.

    So the batches of a resumed run equal those of an uninterrupted one.
    """
    window: list[Marked] = []
    with closing_input(frames) as source:
        try:
            for marked in source:
                if window and marked.frame.index % length == 0:
                    yield window
                    window = []
                window.append(marked)
                del marked
        except Exception:
            if window:
                yield window
            raise
        if window:
            yield window


def _predicted(predictor: Predictor, size: int, window: Sequence[Marked]) -> deque[Seen]:
    """A window with the objects of its keyframes, predicted in batches of `size`."""
    keys = [marked.frame for marked in window if marked.key]
    found = iter([one for batch in batched(keys, size) for one in predict_frames(predictor, batch)])
    return deque((frame, next(found) if key else None) for frame, key in window)


def _propagated(windows: Iterable[deque[Seen]]) -> Generator[Found, None, None]:
    """Every frame with its objects, propagated from the keyframes to the frames between."""
    threads = PROPAGATION_THREADS
    done = map_ahead(_fill, _intervals(windows), workers=threads, ahead=threads - 1)
    with closing(done) as intervals:
        for found in intervals:
            while found:
                yield found.popleft()


class _Interval(NamedTuple):
    """The frames after a keyframe, up to and including the next one."""

    last: Keyframe | None
    """None before the first keyframe, where no frames lie between."""
    frames: list[Frame]
    following: Keyframe | None
    """The last of `frames` as a keyframe; None where an error ended the frames before it."""


def _intervals(windows: Iterable[deque[Seen]]) -> Generator[_Interval, None, None]:
    last: Keyframe | None = None
    frames: list[Frame] = []
    with closing_input(windows) as source:
        try:
            for window in source:
                while window:
                    frame, found = window.popleft()
                    frames.append(frame)
                    if found is not None:
                        now = Keyframe(reduced(frame.image), found)
                        yield _Interval(last, frames, now)
                        last, frames = now, []
                    del frame
        except Exception:
            if frames:
                yield _Interval(last, frames, None)
            raise


def _fill(interval: _Interval) -> deque[Found]:
    last, frames, following = interval
    inner = frames if following is None else frames[:-1]
    found: deque[Found] = deque()
    if last is not None and inner:
        greys = [reduced(frame.image) for frame in inner]
        found.extend(zip(inner, propagate(last, greys, following, FlowFinder()), strict=True))
    if following is not None:
        found.append((frames[-1], following.instances))
    return found
