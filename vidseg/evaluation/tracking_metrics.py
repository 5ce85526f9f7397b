"""Metrics of tracks on annotated clips, computed by TrackEval.

HOTA, CLEAR (MOTA and id switches), IDF1, J&F and the mask AP of whole tracks, for every class and
over all. Over all classes, HOTA, CLEAR and IDF1 are averaged over detections, J&F over tracks, and
AP over classes. `trackeval_sequence` prepares the data as TrackEval's own readers of YouTube-VIS,
DAVIS and MOTS do, so that the numbers equal those of the tool. (One difference: the tool numbers
the tracks of YouTube-VIS from 0, and may match an object of track 0 twice; here they start at 1.)

If only one of the visible objects is annotated (DAVIS 2016), only the track with the highest mean
IoU is evaluated: other tracks are no false positives, and AP is undefined.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from vidseg.errors import VidsegError
from vidseg.evaluation.clips import ANY_CLASS
from vidseg.evaluation.trackeval_sequence import Data, EvaluatedClip, best_alone, sequence

MAX_TRACKS_FOR_AP = 100
"""Most tracks per class and clip that count for AP, by score, as in YouTube-VIS."""

Row = dict[str, Any]
Results = Mapping[str, Row]
"""Name of a metric to TrackEval's result."""

MEAN_FIELDS = {
    "HOTA": ("HOTA", "HOTA"),
    "DetA": ("HOTA", "DetA"),
    "AssA": ("HOTA", "AssA"),
    "LocA": ("HOTA", "LocA"),
    "IDF1": ("Identity", "IDF1"),
    "MOTA": ("CLEAR", "MOTA"),
    "J&F": ("JAndF", "J&F"),
    "J": ("JAndF", "J-Mean"),
    "F": ("JAndF", "F-Mean"),
    "AP": ("TrackMAP", "AP_all"),
    "AR": ("TrackMAP", "AR_all"),
}
"""Our name to metric and field; HOTA and AP are means over IoU thresholds."""
COUNT_FIELDS = {
    "id_switches": "IDSW",
    "misses": "CLR_FN",
    "false_alarms": "CLR_FP",
    "fragments": "Frag",
}
"""Our name to CLEAR's, at an IoU of 0.5."""


def score_tracks(evaluated: Iterable[EvaluatedClip]) -> Row:
    """`all`, then the same numbers for each of `classes` and `clips`; None for what is undefined.

    Measures are 0..1 (MOTA may be negative); see `MEAN_FIELDS` and `COUNT_FIELDS`.

    Raises VidsegError: TrackEval is not installed.
    """
    metrics = _metrics()
    pairs = [best_alone(pair) if pair.clip.single else pair for pair in evaluated]
    names = _names(pairs)
    found = {
        (place, number): _one(metrics, pair, number)
        for place, pair in enumerate(pairs)
        for number in names
    }

    def over_clips(number: int, places: Iterable[int]) -> Results:
        rows = {str(place): found[place, number] for place in places}
        return _joined(metrics, rows, "combine_sequences")

    everywhere = {name: over_clips(number, range(len(pairs))) for number, name in names.items()}
    clips = {
        pair.clip.name: _over_classes(
            metrics, {name: over_clips(number, [place]) for number, name in names.items()}
        )
        for place, pair in enumerate(pairs)
    }
    return {
        "all": _plain(_over_classes(metrics, everywhere)),
        "classes": {name: _plain(results) for name, results in everywhere.items()},
        "clips": {name: _plain(results) for name, results in clips.items()},
    }


def check_installed() -> None:
    """Raises VidsegError: TrackEval is not installed."""
    _metrics()


def is_installed() -> bool:
    """Whether TrackEval is installed."""
    try:
        check_installed()
    except VidsegError:
        return False
    return True


def _metrics() -> dict[str, Any]:
    try:
        import skimage  # noqa: F401  TrackEval's J&F needs it without declaring it
        from trackeval import metrics
    except ImportError as error:
        raise VidsegError(
            f"Tracks are evaluated by TrackEval, and {error.name} is not installed; "
            "install both with: pip install 'vidseg[evaluate]'"
        ) from error
    quiet = {"PRINT_CONFIG": False}
    whole = {
        "USE_AREA_RANGES": False,
        "USE_TIME_RANGES": False,
        "MAX_DETECTIONS": MAX_TRACKS_FOR_AP,
    }
    return {
        "HOTA": metrics.HOTA(),
        "CLEAR": metrics.CLEAR(quiet),
        "Identity": metrics.Identity(quiet),
        "JAndF": metrics.JAndF(),
        "TrackMAP": metrics.TrackMAP(quiet | whole),
    }


def _names(pairs: Iterable[EvaluatedClip]) -> dict[int, str]:
    """Number to name of all classes of the ground truth."""
    names: dict[int, str] = {}
    for pair in pairs:
        names |= pair.clip.classes or {ANY_CLASS: "object"}
    return dict(sorted(names.items()))


def _one(metrics: Mapping[str, Any], pair: EvaluatedClip, number: int) -> Results:
    """One clip and class, without the metrics that are undefined for it."""
    data = sequence(pair, number)
    scored = not pair.clip.single and all(track.score is not None for track in pair.tracks)
    skipped = set() if data["num_gt_ids"] else {"JAndF"}
    skipped |= set() if scored else {"TrackMAP"}
    return {
        name: metric.eval_sequence(_copy(data))
        for name, metric in metrics.items()
        if name not in skipped
    } | {"counts": {"tracks": data["num_tracker_ids"], "true_tracks": data["num_gt_ids"]}}


def _copy(data: Data) -> Data:
    """J&F appends to the lists of masks that it gets."""
    return data | {
        side: [list(masks) for masks in data[side]] for side in ("gt_dets", "tracker_dets")
    }


def _joined(metrics: Mapping[str, Any], rows: Mapping[str, Results], how: str) -> dict[str, Row]:
    """The results of several clips or classes combined, metric by metric."""
    joined = {}
    for name, metric in metrics.items():
        if some := {key: row[name] for key, row in rows.items() if name in row}:
            joined[name] = getattr(metric, how)(some)
    counts = [row["counts"] for row in rows.values()]
    keys = ("tracks", "true_tracks")
    return joined | {"counts": {key: sum(each[key] for each in counts) for key in keys}}


def _over_classes(metrics: Mapping[str, Any], rows: Mapping[str, Results]) -> Results:
    by_tracks = {name: metrics[name] for name in ("JAndF",)}
    by_class = {name: metrics[name] for name in ("TrackMAP",)}
    others = {name: m for name, m in metrics.items() if name not in (*by_tracks, *by_class)}
    return (
        _joined(others, rows, "combine_classes_det_averaged")
        | _joined(by_tracks, rows, "combine_sequences")
        | _joined(by_class, rows, "combine_classes_class_averaged")
    )


def _plain(results: Results) -> Row:
    row: Row = {name: _number(results, *place) for name, place in MEAN_FIELDS.items()}
    for name, place in (("AP50", 0), ("AP75", 5)):
        values = results.get("TrackMAP", {}).get("AP_all")
        row[name] = None if values is None or values[place] < 0 else float(values[place])
    row |= {name: int(results["CLEAR"][field]) for name, field in COUNT_FIELDS.items()}
    return row | {name: int(count) for name, count in results["counts"].items()}


def _number(results: Results, metric: str, field: str) -> float | None:
    """The mean of the defined values; AP has -1 where it is undefined."""
    if metric not in results:
        return None
    values = np.atleast_1d(np.asarray(results[metric][field], np.float64))
    values = values[np.isfinite(values)]
    values = values[values > -1] if metric == "TrackMAP" else values
    return float(values.mean()) if len(values) else None
