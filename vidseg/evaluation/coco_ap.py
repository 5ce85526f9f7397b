"""COCO's average precision of boxes and masks, computed by pycocotools.

    result = evaluate(open_dataset("photos/", split="val"), load_predictor(m, keep_score=0.05))
    result.masks.ap, result.boxes.ap50, result.classes["balloon"].masks.ap

COCOeval sorts objects into small, medium and large by the stated area of the ground truth, and
results by the area of their box, or of their mask if they have no box.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from vidseg.concurrency import map_ahead, prefetch
from vidseg.detection.predictor import Predictor, batches_at_once
from vidseg.errors import OptionError
from vidseg.evaluation._coco_measures import ClassResult, Measures, Result
from vidseg.evaluation.ground_truth import (
    ClassMatch,
    CocoRecord,
    PhotoDataset,
    PhotoTruth,
    coco_truth,
    match_classes,
    photos,
)
from vidseg.results.formats.context import shortest_decimal
from vidseg.structures.instances import Instances
from vidseg.structures.masks import instance_rle

MIN_SCORE = 0.05
"""Detections below this score are left out, as in detectron2 and torchvision."""
PHOTOS_AHEAD = 2
MAX_OBJECTS = 100
"""Detections per photo that count, those with the highest scores, as in COCO."""

Kind = Literal["segm", "bbox"]
OnPhoto = Callable[[int, int | None], None]
"""Called after every photo with the number done and the total, if known."""


def evaluate(
    dataset: PhotoDataset,
    predictor: Predictor,
    *,
    classes: Iterable[str] = (),
    ids: Sequence[int] | None = None,
    max_objects: int = MAX_OBJECTS,
    on_photo: OnPhoto | None = None,
) -> Result:
    """COCO's measures of what `predictor` finds in the photos of `dataset`.

    Each photo is a batch of its own, so that the numbers do not depend on a batch size. Classes
    are matched by name; those that only one side knows are left out, see `Result.matching`.

    Args:
        dataset: see `vidseg.evaluation.ground_truth.PhotoDataset`.
        predictor: must keep objects with a score of 0.05 or more.
        classes: evaluate only these.
        ids: COCO's image ids of the photos; by default 1, 2, ... Among detections of equal score,
            COCOeval takes those of the lower id first.
        max_objects: detections per photo that count; more than 100 for crowded photos.

    Raises:
        OptionError: no class in common; a predictor that keeps less.
        InputError: a photo cannot be read.
    """
    if getattr(predictor, "keep_score", 0.0) > MIN_SCORE:
        raise OptionError(
            f"AP counts objects with a score of {MIN_SCORE} or more; use keep_score={MIN_SCORE}."
        )
    matching = match_classes(dataset.classes, predictor.classes, classes)
    known, found = look_at_photos(dataset, predictor, matching, ids=ids, on_photo=on_photo)
    truth = coco_truth(known, dataset.classes)
    return evaluate_results(truth, found, matching, max_objects=max_objects)


def look_at_photos(
    dataset: PhotoDataset,
    predictor: Predictor,
    matching: ClassMatch,
    *,
    ids: Sequence[int] | None = None,
    on_photo: OnPhoto | None = None,
) -> tuple[list[PhotoTruth], list[CocoRecord]]:
    """The photos, without their pixels, and what is found in them, as COCO results.

    Raises InputError: a photo cannot be read.
    """
    samples: Sequence[Any] | None = getattr(dataset, "samples", None)
    total = None if samples is None else len(samples)
    known: list[PhotoTruth] = []
    found: list[CocoRecord] = []

    def find(photo: PhotoTruth) -> tuple[PhotoTruth, Instances]:
        assert photo.image is not None
        (instances,) = predictor.predict([photo.image])
        return photo._replace(image=None), instances

    pictures = prefetch(photos(dataset, ids=ids), PHOTOS_AHEAD)
    at_once = batches_at_once(predictor)
    with closing(map_ahead(find, pictures, workers=at_once, ahead=at_once)) as looked_at:
        for photo, instances in looked_at:
            known.append(photo)
            found += results(photo.number, instances, matching.numbers)
            if on_photo is not None:
                on_photo(len(known), total)
    return known, found


def results(number: int, instances: Instances, numbers: Mapping[int, int]) -> list[CocoRecord]:
    """The objects of photo `number` with a score of at least `MIN_SCORE`, as COCO results."""
    rows = np.flatnonzero(instances.scores >= np.float32(MIN_SCORE))
    return [
        {
            "image_id": number,
            "category_id": numbers[label],
            "bbox": _xywh(instances.boxes[row]),
            "segmentation": instance_rle(instances, int(row)),
            "score": shortest_decimal(instances.scores[row]),
        }
        for row in rows
        if (label := int(instances.labels[row])) in numbers
    ]


def evaluate_results(
    truth: CocoRecord,
    found: Sequence[CocoRecord],
    matching: ClassMatch,
    *,
    max_objects: int = MAX_OBJECTS,
) -> Result:
    """Evaluate COCO results against a COCO dataset, for the classes of `matching`.

    Results without masks are evaluated by their boxes alone.
    """
    numbers = list(matching.names)
    kinds: tuple[Kind, ...] = ("segm", "bbox")
    if found and "segmentation" not in found[0]:
        kinds = ("bbox",)
    known = _coco(truth)
    counted = {kind: _counted(known, found, kind, numbers, max_objects) for kind in kinds}
    nothing = Measures(*[None] * 12)
    masks, boxes = (counted.get(kind) for kind in ("segm", "bbox"))
    classes = {
        matching.names[number]: ClassResult(
            photos=len({a["image_id"] for a in truth["annotations"] if _counts(a, number)}),
            objects=sum(_counts(each, number) for each in truth["annotations"]),
            masks=_measures(masks, place) if masks else nothing,
            boxes=_measures(boxes, place) if boxes else nothing,
        )
        for place, number in enumerate(numbers)
    }
    return Result(
        masks=_measures(masks) if masks else nothing,
        boxes=_measures(boxes) if boxes else nothing,
        classes=classes,
        matching=matching,
        truth=truth,
        found=list(found),
        max_objects=max_objects,
        precision=next(iter(counted.values())).eval["precision"][:, :, :, 0, -1],
    )


def _counts(annotation: CocoRecord, number: int) -> bool:
    return annotation["category_id"] == number and not annotation["iscrowd"]


def _counted(
    truth: COCO, found: Sequence[CocoRecord], kind: Kind, numbers: list[int], max_objects: int
) -> Any:
    with _silent():
        copies: Any = [dict(row) for row in found]  # loadRes writes into them
        told = truth.loadRes(copies) if copies else _coco({**truth.dataset, "annotations": []})
        counting = COCOeval(truth, told, kind)
        counting.params.catIds = numbers
        counting.params.maxDets = [1, min(10, max_objects), max_objects]
        counting.evaluate()
        counting.accumulate()
    return counting


def _coco(dataset: CocoRecord) -> COCO:
    coco = COCO()
    coco.dataset = dataset  # pyright: ignore[reportAttributeAccessIssue]
    with _silent():
        coco.createIndex()
    return coco


def _silent() -> contextlib.AbstractContextManager[Any]:
    """pycocotools prints its progress, and stdout is for data."""
    return contextlib.redirect_stdout(io.StringIO())


def _measures(counting: Any, place: int | None = None) -> Measures:
    """As `COCOeval.summarize`: of all classes, or of the one at index `place`."""
    classes = slice(None) if place is None else slice(place, place + 1)
    precision = counting.eval["precision"][:, :, classes]  # (IoU, recall, class, size, most)
    recall = counting.eval["recall"][:, classes]
    return Measures(
        _mean(precision[:, :, :, 0, 2]),
        _mean(precision[0, :, :, 0, 2]),
        _mean(precision[5, :, :, 0, 2]),
        *(_mean(precision[:, :, :, size, 2]) for size in (1, 2, 3)),
        *(_mean(recall[:, :, 0, most]) for most in (0, 1, 2)),
        *(_mean(recall[:, :, size, 2]) for size in (1, 2, 3)),
    )


def _mean(values: NDArray[np.float64]) -> float | None:
    measured = values[values > -1]
    return float(np.mean(measured)) if len(measured) else None


def _xywh(box: NDArray[np.float32]) -> list[float]:
    return [shortest_decimal(np.float32(v)) for v in (*box[:2], *(box[2:] - box[:2]))]
