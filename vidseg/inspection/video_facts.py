"""A video's record as the values that its page shows and holds as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidseg.inspection._track_pictures import pictured, strip_rows
from vidseg.inspection.track_records import TrackRecord, VideoRecord
from vidseg.inspection.worst_moments import WorstMoment, WorstMoments
from vidseg.structures.colors import color_of

MAX_BINS = 240
"""Columns of the charts over the whole video."""
MAX_CURVE_POINTS, MIN_CURVE_POINTS = 120, 12
CURVE_POINTS_A_PAGE = 12_000
"""Tracks share these."""
MAX_PATH_POINTS = 24
MAX_LISTED_TRACKS = 1000
"""Others are in the JSON alone."""
EDGE_SHARE = 0.01
"""A box nearer to an edge of the frame than this share of the frame's side touches it."""
MIN_EDGE_PIXELS = 2

Facts = dict[str, Any]
"""JSON values."""


@dataclass(frozen=True, slots=True)
class About:
    """Where a record comes from."""

    name: str
    """File name of the input."""
    score: float
    """Tracks were shown from this score on."""
    made: Mapping[str, str]
    """How it was made, as pairs of words for people."""
    commands: Mapping[int, str] = field(default_factory=dict)
    """Track id to the command that shows it alone."""
    notes: Sequence[str] = ()
    """Sentences about what is missing."""
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    """Measured against annotations, by name."""


def video_facts(
    record: VideoRecord, moments: WorstMoments, about: About, *, strip_frames: int
) -> Facts:
    """Everything that the page says in numbers; times are seconds, areas square pixels."""
    frames = len(record.indexes)
    edges = np.linspace(0, frames, min(frames, MAX_BINS) + 1).round().astype(int)
    height, width = record.size
    share = CURVE_POINTS_A_PAGE // max(len(record.tracks), 1)
    points = min(max(share, MIN_CURVE_POINTS), MAX_CURVE_POINTS)
    shown = {track.id for track in pictured(record.tracks)}
    listed = _listed(record.tracks, moments)
    return {
        "name": about.name,
        "size": [width, height],
        "frames": frames,
        "start": _time(record, 0) if frames else 0.0,
        "end": _rounded(record.end),
        "timed": True,
        "score": about.score,
        "metrics": dict(about.metrics),
        "frames_with_objects": int(np.count_nonzero(_all_counts(record))),
        "untracked": record.untracked,
        "coverage": {
            "mean": _rounded(record.coverage.mean(), 5) if frames else 0.0,
            "highest": _rounded(record.coverage.max(initial=0), 5),
            "bins": _binned(record.coverage, edges, 5),
        },
        "bins": [_time(record, int(edge)) for edge in edges[:-1]],
        "classes": [_class_facts(record, label, edges) for label in record.counts],
        "tracks": [
            _track_facts(record, track, points)
            | {
                "listed": track.id in listed,
                "command": about.commands.get(track.id, ""),
                "best": _frame(record, track, track.best_row),
                "strip": [
                    _frame(record, track, row)
                    for row in (strip_rows(track, strip_frames) if track.id in shown else [])
                ],
            }
            for track in record.tracks
        ],
        "moments": [_moment_facts(record, moment) for moment in moments.shown],
        "moment_counts": dict(moments.counts),
        "made": dict(about.made),
        "notes": list(about.notes),
    }


def _listed(tracks: Sequence[TrackRecord], moments: WorstMoments) -> set[int]:
    """The ids of the tracks that the page lists: the longest, and those of the worst moments."""
    longest = sorted(tracks, key=len, reverse=True)[:MAX_LISTED_TRACKS]
    return {track.id for track in longest} | {moment.track.id for moment in moments.shown}


def untimed(facts: Facts) -> Facts:
    """The same of an input without times, where a frame takes a second."""
    return facts | {"timed": False}


def _moment_facts(record: VideoRecord, moment: WorstMoment) -> Facts:
    return {
        "kind": moment.kind,
        "track": moment.track.id,
        "name": record.name_of(moment.track),
        "start": _time(record, moment.first),
        "end": _end(record, moment.last),
        "text": moment.text,
        "views": [
            {"frame": int(record.indexes[at]), "time": _time(record, at), "caption": caption}
            for at, caption in moment.views
        ],
    }


def _class_facts(record: VideoRecord, label: int, edges: NDArray[np.int64]) -> Facts:
    counts = record.counts[label]
    return {
        "name": record.names.get(label, str(label)),
        "tracks": sum(track.label == label for track in record.tracks),
        "objects": int(counts.sum()),
        "most": int(counts.max(initial=0)),
        "bins": _binned(counts, edges, 2),
    }


def _track_facts(record: VideoRecord, track: TrackRecord, points: int) -> Facts:
    first, last = int(track.positions[0]), int(track.positions[-1])
    scores = track.scores[np.isfinite(track.scores)].astype(np.float64)
    return {
        "id": track.id,
        "name": record.name_of(track),
        "color": "#{:02x}{:02x}{:02x}".format(*color_of(track.id)),
        "first_frame": int(record.indexes[first]),
        "last_frame": int(record.indexes[last]),
        "start": _time(record, first),
        "end": _end(record, last),
        "frames": len(track),
        "filled": int(np.count_nonzero(track.filled)),
        "spans": [[_time(record, a), _end(record, b)] for a, b in track.visible_spans()],
        "score": _spread(scores, 4) if len(scores) else None,
        "area": _spread(track.areas, 1),
        "area_share": _rounded(track.areas.mean() / (record.size[0] * record.size[1]), 5),
        "enters": _crossing(record, track, 0),
        "leaves": _crossing(record, track, -1),
        "curve": _curve(record, track, points),
        "path": _path(track),
    }


def _curve(record: VideoRecord, track: TrackRecord, points: int) -> Facts:
    """Score and area over time: one point a frame, or means of equally many frames in a row.

    `breaks` are the points before which the track was away.
    """
    parts = np.array_split(np.arange(len(track)), min(points, len(track)))
    first = np.array([track.positions[rows[0]] for rows in parts])
    last = np.array([track.positions[rows[-1]] for rows in parts])
    scores = [track.scores[rows] for rows in parts]
    return {
        "times": [_time(record, int(track.positions[rows[len(rows) // 2]])) for rows in parts],
        "scores": [_known(some, np.mean) for some in scores],
        "lowest": [_known(some, np.min) for some in scores],
        "areas": [_rounded(track.areas[rows].mean(), 1) for rows in parts],
        "breaks": (np.flatnonzero(first[1:] - last[:-1] > 1) + 1).tolist(),
    }


def _known(
    scores: NDArray[np.float32], measure: Callable[[NDArray[np.float32]], Any]
) -> float | None:
    """A measure of the scores that are known; None without any."""
    known = scores[np.isfinite(scores)]
    return _rounded(measure(known)) if len(known) else None


def _path(track: TrackRecord) -> list[list[float]]:
    """Centres of the boxes."""
    rows = strip_rows(track, MAX_PATH_POINTS)
    centres = (track.boxes[rows, :2] + track.boxes[rows, 2:]) / 2
    return [[_rounded(x, 1), _rounded(y, 1)] for x, y in centres.tolist()]


def _crossing(record: VideoRecord, track: TrackRecord, row: int) -> Facts:
    """Where the track enters (`row` 0) or leaves (-1)."""
    height, width = record.size
    x0, y0, x1, y1 = track.boxes[row].tolist()
    gaps = {"left": x0, "right": width - x1, "top": y0, "bottom": height - y1}
    sides = {"left": width, "right": width, "top": height, "bottom": height}
    touched = [
        edge for edge, gap in gaps.items() if gap <= max(EDGE_SHARE * sides[edge], MIN_EDGE_PIXELS)
    ]
    edge = min(touched, key=lambda edge: gaps[edge] / sides[edge], default=None)
    ends = 0 if row == 0 else len(record.indexes) - 1
    return {
        "edge": edge,
        "at": [_rounded((x0 + x1) / 2, 1), _rounded((y0 + y1) / 2, 1)],
        "with_video": bool(track.positions[row] == ends),
    }


def _frame(record: VideoRecord, track: TrackRecord, row: int) -> Facts:
    at = int(track.positions[row])
    score = float(track.scores[row])
    return {
        "frame": int(record.indexes[at]),
        "time": _time(record, at),
        "score": _rounded(score) if np.isfinite(score) else None,
        "filled": bool(track.filled[row]),
    }


def _spread(values: NDArray[Any], digits: int) -> Facts:
    facts = {"mean": values.mean(), "lowest": values.min(), "highest": values.max()}
    return {name: _rounded(value, digits) for name, value in facts.items()}


def _binned(values: NDArray[Any], edges: NDArray[np.int64], digits: int) -> list[float]:
    return [_rounded(values[low:high].mean(), digits) for low, high in pairwise(edges.tolist())]


def _all_counts(record: VideoRecord) -> NDArray[np.int64]:
    return sum(record.counts.values(), np.zeros(len(record.indexes), np.int64))


def _time(record: VideoRecord, position: int) -> float:
    return _rounded(record.times[position])


def _end(record: VideoRecord, position: int) -> float:
    """When the frame at this position ends, which is when the next one begins."""
    last = position + 1 == len(record.indexes)
    return _rounded(record.end if last else record.times[position + 1])


def _rounded(value: Any, digits: int = 4) -> float:
    """Rounded; a whole number as such, which is shorter in JSON."""
    rounded = round(float(value), digits)
    return int(rounded) if rounded.is_integer() else rounded
