"""Measure `everyday` on coco_mini's photos of val2017, which the published detector never saw.

    python examples/everyday_eval.py DATA OUT/without_0.pt OUT/without_1.pt OUT/without_2.pt

DATA is the folder that `everyday_data` describes. Each model is measured on the fold of photos that
its mask branch never saw; a single one on all of them. Prints AP of boxes and masks, over all 80
classes and over ten of them, and how many objects are found falsely at the score that is shown.
"""

import argparse
import contextlib
import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from everyday_data import fold_of, read_coco
from pycocotools import mask as coco_masks
from pycocotools.cocoeval import COCOeval

from vidseg.models.predictor import load_predictor
from vidseg.structures.masks import instance_rle

TEN = ("person", "bicycle", "car", "motorcycle", "bus", "truck", "bird", "cat", "dog", "horse")
SHOWN = 0.5
"""The score from which on objects are shown by default."""
LEAST_IOU = 0.5
"""Overlap of masks from which on an object counts as found."""

Row = dict[str, Any]


def predictions(model: Path, coco: Any, folder: Path, images: set[int]) -> list[Row]:
    """COCO's result rows, with boxes and masks."""
    predictor = load_predictor(model, device="cpu", precision="float32", keep_score=0.03)
    rows: list[Row] = []
    for number in sorted(images):
        name = Path(coco.imgs[number]["file_name"]).name
        bgr = cv2.imread(str(folder / "images" / name))
        if bgr is None:
            raise SystemExit(f"{folder / 'images' / name} cannot be read as a photo.")
        rgb = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
        [found] = predictor.predict([rgb])
        for row in range(len(found)):
            x0, y0, x1, y1 = found.boxes[row].tolist()
            rows.append(
                {
                    "image_id": number,
                    "category_id": int(found.labels[row]),
                    "score": float(found.scores[row]),
                    "box": [x0, y0, x1 - x0, y1 - y0],
                    "segmentation": instance_rle(found, row),
                }
            )
    return rows


def precision(coco: Any, rows: list[Row], kind: str, images: set[int], labels: list[int]) -> str:
    """AP and AP50 in per cent."""
    key = {"bbox": "box", "segm": "segmentation"}[kind]
    names = {"bbox": "bbox", "segm": "segmentation"}
    shared = ("image_id", "category_id", "score")
    results = [{**{k: row[k] for k in shared}, names[kind]: row[key]} for row in rows]
    with contextlib.redirect_stdout(io.StringIO()):
        judge: Any = COCOeval(coco, coco.loadRes(results), kind)  # type: ignore[arg-type]
        judge.params.imgIds, judge.params.catIds = sorted(images), labels
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return f"{100 * judge.stats[0]:.1f} / {100 * judge.stats[1]:.1f}"


def false_objects(coco: Any, rows: list[Row], images: set[int]) -> float:
    """Objects shown that are none, or overlap theirs too little, a photo; crowds are no mistake."""
    wrong = 0
    for number in images:
        truth = coco.loadAnns(coco.getAnnIds([number]))
        shown = [row for row in rows if row["image_id"] == number and row["score"] >= SHOWN]
        wrong += sum(not taken for taken in matched(coco, truth, shown))
    return wrong / len(images)


def matched(coco: Any, truth: list[Row], shown: list[Row]) -> list[bool]:
    """Whether each object, best first, is one of the truth that no better one has taken."""
    crowd = [int(one.get("iscrowd", 0)) for one in truth]
    masks = [coco.annToRLE(one) for one in truth]
    taken: set[int] = set()
    good = []
    for row in sorted(shown, key=lambda row: -row["score"]):
        overlaps = coco_masks.iou([row["segmentation"]], masks, crowd)[0] if truth else []
        places = [
            place
            for place, overlap in enumerate(overlaps)
            if overlap >= LEAST_IOU and truth[place]["category_id"] == row["category_id"]
            if place not in taken or crowd[place]
        ]
        good.append(bool(places))
        if places:
            taken.add(max(places, key=lambda place: overlaps[place]))
    return good


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("models", type=Path, nargs="+")
    args = parser.parse_args()
    folder = args.data / "coco_mini"
    coco = read_coco(folder)
    folds = fold_of(coco)
    rows: list[Row] = []
    for number, model in enumerate(args.models):
        images = {i for i, fold in folds.items() if len(args.models) == 1 or fold == number}
        rows += predictions(model, coco, folder, images)
    images = set(folds)
    everything = sorted(coco.cats)
    ten = [label for label in everything if coco.cats[label]["name"] in TEN]
    for kind, name in (("bbox", "boxes"), ("segm", "masks")):
        for labels in (everything, ten):
            figures = precision(coco, rows, kind, images, labels)
            print(f"{name}, {len(labels)} classes: AP / AP50 {figures}")
    print(f"false objects a photo at {SHOWN}: {false_objects(coco, rows, images):.2f}")


if __name__ == "__main__":
    main()
