"""Plots of an evaluation: precision over recall, the worst photos, IoU matrices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.effects.text_labels import tag
from vidseg.evaluation.annotated_pictures import scaled, shrunk, with_masks
from vidseg.evaluation.coco_ap import Result
from vidseg.evaluation.ground_truth import CocoRecord
from vidseg.evaluation.line_chart import line_chart
from vidseg.evaluation.per_photo import PhotoComparison
from vidseg.structures.colors import Color
from vidseg.structures.frame import Image
from vidseg.structures.masks import from_rle

CORRECT_COLOR: Color = (34, 197, 94)
WRONG_COLOR: Color = (239, 68, 68)
TAG_COLOR: Color = (235, 235, 235)
PHOTO_SIDE_PIXELS = 800
"""Longer side of each of the two photos side by side."""
TEXT_PIXELS = 15
CELL_PIXELS = 44
"""Side of a cell of the IoU matrix."""
MATRIX_ENDING = "_overlaps.png"
"""Of the file names of IoU matrices."""
MAX_CLASS_CURVES = 10
"""Most curves in the chart of classes: those with the most objects."""


def precision_recall(result: Result) -> Image:
    """Two charts: all classes at several IoU thresholds, and each class at 0.5."""
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
    known = sorted(with_objects, key=lambda k: -result.classes[names[k]].objects)[:MAX_CLASS_CURVES]
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


def truth_and_found(image: Image, compared: PhotoComparison, names: Mapping[int, str]) -> Image:
    """The photo twice: with the ground truth, missed objects in red, and with the detections, wrong
    ones in red."""
    small, scale = scaled(image, PHOTO_SIDE_PIXELS)
    hit = set(compared.pairs.values())
    missed = len(compared.true) - len(hit)
    wrong = len(compared.found) - len(compared.pairs)
    true = _drawn(small, scale, compared.true, [n in hit for n in range(len(compared.true))], names)
    right = [n in compared.pairs for n in range(len(compared.found))]
    found = _drawn(small, scale, compared.found, right, names)
    left = f"truth: {_count(len(compared.true))}, {missed} missed"
    told = f"found: {_count(len(compared.found))}, {wrong} wrong; quality {compared.quality:.2f}"
    gap = np.full((small.shape[0] + 2 * TEXT_PIXELS, 8, 3), 255, np.uint8)
    return np.concatenate([_headed(true, left), gap, _headed(found, told)], axis=1)


def overlap_matrix(compared: PhotoComparison, names: Mapping[int, str]) -> Image:
    """IoU of every found object (rows, best score first) with every true one (columns)."""
    rows = [f"{names[f['category_id']]} {f['score']:.2f}" for f in compared.found]
    cols = [names[t["category_id"]] for t in compared.true]
    side = max([CELL_PIXELS, *(tag(text, TEXT_PIXELS, TAG_COLOR).shape[1] for text in cols)]) + 2
    head = max([90, *(tag(text, TEXT_PIXELS, TAG_COLOR).shape[1] for text in rows)]) + 8
    height, width = CELL_PIXELS * (len(rows) + 1), head + side * max(len(cols), 1)
    picture = np.full((height, width, 3), 255, np.uint8)
    _put(picture, "found / true", (4, 12), (255, 255, 255))
    for place, text in enumerate(cols):
        _put(picture, text, (head + side * place, 12), (255, 255, 255))
    for row, text in enumerate(rows):
        _put(picture, text, (4, CELL_PIXELS * (row + 1) + 12), (255, 255, 255))
        for col in range(len(cols)):
            iou = float(compared.overlaps[row, col])
            corner = (head + side * col, CELL_PIXELS * (row + 1))
            color = _shade(iou, paired=compared.pairs.get(row) == col)
            end = (corner[0] + side - 3, corner[1] + CELL_PIXELS - 3)
            cv2.rectangle(picture, corner, end, color, -1)
            cv2.rectangle(picture, corner, end, TAG_COLOR)
            if iou >= 0.005:
                _put(picture, f"{iou:.2f}", (corner[0] + 2, corner[1] + 12), color)
    return picture


def worst_pictures(
    compared: Sequence[PhotoComparison], result: Result, read: Callable[[str], Image]
) -> Iterator[tuple[str, Image]]:
    """File name and image of each photo, then its IoU matrix; `read` loads a photo by name."""
    names = result.matching.names
    for place, each in enumerate(compared, 1):
        stem = f"{place:02}_{Path(each.name).stem}"
        yield f"{stem}.jpg", truth_and_found(read(each.name), each, names)
        if each.found and each.true:
            yield f"{stem}{MATRIX_ENDING}", overlap_matrix(each, names)


def _points(x: NDArray[np.float64], y: NDArray[np.float64]) -> list[tuple[float, float]]:
    return list(zip(x.tolist(), y.tolist(), strict=True))


def _drawn(
    photo: Image,
    scale: float,
    rows: Sequence[CocoRecord],
    good: Sequence[bool],
    names: Mapping[int, str],
) -> Image:
    colors = [CORRECT_COLOR if each else WRONG_COLOR for each in good]
    masks = [_mask(row, photo, scale) for row in rows]
    picture = with_masks(photo, masks, colors)
    for row, color in zip(rows, colors, strict=True):
        x, y, width, height = (round(value * scale) for value in row["bbox"])
        if not isinstance(row.get("segmentation"), dict):
            cv2.rectangle(picture, (x, y), (x + width, y + height), color, 2)
        score = f" {row['score']:.2f}" if "score" in row else ""
        _put(picture, names[row["category_id"]] + score, (x, y), color)
    return picture


def _mask(row: CocoRecord, photo: Image, scale: float) -> NDArray[np.uint8]:
    if not isinstance(row.get("segmentation"), dict):
        return np.zeros(photo.shape[:2], np.uint8)
    full = from_rle(row["segmentation"]).view(np.uint8)
    return full if scale == 1.0 else shrunk(full, photo.shape[:2])


def _put(picture: Image, text: str, corner: tuple[int, int], color: Color) -> None:
    """A tag with its top left corner there, or as near as the image allows."""
    letters = tag(text, TEXT_PIXELS, color)
    height, width = (min(a, b) for a, b in zip(letters.shape[:2], picture.shape[:2], strict=True))
    x = max(0, min(corner[0], picture.shape[1] - width))
    y = max(0, min(corner[1], picture.shape[0] - height))
    picture[y : y + height, x : x + width] = letters[:height, :width]


def _headed(picture: Image, text: str) -> Image:
    head = np.full((2 * TEXT_PIXELS, picture.shape[1], 3), 255, np.uint8)
    _put(head, text, (4, 4), (255, 255, 255))
    return np.concatenate([head, picture])


def _shade(iou: float, *, paired: bool) -> Color:
    """From white at IoU 0 to green for a pair, or to blue for others."""
    strong = CORRECT_COLOR if paired else (59, 130, 246)
    red, green, blue = (round(255 + (value - 255) * iou) for value in strong)
    return red, green, blue


def _count(number: int) -> str:
    return "1 object" if number == 1 else f"{number} objects"
