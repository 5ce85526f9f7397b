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
import torch
from balloon_data import Photo, load_balloon_photo, read, share_alike, via_items
from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.transform import GeneralizedRCNNTransform

from vidseg.models.checkpoint import load_model

FULL_SIZE = 1 << 20


def load_split(folder: Path, only: tuple[str, ...] = ()) -> list[Photo]:
    """The folder's photos at full size; those named in `only`, or all."""
    items = [item for item in via_items(folder) if not only or item[0].name in only]
    return [load_balloon_photo(*item, longest=FULL_SIZE) for item in items]


def average_precision(
    checkpoint: Path, photos: list[Photo], size: tuple[int, int] | None = None
) -> dict[str, float]:
    """Mask and box AP of COCO, with detections kept from score 0.05."""
    model: Any = load_model(checkpoint)[0]
    if size:
        set_image_size(model, size)
    return evaluate_results(photos, [detect(model, photo.image) for photo in photos])


def evaluate_results(photos: list[Photo], answers: list[list[dict]]) -> dict[str, float]:
    """Mask and box AP of what was found in each photo, in rows as `detect` gives them."""
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


def set_image_size(model: MaskRCNN, size: tuple[int, int]) -> None:
    transform = model.transform
    assert isinstance(transform, GeneralizedRCNNTransform)
    transform.min_size, transform.max_size = size[:1], size[1]  # pyright: ignore[reportAttributeAccessIssue]


@torch.inference_mode()
def detect(model, image: np.ndarray) -> list[dict]:
    tensor = torch.from_numpy(image).permute(2, 0, 1).float() / 255
    with torch.autocast("cpu", torch.bfloat16, enabled=False):
        output = model([tensor])[0]
    rows = []
    for box, score, mask in zip(output["boxes"], output["scores"], output["masks"], strict=True):
        x0, y0, x1, y1 = box.tolist()
        counts = rle.encode(np.asfortranarray((mask[0] >= 0.5).numpy().astype(np.uint8)))
        rows.append(
            {
                "category_id": 1,
                "score": float(score),
                "bbox": [x0, y0, x1 - x0, y1 - y0],
                "segmentation": counts,
            }
        )
    return rows


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


def false_alarms(checkpoint: Path, data: Path, score: float = 0.5) -> dict[str, Any]:
    """Detections above `score` per balloon-free photo that took no part in training (CC BY-SA)."""
    model, _ = load_model(checkpoint)
    free = set(json.loads((data / "backgrounds.json").read_text())["balloon_free"])
    paths = {}
    for folder in (data / "coco_mini", data / "coco_person1"):
        paths |= {n: folder / "images" / n for n in sorted(share_alike(folder) & free)}
    alarms = {}
    for name, path in paths.items():
        count = sum(row["score"] >= score for row in detect(model, read(path)[0]))
        if count:
            alarms[name] = count
    return {
        "photos": len(paths),
        "per_photo": round(sum(alarms.values()) / len(paths), 4),
        "where": alarms,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--size", type=int, nargs=2)
    args = parser.parse_args()
    result = {
        "val": average_precision(args.model, load_split(args.data / "balloon/val"), args.size),
        "false_alarms": false_alarms(args.model, args.data),
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
