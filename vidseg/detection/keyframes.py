"""Keyframe mode: the network looks at some frames only, and objects are moved between them.

    frames ─► prefetch ─► marked ─► windows ─► predict keys ─► moved ─► prefetch
              thread 1                         threads 2       threads 3

Keyframes are every N-th frame of the source (by index, so that a run that begins later has the same
ones), and always the first frame of a scene and the last, so that what lies between two keyframes
belongs to one scene and is seen from both sides. Frames are taken in windows of a few keyframes,
which the predictor gets in batches while the frames between wait.

Objects in frames between are marked `filled`: no network has seen them there.

Memory: `frames_waiting(every, batch_size, at_once)` pictures at most.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from functools import partial
from typing import Literal, NamedTuple

import numpy as np

from vidseg.concurrency import batched, closing_input, map_ahead, prefetch
from vidseg.detection._propagation import Key, between
from vidseg.detection.predictor import Predictor, batches_at_once
from vidseg.structures.frame import Frame
from vidseg.structures.instances import Found, Instances
from vidseg.video.analysis.optical_flow import FlowFinder, Grey, reduced
from vidseg.video.analysis.scene_cuts import CutFinder

Every = int | Literal["auto"]
"""Frames from keyframe to keyframe; or as things move, 1 to `SLOWEST`."""

SLOWEST = 10
"""Most frames from keyframe to keyframe where they are chosen by motion."""
TRAVEL = 0.08
"""How far a part of the picture may have moved since the last keyframe, in longer sides.

On three clips of DAVIS, with true masks on keyframes: a keyframe every 2.4 to 4.9 frames, J&F of
the frames between 0.924, of the worst clip 0.823; every fifth frame 0.906 and 0.764. With 0.04,
every 1.6 to 3.3 frames, 0.936 and 0.850; with 0.12, 3.2 to 7.0, 0.915 and 0.801.
"""
MOVING = 95
"""Percentile of the points by how far they moved: a twentieth of the picture may move more."""
TINY = 160
"""Longer side of the pictures in which that is looked for, in pixels."""
MOVERS = 2
"""Intervals between keyframes in which objects are moved at once: one takes 20 ms a frame."""
WINDOW = 16
"""Frames that wait in one window for its keyframes, or from one to the next if those are more."""


class Marked(NamedTuple):
    """A frame, and whether the network looks at it."""

    frame: Frame
    key: bool


Seen = tuple[Frame, Instances | None]
"""A frame with its objects if it is a keyframe."""


def detect_keyframes(
    frames: Iterable[Frame], predictor: Predictor, *, every: Every, batch_size: int
) -> Generator[Found, None, None]:
    """Each frame with its objects, in order; the predictor sees keyframes only.

    Reading, predicting and moving run ahead on threads of their own. An error of the source or the
    predictor comes after the frames before it; closing ends the threads and closes `frames`.
    """
    window = window_length(every, batch_size)
    windows = _windows(_marked(prefetch(frames, window + 1), every), window)
    find = partial(_predicted, predictor, batch_size)
    at_once = batches_at_once(predictor)
    return prefetch(_moved(map_ahead(find, windows, workers=at_once, ahead=at_once)), 1)


def longest(every: Every) -> int:
    """Most frames from one keyframe to the next."""
    return SLOWEST if every == "auto" else every


def window_length(every: Every, batch_size: int) -> int:
    """Frames a window: a batch of keyframes, or as many as fit."""
    step = longest(every)
    return step * max(1, min(batch_size, WINDOW // step))


def frames_waiting(every: Every, batch_size: int, at_once: int = 1) -> int:
    """The most pictures that `detect_keyframes` holds, the one handed out included.

    A window and 3 frames read ahead, so many windows `at_once` at the predictor, one done before
    or waiting, one in use, the frames after the last keyframe, those of `MOVERS` intervals, and 2
    handed on.
    """
    ahead = (3 + at_once) * window_length(every, batch_size)
    return ahead + (1 + MOVERS) * longest(every) + 5


def _marked(frames: Iterable[Frame], every: Every) -> Generator[Marked, None, None]:
    """Which frames are keyframes. An error of `frames` comes after the frames before it."""
    cuts, pace = CutFinder(), _Pace(every)
    last: Marked | None = None
    with closing_input(frames) as source:
        try:
            for frame in source:
                cut = cuts.is_cut(frame.image)
                if last is not None:
                    yield last._replace(key=last.key or cut)
                last = Marked(frame, pace.is_due(frame, new=cut or last is None))
                del frame
        except Exception:
            if last is not None:
                yield last._replace(key=True)
            raise
        if last is not None:
            yield last._replace(key=True)


class _Pace:
    """Tells when the next keyframe is due."""

    def __init__(self, every: Every) -> None:
        self._auto, self._longest = every == "auto", longest(every)
        self._finder = FlowFinder()
        self._last: Grey | None = None
        self._travel = 0.0

    def is_due(self, frame: Frame, *, new: bool) -> bool:
        """`new`: the frame begins a scene."""
        regular = new or frame.index % self._longest == 0
        if not self._auto:
            return regular
        self._travel += self._moved(frame, new=new)
        due = regular or self._travel > TRAVEL
        self._travel = 0.0 if due else self._travel
        return due

    def _moved(self, frame: Frame, *, new: bool) -> float:
        """How far things moved since the frame before, in longer sides."""
        last, self._last = self._last, reduced(frame.image, TINY)
        if last is None or new or last.shape != self._last.shape:
            return 0.0
        flow = self._finder.between(self._last, last)
        away = np.percentile(np.linalg.norm(flow, axis=2), MOVING)
        return float(away) / max(last.shape)


def _windows(frames: Iterable[Marked], length: int) -> Generator[list[Marked], None, None]:
    """Lists of frames, each ending before an index that is a multiple of `length`, so that the
    batches of a run that is resumed are those of an unbroken one."""
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
    """A window with the objects of its keyframes, which are predicted in batches of `size`."""
    keys = [marked.frame.image for marked in window if marked.key]
    found = iter([one for batch in batched(keys, size) for one in predictor.predict(batch)])
    return deque((frame, next(found) if key else None) for frame, key in window)


def _moved(windows: Iterable[deque[Seen]]) -> Generator[Found, None, None]:
    """Every frame with its objects, those of keyframes moved to the frames between."""
    moved = map_ahead(_filled_in, _intervals(windows), workers=MOVERS, ahead=MOVERS - 1)
    with closing(moved) as intervals:
        for found in intervals:
            while found:
                yield found.popleft()


class _Interval(NamedTuple):
    """The frames after a keyframe up to the next one, that included."""

    last: Key | None
    """None before the first keyframe, where no frames are between."""
    frames: list[Frame]
    following: Key | None
    """What is known of the last of `frames`; None where they end without a keyframe."""


def _intervals(windows: Iterable[deque[Seen]]) -> Generator[_Interval, None, None]:
    last: Key | None = None
    frames: list[Frame] = []
    with closing_input(windows) as source:
        try:
            for window in source:
                while window:
                    frame, found = window.popleft()
                    frames.append(frame)
                    if found is not None:
                        now = Key(reduced(frame.image), found)
                        yield _Interval(last, frames, now)
                        last, frames = now, []
                    del frame
        except Exception:
            if frames:
                yield _Interval(last, frames, None)
            raise


def _filled_in(interval: _Interval) -> deque[Found]:
    last, frames, following = interval
    inner = frames if following is None else frames[:-1]
    found: deque[Found] = deque()
    if last is not None and inner:
        greys = [reduced(frame.image) for frame in inner]
        found.extend(zip(inner, between(last, greys, following, FlowFinder()), strict=True))
    if following is not None:
        found.append((frames[-1], following.instances))
    return found
