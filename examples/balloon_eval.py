"""COCO mask AP of a balloon model on Matterport's photos, and false alarms on photos without any.

python examples/balloon_eval.py DATA MODEL
"""

import argparse
import contextlib
import io
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from balloon_data import CHOOSING, Photo, load_balloon_photo, read, share_alike, via_items
from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from vidseg.detection.predictor import Predictor
from vidseg.models.predictor import load_predictor
from vidseg.structures.instances import Instances
from vidseg.structures.masks import instance_rle

FULL_SIZE = 1 << 20
KEEP_SCORE, SCORE = 0.05, 0.5
"""From which on objects count for AP, and are shown."""


def load_split(folder: Path, only: tuple[str, ...] = ()) -> list[Photo]:
    """The folder's photos at full size; those named in `only`, or all."""
    items = [item for item in via_items(folder) if not only or item[0].name in only]
    return [load_balloon_photo(*item, longest=FULL_SIZE) for item in items]


def average_precision(predictor: Predictor, photos: list[Photo]) -> dict[str, float]:
    """Mask and box AP of COCO."""
    return evaluate_results(photos, [rows(*predictor.predict([photo.image])) for photo in photos])


def rows(found: Instances) -> list[dict]:
    """The objects of a photo as COCO's results."""
    return [
        {
            "category_id": 1,
            "score": float(found.scores[row]),
            "bbox": [x0, y0, x1 - x0, y1 - y0],
            "segmentation": instance_rle(found, row),
        }
        for row, (x0, y0, x1, y1) in enumerate(found.boxes.tolist())
    ]


def evaluate_results(photos: list[Photo], answers: list[list[dict]]) -> dict[str, float]:
    """Mask and box AP of what was found in each photo, in rows as `rows` gives them."""
    truth = _truth(photos)
    found = [{"image_id": number, **row} for number, rows in enumerate(answers, 1) for row in rows]
    result = {}
    for kind in ("segm", "bbox"):
        with contextlib.redirect_stdout(io.StringIO()):
            judge = COCOeval(truth, truth.loadRes(found) if found else COCO(), kind)  # pyright: ignore[reportArgumentType]
            if found:
                judge.evaluate()
                judge.accumulate()
                judge.summarize()
        stats = judge.stats if found else np.zeros(12)
        result |= {
            f"{kind}_AP": round(float(stats[0]), 4),
            f"{kind}_AP50": round(float(stats[1]), 4),
        }
    return result


def _truth(photos: list[Photo]) -> COCO:
    images, annotations = [], []
    for number, photo in enumerate(photos, 1):
        height, width = photo.image.shape[:2]
        images.append({"id": number, "height": height, "width": width})
        for mask in photo.masks:
            counts = rle.encode(np.asfortranarray(mask))
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": 1,
                    "iscrowd": 0,
                    "segmentation": counts,
                    "area": int(rle.area(counts)),
                    "bbox": list(map(float, cv2.boundingRect(mask))),
                }
            )
    coco = COCO()
    coco.dataset = {  # pyright: ignore[reportAttributeAccessIssue]
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "balloon"}],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
    return coco


def false_alarms(predictor: Predictor, data: Path) -> dict[str, Any]:
    """Detections above `SCORE` per balloon-free photo that took no part in training (CC BY-SA)."""
    free = set(json.loads((data / "backgrounds.json").read_text())["balloon_free"])
    paths = {}
    for folder in (data / "coco_mini", data / "coco_person1"):
        paths |= {n: folder / "images" / n for n in sorted(share_alike(folder) & free)}
    scores = {}
    for name, path in paths.items():
        [found] = predictor.predict([read(path)[0]])
        scores[name] = found.scores
    alarms = {n: int((s >= SCORE).sum()) for n, s in scores.items() if (s >= SCORE).any()}
    return {
        "photos": len(paths),
        "per_photo": round(sum(alarms.values()) / len(paths), 4),
        "where": alarms,
        "highest_scores": sorted(np.concatenate([*scores.values()]).round(3).tolist())[:-41:-1],
    }


def recall(predictor: Predictor, photos: list[Photo]) -> dict[str, float]:
    """Share of the balloons that are found at a score, with IoU of masks from 0.5."""
    answers = [rows(*predictor.predict([photo.image])) for photo in photos]
    result = {}
    for score in (0.5, 0.25):
        hits = 0
        for photo, answer in zip(photos, answers, strict=True):
            sure = [row["segmentation"] for row in answer if row["score"] >= score]
            true = [rle.encode(np.asfortranarray(mask)) for mask in photo.masks]
            if sure:
                hits += int((np.asarray(rle.iou(true, sure, [0] * len(sure))).max(1) >= 0.5).sum())
        result[str(score)] = round(hits / sum(len(photo.masks) for photo in photos), 3)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("model", help="a file, or the name of a model")
    parser.add_argument("--size", type=int)
    parser.add_argument("--precision", default="float32")
    args = parser.parse_args()
    predictor = load_predictor(
        args.model, size=args.size, precision=args.precision, keep_score=KEEP_SCORE
    )
    val = load_split(args.data / "balloon/val")
    choosing = load_split(args.data / "balloon/train", CHOOSING)
    result = {
        "val": average_precision(predictor, val),
        "choosing": average_precision(predictor, choosing),
        "recall": recall(predictor, val),
        "false_alarms": false_alarms(predictor, args.data),
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
