"""The measures of COCO's average precision, and the result that holds them."""

from collections import Counter
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from vidseg.evaluation.ground_truth import ClassMatch, CocoRecord


@dataclass(frozen=True, slots=True)
class Measures:
    """COCO's twelve numbers, 0..1; None where there is nothing to measure (COCOeval's -1).

    `ap` is the mean over IoU 0.50 to 0.95, `ar1` the recall with one detection per photo. Small is
    below 32 x 32 pixels, large is 96 x 96 pixels or more.
    """

    ap: float | None
    ap50: float | None
    ap75: float | None
    ap_small: float | None
    ap_medium: float | None
    ap_large: float | None
    ar1: float | None
    ar10: float | None
    ar100: float | None
    ar_small: float | None
    ar_medium: float | None
    ar_large: float | None

    def to_json(self) -> dict[str, float | None]:
        """With COCO's names: AP, AP50, ..., AR_large."""
        names = (field.name for field in fields(self))
        return {name[:2].upper() + name[2:]: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class ClassResult:
    """The measures of one class."""

    photos: int
    """Photos with objects of it."""
    objects: int
    masks: Measures
    boxes: Measures


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """How good detections are on a dataset."""

    masks: Measures
    boxes: Measures
    classes: dict[str, ClassResult]
    matching: ClassMatch
    """Which classes were evaluated."""
    truth: CocoRecord
    """The ground truth as a COCO dataset."""
    found: list[CocoRecord]
    """The detections as COCO results."""
    max_objects: int
    """Detections per photo that counted."""
    precision: NDArray[np.float64]
    """(T, 101, K) of masks (of boxes, if there are no masks): IoU 0.50 to 0.95, recall 0 to 1, and
    evaluated class; -1 where there is nothing to measure."""

    @property
    def crowded_photos(self) -> int:
        """Photos with more true objects or more detections than count."""
        rows = (*self.truth["annotations"], *self.found)
        true = Counter(each["image_id"] for each in self.truth["annotations"])
        found = Counter(each["image_id"] for each in self.found)
        photos = {each["image_id"] for each in rows}
        return sum(max(true[n], found[n]) > self.max_objects for n in photos)

    def to_json(self) -> CocoRecord:
        """Everything but the ground truth and the detections themselves."""
        annotations = self.truth["annotations"]
        return {
            "photos": len(self.truth["images"]),
            "objects": sum(not each["iscrowd"] for each in annotations),
            "crowds": sum(each["iscrowd"] for each in annotations),
            "detections": len(self.found),
            "max_objects": self.max_objects,
            "photos_with_more_objects": self.crowded_photos,
            "masks": self.masks.to_json(),
            "boxes": self.boxes.to_json(),
            "classes": {
                name: {
                    "photos": one.photos,
                    "objects": one.objects,
                    "masks": one.masks.to_json(),
                    "boxes": one.boxes.to_json(),
                }
                for name, one in self.classes.items()
            },
            "classes_unknown_to_results": list(self.matching.unknown),
        }
