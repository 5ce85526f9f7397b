"""The page about a dataset."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from markupsafe import Markup

from vidseg.datasets import Content, Sample
from vidseg.datasets.sample_builder import read_pixels
from vidseg.datasets.statistics import report
from vidseg.datasets.torch_dataset import masks_of
from vidseg.evaluation.annotated_pictures import colors_of, scaled, shrunk, with_boxes, with_masks
from vidseg.inspection._blocks import bars, figure, heading, page, paragraph, short, table
from vidseg.inspection.anchors import MAX_IOU_MISSED, MIN_IOU_FITTING, Anchors
from vidseg.structures.boxes import Boxes
from vidseg.structures.frame import Image

HISTOGRAM_BINS = 24
MAX_MISSED_SHOWN = 12
"""Most objects shown among those that the anchors miss."""


class Fit(NamedTuple):
    """One object, and the IoU of its best anchor."""

    sample: Sample
    row: int
    iou: float


def inspect_data(content: Content, anchors: Anchors, *, photos: int = 12) -> str:
    """The page about `content` as HTML: counts, `photos` of its photos, sizes, shapes, anchors.

    Raises InputError: a photo is missing or has changed.
    """
    facts = report(content)
    fits = [fit for sample in content.samples for fit in _fits(sample, anchors)]
    return page(
        "Dataset",
        [
            *_counts(facts),
            *_photos(content, photos),
            *_shapes(content),
            *_anchors(anchors, fits),
            *_left_out(facts),
        ],
    )


def _counts(facts: dict[str, Any]) -> Iterator[Markup]:
    parts = facts["splits"]
    yield heading("Overview")
    yield paragraph(
        f"Format {', '.join(facts['formats'])}: {facts['photos']} photos, "
        f"{facts['objects']} objects; classes: {', '.join(facts['classes'].values())}."
    )
    keys = ("photos", "photos_without_objects", "objects", "crowds")
    rows = [[key.replace("_", " "), *(part[key] for part in parts.values())] for key in keys]
    rows += [
        [name, *(part["by_class"][name] for part in parts.values())]
        for name in facts["classes"].values()
    ]
    yield table(["", *parts], rows)


def _photos(content: Content, count: int) -> Iterator[Markup]:
    yield heading("Photos with their masks and boxes")
    for sample in _spread(content.samples, count):
        names = ", ".join(sorted({each.label for each in sample.objects})) or "no objects"
        yield figure(annotated(sample, content), f"{sample.path.name}: {names}")


def annotated(sample: Sample, content: Content) -> Image:
    """The photo with its objects, small enough for a page."""
    picture, scale = scaled(read_pixels(sample))
    numbers = {name: number for number, name in content.classes.items()}
    several = len(content.classes) > 1
    labels = [numbers[o.label] if several else row for row, o in enumerate(sample.objects, 1)]
    colors = colors_of(labels)
    small = [shrunk(mask, picture.shape[:2]) for mask in masks_of(sample)]
    boxes = np.array([o.box for o in sample.objects], np.float32).reshape(-1, 4) * scale
    return with_boxes(with_masks(picture, small, colors), boxes, colors)


def _shapes(content: Content) -> Iterator[Markup]:
    objects = [each for sample in content.samples for each in sample.objects]
    yield heading("Sizes and shapes")
    if not objects:
        yield paragraph("There are no objects.")
        return
    sides = [each.area**0.5 for each in objects]
    boxes = np.array([each.box for each in objects])
    ratios = (boxes[:, 2] - boxes[:, 0]) / (boxes[:, 3] - boxes[:, 1])
    counts = [len(sample.objects) for sample in content.samples]
    widths = [sample.size[1] for sample in content.samples]
    yield table(
        ["", "histogram", "smallest", "median", "largest"],
        [
            _row("size of objects: square root of the area, pixels", sides),
            _row("aspect ratio of boxes: width by height, log2", np.log2(ratios)),
            _row("objects per photo", counts),
            _row("width of photos, pixels", widths),
        ],
    )


def _row(name: str, values: Sequence[float] | np.ndarray) -> list[object]:
    counts, edges = np.histogram(values, HISTOGRAM_BINS)
    return [name, bars(counts, edges), *map(short, np.percentile(values, (0, 50, 100)))]


def _fits(sample: Sample, anchors: Anchors) -> Iterator[Fit]:
    boxes = torch.tensor([each.box for each in sample.objects]).reshape(-1, 4)
    for row, iou in enumerate(anchors.fit(boxes, sample.size).tolist()):
        yield Fit(sample, row, iou)


def _anchors(anchors: Anchors, fits: list[Fit]) -> Iterator[Markup]:
    yield heading("How well the anchors fit the objects")
    sides = [sorted({round(float(s)) for s in _sides(cell)}) for cell in anchors.cells]
    yield table(
        ["stride", "anchors per position", "sizes, pixels of the network's input"],
        [
            [stride, len(cell), ", ".join(map(str, side))]
            for stride, cell, side in zip(anchors.strides, anchors.cells, sides, strict=True)
        ],
    )
    if not fits:
        return
    ious = np.array([fit.iou for fit in fits])
    missed = sorted((fit for fit in fits if fit.iou < MAX_IOU_MISSED), key=lambda fit: fit.iou)
    yield paragraph(
        f"IoU of each object with its best anchor: {np.mean(ious >= MIN_IOU_FITTING):.0%} reach "
        f"{MIN_IOU_FITTING}, which makes the anchor a positive example; {len(missed)} of "
        f"{len(fits)} stay below {MAX_IOU_MISSED} and are hard to learn."
    )
    yield bars(*np.histogram(ious, HISTOGRAM_BINS, (0, 1)))
    for fit in missed[:MAX_MISSED_SHOWN]:
        yield figure(_pointed_at(fit), f"{fit.sample.path.name}: IoU {fit.iou:.2f}")


def _sides(cell: torch.Tensor) -> torch.Tensor:
    """Square root of the area of each anchor."""
    return ((cell[:, 2] - cell[:, 0]) * (cell[:, 3] - cell[:, 1])).sqrt()


def _pointed_at(fit: Fit) -> Image:
    picture, scale = scaled(read_pixels(fit.sample), 320)
    box: Boxes = np.array([fit.sample.objects[fit.row].box], np.float32) * scale
    return with_boxes(picture, box, [(239, 68, 68)])


def _left_out(facts: dict[str, Any]) -> Iterator[Markup]:
    yield heading("Left out")
    if not facts["skipped"]:
        yield paragraph("Nothing: every photo and every object can be used.")
        return
    rows = [[each["file"], each["item"], each["reason"]] for each in facts["skipped"]]
    yield table(["file", "part", "reason"], rows)


def _spread(samples: Sequence[Sample], count: int) -> list[Sample]:
    """At most `count`, evenly from first to last."""
    places = np.unique(np.linspace(0, len(samples) - 1, min(count, len(samples))).round())
    return [samples[int(place)] for place in places]
