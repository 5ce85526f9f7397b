"""What a reduced precision costs in quality, on photos of balloons with known outlines.

    python -m tests.benchmarks.quality DATA [--model balloon] [--precision auto] [--size N]

DATA is Matterport's balloon set: `val` in it is looked at. The model's own float32 answers through
torchvision are compared with vidseg's: COCO's AP of both, and how well the masks of objects agree
that both find above a score of 0.5. JSON on stdout. Ends with 1 where mask AP falls by more than
0.3 points or the mean IoU of matched masks is below 0.98.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch
from pycocotools import mask as rle

from vidseg.models.catalog import class_names
from vidseg.models.predictor import load_network, load_predictor
from vidseg.structures.instances import Instances
from vidseg.structures.masks import instance_rle

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))

from balloon_eval import detect, evaluate_results, load_split  # pyright: ignore[reportMissingImports]

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
    lost = result["torchvision"]["segm_AP"] - result["vidseg"]["segm_AP"]
    if lost > MOST_LOST or result["matched_iou"] < LEAST_IOU:
        raise SystemExit("The quality is too low.")


def compare(data: Path, model: str, precision: str, size: int | None) -> dict:
    photos = load_split(data / "val")
    network = load_network(model)
    predictor = load_predictor(model, precision=precision, size=size, keep_score=MIN_SCORE)
    plain = [detect(network, photo.image) for photo in photos]
    ours = [rows(*predictor.predict([photo.image])) for photo in photos]
    ious = np.concatenate([matched(a, b) for a, b in zip(plain, ours, strict=True)])
    return {
        "classes": class_names(model),
        "precision": str(predictor.precision).removeprefix("torch."),
        "torch": torch.__version__,
        "photos": len(photos),
        "torchvision": evaluate_results(photos, plain),
        "vidseg": evaluate_results(photos, ours),
        "objects": [count(plain), count(ours)],
        "matched": len(ious),
        "matched_iou": round(float(ious.mean()), 4),
        "matched_iou_least": round(float(ious.min()), 4),
    }


def count(answers: list[list[dict]]) -> int:
    return sum(row["score"] > SCORE for rows_ in answers for row in rows_)


def rows(found: Instances) -> list[dict]:
    """As `balloon_eval.detect` gives them."""
    return [
        {
            "category_id": 1,
            "score": float(found.scores[row]),
            "bbox": [x0, y0, x1 - x0, y1 - y0],
            "segmentation": instance_rle(found, row),
        }
        for row, (x0, y0, x1, y1) in enumerate(found.boxes.tolist())
    ]


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
