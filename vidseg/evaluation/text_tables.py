"""Reports as text tables, line by line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MAX_TABLE_ROWS = 20
"""Most classes or clips in a table; the JSON report has all."""
OVERALL_COLUMNS = (
    "AP",
    "AP50",
    "AP75",
    "AP_small",
    "AP_medium",
    "AP_large",
    "AR1",
    "AR10",
    "AR100",
)
CLASS_COLUMNS = ("AP", "AP50", "AP75", "AR100")
TRACK_COLUMNS = ("HOTA", "DetA", "AssA", "IDF1", "MOTA", "J&F", "AP", "id_switches", "tracks")
STABILITY_ROWS = {
    "coverage": "share of the frame covered",
    "objects_per_frame": "objects per frame",
    "frames_with_objects": "share of frames with objects",
    "flickers": "flickers",
    "flickers_per_object_minute": "flickers per object and minute",
    "flicker_share": "share of object frames lost to flicker",
    "warped_iou": "IoU with masks moved by optical flow",
    "appearances_per_minute": "new objects per minute",
    "ids": "ids",
    "id_births_per_minute": "new ids per minute",
}

Report = Mapping[str, Any]


def photo_lines(report: Report) -> list[str]:
    """The table of a report on photos."""
    alarms = report["false_alarms"]
    lines = [
        f"{report['photos']} photos, {report['objects']} objects, {report['crowds']} crowds; "
        f"{report['detections']} detections with score {report['least_score']:g} or more",
        *_table(OVERALL_COLUMNS, {kind: report[kind] for kind in ("masks", "boxes")}),
    ]
    kind = "masks" if report["masks"]["AP"] is not None else "boxes"
    classes = {
        name: {**one[kind], "objects": one["objects"]} for name, one in report["classes"].items()
    }
    lines += [f"by class, {kind}:", *_table(("objects", *CLASS_COLUMNS), classes)]
    lines.append(
        f"false positives with score {alarms['score']:g} or more: {_cell(alarms['per_photo'])} per "
        f"photo, on {alarms['photos']} photos without objects"
    )
    return lines


def clip_lines(report: Report) -> list[str]:
    """The table of a report on annotated clips."""
    rows = {"all": report["all"], **report["clips"]}
    classes = report["classes"] if len(report["classes"]) > 1 else {}
    lines = _table(TRACK_COLUMNS, rows)
    return lines + (["by class:", *_table(TRACK_COLUMNS, classes)] if classes else [])


def video_lines(report: Report) -> list[str]:
    """The table of a report on a video without annotations."""
    return [
        f"{report['frames']} frames, {report['seconds']:.1f} s, {report['cuts']} cuts",
        *(f"{title:<36} {_cell(report[key])}" for key, title in STABILITY_ROWS.items()),
    ]


def _table(columns: Sequence[str], rows: Mapping[str, Report]) -> list[str]:
    width = max(map(len, [*list(rows)[:MAX_TABLE_ROWS], ""]))
    head = f"{'':{width}}  " + "  ".join(f"{name.replace('_', ' '):>9}" for name in columns)
    shown = dict(list(rows.items())[:MAX_TABLE_ROWS])
    lines = [
        f"{name:{width}}  " + "  ".join(f"{_cell(row[column]):>9}" for column in columns)
        for name, row in shown.items()
    ]
    more = [f"... and {len(rows) - MAX_TABLE_ROWS} more"] if len(rows) > MAX_TABLE_ROWS else []
    return [head, *lines, *more]


def _cell(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.3f}"
