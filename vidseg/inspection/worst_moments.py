"""Where a result is worst, told from the tracks alone: flicker, weak scores and jumps.

flicker   a track vanishes for up to `MAX_GAP_FRAMES` and comes back, also where the gap was filled;
          several times nearby are one moment; or it lives for `MAX_BRIEF_FRAMES` at most
weak      the mean score of `WINDOW_FRAMES` in a row is below the score that was asked for
jump      a box has an IoU below `MAX_JUMP_IOU` with the box before, and with where the motion of
          the two frames before led
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vidseg.inspection.track_records import TrackRecord, VideoRecord

Kind = Literal["flicker", "weak", "jump"]

MAX_GAP_FRAMES = 30
"""A track that is away for longer was hidden or gone; that is when `MaskTracker` ends one."""
NEARBY_FRAMES = 15
"""Gaps of a track with so few frames between them are one moment."""
MAX_BRIEF_FRAMES = 3
WINDOW_FRAMES = 5
MAX_JUMP_IOU = 0.3
MIN_JUMP_SIDE_PIXELS = 8
"""Boxes with a shorter side jump by a pixel of noise."""
MAX_MOMENTS_A_KIND = 4
MAX_MOMENTS_A_TRACK = 2
"""Of one kind."""


@dataclass(frozen=True, slots=True)
class WorstMoment:
    """One moment of a track."""

    kind: Kind
    track: TrackRecord
    first: int
    last: int
    """Positions of its first and last frame in the record."""
    severity: float
    """The worse, the higher; comparable within a kind."""
    text: str
    """A sentence without its subject, such as `vanished once, for 3 frames`."""
    views: tuple[tuple[int, str], ...]
    """Position and caption of each picture that shows it, side by side."""


@dataclass(frozen=True, slots=True)
class WorstMoments:
    shown: list[WorstMoment]
    """At most `MAX_MOMENTS_A_KIND` of each kind, the worst first."""
    counts: dict[Kind, int]
    """How many there are of each kind."""


def worst_moments(
    record: VideoRecord, *, score: float, filled_is_missed: bool = True
) -> WorstMoments:
    """The moments of `record`, whose tracks were shown from `score` on.

    `filled_is_missed` is False where objects were also moved between keyframes.
    """
    shown: list[WorstMoment] = []
    counts: dict[Kind, int] = {}
    found: dict[Kind, list[WorstMoment]] = {"flicker": [], "weak": [], "jump": []}
    for track in record.tracks:
        found["flicker"] += _flickers(track, len(record.indexes), filled_is_missed)
        found["weak"] += _weak(track, score)
        found["jump"] += _jumps(track)
    for kind, moments in found.items():
        counts[kind] = len(moments)
        shown += _some(sorted(moments, key=lambda moment: -moment.severity))
    return WorstMoments(shown, counts)


def _some(moments: Sequence[WorstMoment]) -> list[WorstMoment]:
    some: list[WorstMoment] = []
    for moment in moments:
        of_track = sum(each.track is moment.track for each in some)
        if of_track < MAX_MOMENTS_A_TRACK and len(some) < MAX_MOMENTS_A_KIND:
            some.append(moment)
    return some


def missed_spans(track: TrackRecord, *, filled_is_missed: bool = True) -> list[tuple[int, int]]:
    """(first, end) positions where the track was not detected between two frames where it was."""
    seen = track.positions[~track.filled] if filled_is_missed else track.positions
    ends = np.flatnonzero(np.diff(seen) > 1)
    return [(int(seen[n]) + 1, int(seen[n + 1])) for n in ends]


def _flickers(track: TrackRecord, frames: int, filled_is_missed: bool) -> Iterator[WorstMoment]:
    spans = [
        span
        for span in missed_spans(track, filled_is_missed=filled_is_missed)
        if span[1] - span[0] <= MAX_GAP_FRAMES
    ]
    for group in _groups(spans):
        yield _flicker(track, group)
    first, last = int(track.positions[0]), int(track.positions[-1])
    if len(track) <= MAX_BRIEF_FRAMES and first > 0 and last < frames - 1:
        many = "1 frame" if len(track) == 1 else f"{len(track)} frames"
        views = ((first - 1, "before"), (track.best_position, "seen"), (last + 1, "after"))
        yield WorstMoment(
            "flicker", track, first, last, 1 / len(track), f"was seen for {many} only", views
        )


def _groups(spans: Sequence[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    group: list[tuple[int, int]] = []
    for span in spans:
        if group and span[0] - group[-1][1] > NEARBY_FRAMES:
            yield group
            group = []
        group.append(span)
    if group:
        yield group


def _flicker(track: TrackRecord, spans: list[tuple[int, int]]) -> WorstMoment:
    missed = sum(end - first for first, end in spans)
    first, end = max(spans, key=lambda span: span[1] - span[0])
    times = "once" if len(spans) == 1 else f"{len(spans)} times"
    many = "1 frame" if missed == 1 else f"{missed} frames"
    middle = (first + end - 1) // 2
    return WorstMoment(
        "flicker",
        track,
        spans[0][0],
        spans[-1][1] - 1,
        missed + 3.0 * len(spans),
        f"vanished {times}, for {many}" + ("" if len(spans) == 1 else " in all"),
        ((first - 1, "before"), (middle, "missed"), (end, "after")),
    )


def _weak(track: TrackRecord, score: float) -> Iterator[WorstMoment]:
    """At most one a track: its weakest window."""
    rows = np.flatnonzero(~track.filled & np.isfinite(track.scores))
    scores = track.scores[rows].astype(np.float64)
    width = min(WINDOW_FRAMES, len(scores))
    if not width:
        return
    means = np.convolve(scores, np.full(width, 1 / width), "valid")
    at = int(means.argmin())
    if means[at] >= score - 1e-6:
        return
    window = rows[at : at + width]
    weakest = int(track.positions[window[scores[at : at + width].argmin()]])
    yield WorstMoment(
        "weak",
        track,
        int(track.positions[window[0]]),
        int(track.positions[window[-1]]),
        score - float(means[at]),
        f"had a score of {means[at]:.2f} on average",
        ((track.best_position, "best"), (weakest, "weakest")),
    )


def _jumps(track: TrackRecord) -> Iterator[WorstMoment]:
    boxes, positions = track.boxes.astype(np.float64), track.positions
    if len(boxes) < 3:
        return
    moved = boxes[1:-1] + (boxes[1:-1] - boxes[:-2])
    unbroken = (np.diff(positions)[1:] == 1) & (np.diff(positions)[:-1] == 1)
    sides = (boxes[2:, 2:] - boxes[2:, :2]).min(1)
    ious = np.maximum(_ious(moved, boxes[2:]), _ious(boxes[1:-1], boxes[2:]))
    jumped = np.flatnonzero(unbroken & (ious < MAX_JUMP_IOU) & (sides >= MIN_JUMP_SIDE_PIXELS)) + 2
    last = -NEARBY_FRAMES
    for row in jumped.tolist():
        if row - last < NEARBY_FRAMES:
            continue
        last = row
        before, here = int(positions[row - 1]), int(positions[row])
        text = _jump_in_words(boxes[row - 1], boxes[row])
        views = ((before, "before"), (here, "after"))
        yield WorstMoment("jump", track, before, here, 1 - float(ious[row - 2]), text, views)


def _jump_in_words(before: NDArray[np.float64], after: NDArray[np.float64]) -> str:
    areas = [max(float(np.prod(box[2:] - box[:2])), 1.0) for box in (before, after)]
    ratio = areas[1] / areas[0]
    if ratio > 2:
        return f"was {ratio:.1f} times as large from one frame to the next"
    if ratio < 0.5:
        return f"shrank to {ratio:.0%} of its area from one frame to the next"
    distance = float(np.hypot(*((after[:2] + after[2:] - before[:2] - before[2:]) / 2)))
    return f"moved {distance:.0f} pixels from one frame to the next"


def _ious(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) IoU of box n of both."""
    sides = (np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])).clip(0)
    shared = sides.prod(1)
    union = (a[:, 2:] - a[:, :2]).clip(0).prod(1) + (b[:, 2:] - b[:, :2]).prod(1) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
