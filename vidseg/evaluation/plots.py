"""What `vidseg evaluate --out` shows: precision over recall, the worst photos, their overlaps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.effects.text_labels import tag
from vidseg.evaluation.annotated_pictures import scaled, shrunk, with_masks
from vidseg.evaluation.coco_ap import Result
from vidseg.evaluation.ground_truth import Row
from vidseg.evaluation.line_chart import line_chart
from vidseg.evaluation.per_photo import Compared
from vidseg.structures.colors import Color
from vidseg.structures.frame import Image
from vidseg.structures.masks import from_rle

GOOD: Color = (34, 197, 94)
BAD: Color = (239, 68, 68)
PLAIN: Color = (235, 235, 235)
LONGEST = 800
"""Pixels of the longer side of each of two photos beside each other."""
LETTERS = 15
CELL = 44
"""Pixels of a cell of the overlap matrix."""
MOST_CLASSES = 10
"""Curves in the chart of classes: those with most objects."""


def precision_recall(result: Result) -> Image:
    """Two charts: all classes at several IoU, and each class at 0.5."""
    precision = np.where(result.precision < 0, np.nan, result.precision)
    recalls = np.linspace(0, 1, precision.shape[1])
    names = list(result.classes)
    with_objects = [k for k in range(len(names)) if np.isfinite(precision[:, :, k]).any()]
    some = precision[:, :, with_objects]
    at = {"0.50": some[0], "0.75": some[5], "0.90": some[8], "0.50:0.95": some.mean(axis=0)}
    overall = {
        f"{name}: {values.mean():.3f}": _points(recalls, values.mean(axis=1))
        for name, values in at.items()
        if with_objects
    }
    known = sorted(with_objects, key=lambda k: -result.classes[names[k]].objects)[:MOST_CLASSES]
    classes = {
        f"{names[k]}: {precision[0, :, k].mean():.3f}": _points(recalls, precision[0, :, k])
        for k in known
    }
    titles = ("precision over recall, by IoU: AP", "each class at IoU 0.50: AP50")
    charts = [
        line_chart(lines, title=title, x_label="recall", x_range=(0, 1), y_range=(0, 1.02))
        for title, lines in zip(titles, (overall, classes), strict=True)
    ]
    return np.concatenate(charts, axis=1)


def truth_and_found(image: Image, compared: Compared, names: Mapping[int, str]) -> Image:
    """The photo twice: with the truth, missed objects in red, and with what was found, false ones
    in red."""
    small, scale = scaled(image, LONGEST)
    hit = set(compared.pairs.values())
    missed = len(compared.true) - len(hit)
    wrong = len(compared.found) - len(compared.pairs)
    true = _drawn(small, scale, compared.true, [n in hit for n in range(len(compared.true))], names)
    right = [n in compared.pairs for n in range(len(compared.found))]
    found = _drawn(small, scale, compared.found, right, names)
    left = f"truth: {_count(len(compared.true))}, {missed} missed"
    told = f"found: {_count(len(compared.found))}, {wrong} wrong; quality {compared.quality:.2f}"
    gap = np.full((small.shape[0] + 2 * LETTERS, 8, 3), 255, np.uint8)
    return np.concatenate([_headed(true, left), gap, _headed(found, told)], axis=1)


def overlap_matrix(compared: Compared, names: Mapping[int, str]) -> Image:
    """IoU of every found object (rows, best score first) with every true one (columns)."""
    rows = [f"{names[f['category_id']]} {f['score']:.2f}" for f in compared.found]
    cols = [names[t["category_id"]] for t in compared.true]
    side = max([CELL, *(tag(text, LETTERS, PLAIN).shape[1] for text in cols)]) + 2
    head = max([90, *(tag(text, LETTERS, PLAIN).shape[1] for text in rows)]) + 8
    height, width = CELL * (len(rows) + 1), head + side * max(len(cols), 1)
    picture = np.full((height, width, 3), 255, np.uint8)
    _put(picture, "found / true", (4, 12), (255, 255, 255))
    for place, text in enumerate(cols):
        _put(picture, text, (head + side * place, 12), (255, 255, 255))
    for row, text in enumerate(rows):
        _put(picture, text, (4, CELL * (row + 1) + 12), (255, 255, 255))
        for col in range(len(cols)):
            iou = float(compared.overlaps[row, col])
            corner = (head + side * col, CELL * (row + 1))
            color = _shade(iou, paired=compared.pairs.get(row) == col)
            end = (corner[0] + side - 3, corner[1] + CELL - 3)
            cv2.rectangle(picture, corner, end, color, -1)
            cv2.rectangle(picture, corner, end, PLAIN)
            if iou >= 0.005:
                _put(picture, f"{iou:.2f}", (corner[0] + 2, corner[1] + 12), color)
    return picture


def worst_pictures(
    compared: Sequence[Compared], result: Result, read: Callable[[str], Image]
) -> Iterator[tuple[str, Image]]:
    """File name and picture of each photo, its overlaps after it; `read` gives pixels by name."""
    names = result.matching.names
    for place, each in enumerate(compared, 1):
        stem = f"{place:02}_{Path(each.name).stem}"
        yield f"{stem}.jpg", truth_and_found(read(each.name), each, names)
        if each.found and each.true:
            yield f"{stem}_overlaps.png", overlap_matrix(each, names)


def _points(x: NDArray[np.float64], y: NDArray[np.float64]) -> list[tuple[float, float]]:
    return list(zip(x.tolist(), y.tolist(), strict=True))


def _drawn(
    photo: Image, scale: float, rows: Sequence[Row], good: Sequence[bool], names: Mapping[int, str]
) -> Image:
    colors = [GOOD if each else BAD for each in good]
    masks = [_mask(row, photo, scale) for row in rows]
    picture = with_masks(photo, masks, colors)
    for row, color in zip(rows, colors, strict=True):
        x, y, width, height = (round(value * scale) for value in row["bbox"])
        if not isinstance(row.get("segmentation"), dict):
            cv2.rectangle(picture, (x, y), (x + width, y + height), color, 2)
        score = f" {row['score']:.2f}" if "score" in row else ""
        _put(picture, names[row["category_id"]] + score, (x, y), color)
    return picture


def _mask(row: Row, photo: Image, scale: float) -> NDArray[np.uint8]:
    if not isinstance(row.get("segmentation"), dict):
        return np.zeros(photo.shape[:2], np.uint8)
    full = from_rle(row["segmentation"]).view(np.uint8)
    return full if scale == 1.0 else shrunk(full, photo.shape[:2])


def _put(picture: Image, text: str, corner: tuple[int, int], color: Color) -> None:
    """A tag with its upper left corner there, or as near as the picture allows."""
    letters = tag(text, LETTERS, color)
    height, width = (min(a, b) for a, b in zip(letters.shape[:2], picture.shape[:2], strict=True))
    x = max(0, min(corner[0], picture.shape[1] - width))
    y = max(0, min(corner[1], picture.shape[0] - height))
    picture[y : y + height, x : x + width] = letters[:height, :width]


def _headed(picture: Image, text: str) -> Image:
    head = np.full((2 * LETTERS, picture.shape[1], 3), 255, np.uint8)
    _put(head, text, (4, 4), (255, 255, 255))
    return np.concatenate([head, picture])


def _shade(iou: float, *, paired: bool) -> Color:
    """White for no overlap to full green for a pair, or blue for others."""
    strong = GOOD if paired else (59, 130, 246)
    red, green, blue = (round(255 + (value - 255) * iou) for value in strong)
    return red, green, blue


def _count(number: int) -> str:
    return "1 object" if number == 1 else f"{number} objects"
