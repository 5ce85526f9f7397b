"""The reports for people, line by line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MOST = 20
"""Classes or clips in a table; the JSON has all."""
LONG = ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large", "AR1", "AR10", "AR100")
SHORT = ("AP", "AP50", "AP75", "AR100")
TRACKS = ("HOTA", "DetA", "AssA", "IDF1", "MOTA", "J&F", "AP", "id_switches", "tracks")
STEADY = {
    "coverage": "share of the frame covered",
    "objects_per_frame": "objects a frame",
    "frames_with_objects": "share of frames with objects",
    "flickers": "flickers",
    "flickers_per_object_minute": "flickers a minute of an object",
    "flicker_share": "share of object frames missing so",
    "warped_iou": "IoU of moved masks, frame to frame",
    "appearances_per_minute": "appearances a minute",
    "ids": "ids",
    "id_births_per_minute": "births of ids a minute",
}

Row = Mapping[str, Any]


def photo_lines(report: Row) -> list[str]:
    """What `vidseg evaluate` found on photos."""
    alarms = report["false_alarms"]
    lines = [
        f"{report['photos']} photos, {report['objects']} objects, {report['crowds']} crowds; "
        f"{report['detections']} detections from score {report['least_score']:g} on",
        *_table(LONG, {kind: report[kind] for kind in ("masks", "boxes")}),
    ]
    kind = "masks" if report["masks"]["AP"] is not None else "boxes"
    classes = {
        name: {**one[kind], "objects": one["objects"]} for name, one in report["classes"].items()
    }
    lines += [f"by class, {kind}:", *_table(("objects", *SHORT), classes)]
    lines.append(
        f"false alarms from score {alarms['score']:g} on: {_cell(alarms['per_photo'])} a photo, on "
        f"{alarms['photos']} photos without objects"
    )
    return lines


def clip_lines(report: Row) -> list[str]:
    """What it found on annotated clips."""
    rows = {"all": report["all"], **report["clips"]}
    classes = report["classes"] if len(report["classes"]) > 1 else {}
    lines = _table(TRACKS, rows)
    return lines + (["by class:", *_table(TRACKS, classes)] if classes else [])


def video_lines(report: Row) -> list[str]:
    """What it found on a video that nobody annotated."""
    return [
        f"{report['frames']} frames, {report['seconds']:.1f} s, {report['cuts']} cuts",
        *(f"{title:<36} {_cell(report[key])}" for key, title in STEADY.items()),
    ]


def _table(columns: Sequence[str], rows: Mapping[str, Row]) -> list[str]:
    width = max(map(len, [*list(rows)[:MOST], ""]))
    head = f"{'':{width}}  " + "  ".join(f"{name.replace('_', ' '):>9}" for name in columns)
    shown = dict(list(rows.items())[:MOST])
    lines = [
        f"{name:{width}}  " + "  ".join(f"{_cell(row[column]):>9}" for column in columns)
        for name, row in shown.items()
    ]
    more = [f"... and {len(rows) - MOST} more"] if len(rows) > MOST else []
    return [head, *lines, *more]


def _cell(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.3f}"
