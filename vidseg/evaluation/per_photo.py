"""Rank photos by quality, and compare detections with the ground truth in each."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from vidseg.evaluation.coco_ap import Result
from vidseg.evaluation.ground_truth import CocoRecord
from vidseg.structures.mask_overlap import best_pairs

MIN_PAIR_IOU = 0.5
"""Minimum IoU of a detection with its true object, as in panoptic quality."""


class PhotoComparison(NamedTuple):
    """One photo: the ground truth, and the detections of at least some score."""

    name: str
    true: list[CocoRecord]
    """COCO's annotations, without crowds."""
    found: list[CocoRecord]
    """COCO's results, best score first."""
    overlaps: NDArray[np.float64]
    """(found, true) IoU of the masks, or of boxes where there are no masks."""
    pairs: dict[int, int]
    """Index in `found` to index in `true`."""
    quality: float
    """Panoptic quality (Kirillov et al. 2019): the sum of the IoU of pairs, divided by the number
    of pairs plus half of the unpaired objects; 1 if there are no objects and no detections."""


def compare_photos(result: Result, score: float) -> list[PhotoComparison]:
    """Every photo, the worst first, with the detections of at least `score`."""
    photos = {image["id"]: image["file_name"] for image in result.truth["images"]}
    evaluated = result.matching.names
    true: dict[int, list[CocoRecord]] = {number: [] for number in photos}
    found: dict[int, list[CocoRecord]] = {number: [] for number in photos}
    for each in result.truth["annotations"]:
        if each["category_id"] in evaluated and not each["iscrowd"]:
            true[each["image_id"]].append(each)
    for row in sorted(result.found, key=lambda row: -row["score"]):
        if row["category_id"] in evaluated and row["score"] >= score:
            found[row["image_id"]].append(row)
    compared = [_compared(name, true[n], found[n]) for n, name in photos.items()]
    return sorted(compared, key=lambda each: each.quality)


def _compared(name: str, true: list[CocoRecord], found: list[CocoRecord]) -> PhotoComparison:
    overlaps = _overlaps(true, found)
    alike = [[f["category_id"] == t["category_id"] for t in true] for f in found]
    allowed = np.array(alike, bool).reshape(overlaps.shape) & (overlaps >= MIN_PAIR_IOU)
    rows, cols = best_pairs(overlaps, allowed)
    total = (len(true) + len(found)) / 2
    quality = overlaps[rows, cols].sum() / total if total else 1.0
    pairs = dict(zip(rows.tolist(), cols.tolist(), strict=True))
    return PhotoComparison(name, true, found, overlaps, pairs, float(quality))


def _overlaps(true: list[CocoRecord], found: list[CocoRecord]) -> NDArray[np.float64]:
    if not true or not found:
        return np.zeros((len(found), len(true)))
    key = "segmentation" if isinstance(found[0].get("segmentation"), dict) else "bbox"
    return np.asarray(coco.iou([f[key] for f in found], [t[key] for t in true], [0] * len(true)))
