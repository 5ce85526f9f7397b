"""What a reduced precision costs in quality, on photos of balloons with known outlines.

    python -m tests.benchmarks.quality DATA [--model balloon] [--precision auto] [--size N]

DATA is Matterport's balloon set: `val` in it is looked at. The model's float32 answers, those of a
Mask R-CNN through torchvision, are compared with vidseg's: COCO's AP of both, and how well the
masks of objects agree that both find above a score of 0.5. JSON on stdout. Ends with 1 where mask
AP falls by more than 0.3 points or the mean IoU of matched masks is below 0.98.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pycocotools import mask as rle
from torchvision.models.detection import MaskRCNN

from vidseg.models.catalog import class_names
from vidseg.models.predictor import load_network, load_predictor

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))

from balloon_eval import evaluate_results, load_split, rows  # pyright: ignore[reportMissingImports]

MIN_SCORE, SCORE = 0.05, 0.5
MOST_LOST, LEAST_IOU = 0.003, 0.98


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="balloon")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--size", type=int)
    options = parser.parse_args()
    result = compare(options.data, options.model, options.precision, options.size)
    print(json.dumps(result, indent=2))
    lost = result["float32"]["segm_AP"] - result["vidseg"]["segm_AP"]
    if lost > MOST_LOST or result["matched_iou"] < LEAST_IOU:
        raise SystemExit("The quality is too low.")


def compare(data: Path, model: str, precision: str, size: int | None) -> dict:
    photos = load_split(data / "val")
    predictor = load_predictor(model, precision=precision, size=size, keep_score=MIN_SCORE)
    plain = plain_answers(model, photos)
    ours = [rows(*predictor.predict([photo.image])) for photo in photos]
    ious = np.concatenate([matched(a, b) for a, b in zip(plain, ours, strict=True)])
    return {
        "classes": class_names(model),
        "precision": str(predictor.precision).removeprefix("torch."),
        "torch": torch.__version__,
        "photos": len(photos),
        "float32": evaluate_results(photos, plain),
        "vidseg": evaluate_results(photos, ours),
        "objects": [count(plain), count(ours)],
        "matched": len(ious),
        "matched_iou": round(float(ious.mean()), 4),
        "matched_iou_least": round(float(ious.min()), 4),
    }


def plain_answers(model: str, photos: list[Any]) -> list[list[dict]]:
    """In float32: torchvision's own of a Mask R-CNN, of another network vidseg's."""
    network = load_network(model)
    if isinstance(network, MaskRCNN):
        return [detect(network, photo.image) for photo in photos]
    exact = load_predictor(model, precision="float32", keep_score=MIN_SCORE)
    return [rows(*exact.predict([photo.image])) for photo in photos]


@torch.inference_mode()
def detect(model: MaskRCNN, image: np.ndarray) -> list[dict]:
    output = model([torch.from_numpy(image).permute(2, 0, 1).float() / 255])[0]
    found = []
    for box, score, mask in zip(output["boxes"], output["scores"], output["masks"], strict=True):
        x0, y0, x1, y1 = box.tolist()
        counts = rle.encode(np.asfortranarray((mask[0] >= 0.5).numpy().astype(np.uint8)))
        found.append(
            {
                "category_id": 1,
                "score": float(score),
                "bbox": [x0, y0, x1 - x0, y1 - y0],
                "segmentation": counts,
            }
        )
    return found


def count(answers: list[list[dict]]) -> int:
    return sum(row["score"] > SCORE for rows_ in answers for row in rows_)


def matched(plain: list[dict], ours: list[dict]) -> np.ndarray:
    """IoU of the mask of each object above `SCORE` with its best partner, from 0.5 on."""
    sure = [row["segmentation"] for row in plain if row["score"] > SCORE]
    if not sure or not ours:
        return np.zeros(0)
    partners = [row["segmentation"] for row in ours]
    best = np.asarray(rle.iou(sure, partners, [0] * len(partners))).max(axis=1)
    return best[best >= 0.5]


if __name__ == "__main__":
    main()
