"""The page about an evaluation on annotated photos."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from markupsafe import Markup

from vidseg.evaluation.text_tables import CLASS_COLUMNS, OVERALL_COLUMNS
from vidseg.inspection._blocks import definitions, figure, heading, page, paragraph, table
from vidseg.structures.frame import Image

Report = Mapping[str, Any]
"""Of `vidseg.evaluate`."""


def photos_page(
    title: str,
    report: Report,
    precision_recall: Image,
    worst: Iterable[tuple[str, Image]],
    made: Mapping[str, str],
) -> str:
    """The whole file; `worst` are captions and pictures, which are taken one at a time."""
    return page(
        title,
        [
            *_measures(report),
            *_classes(report),
            *_false_positives(report),
            figure(precision_recall, "Precision over recall: by IoU, and by class at IoU 0.5"),
            *_worst(worst),
            heading("How it was made"),
            definitions(made),
        ],
    )


def _measures(report: Report) -> Iterator[Markup]:
    yield paragraph(
        f"{report['photos']} photos, {report['objects']} objects and {report['crowds']} crowds; "
        f"{report['detections']} detections with a score of {report['least_score']:g} or more."
    )
    yield heading("Average precision and recall")
    rows = [
        [kind, *(_number(report[kind][name]) for name in OVERALL_COLUMNS)]
        for kind in ("masks", "boxes")
    ]
    yield table(["", *(name.replace("_", " ") for name in OVERALL_COLUMNS)], rows)


def _classes(report: Report) -> Iterator[Markup]:
    kind = "masks" if report["masks"]["AP"] is not None else "boxes"
    yield heading(f"By class, {kind}")
    rows = [
        [name, one["photos"], one["objects"], *(_number(one[kind][c]) for c in CLASS_COLUMNS)]
        for name, one in report["classes"].items()
    ]
    yield table(["class", "photos", "objects", *CLASS_COLUMNS], rows)


def _false_positives(report: Report) -> Iterator[Markup]:
    alarms = report["false_alarms"]
    many = "none" if alarms["per_photo"] is None else f"{alarms['per_photo']:.3f}"
    yield paragraph(
        f"False positives with a score of {alarms['score']:g} or more: {many} per photo, on "
        f"{alarms['photos']} photos without objects of a class."
    )


def _worst(worst: Iterable[tuple[str, Image]]) -> Iterator[Markup]:
    yield heading("The worst photos")
    yield paragraph("The truth is on the left and what was found on the right; errors are red.")
    count = 0
    for count, (caption, picture) in enumerate(worst, 1):  # noqa: B007  the count is used below
        yield figure(picture, caption)
    if not count:
        yield paragraph("Every object was found, and nothing else.")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
