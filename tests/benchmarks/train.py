"""What a short training makes of `everyday` and of the bundled Mask R-CNN: same photos, same steps.

    python -m tests.benchmarks.train DATA OUT [--task balloon car cup] [--steps 60] [--size 416]
                                     [--seeds 3]

DATA holds `balloon/` (48 and 13 photos) and `coco_mini/`. Tasks: balloons; a car; a cup, each from
the photos that show one. Cars and cups are judged on the photos of val2017 under CC BY-SA, whether
or not they show one: neither model has learned from those. `everyday` knows both by name, so both
models learn them as a `thing`, a name that neither knows. The bundled Mask R-CNN has long learned
the very balloons of the first task. OUT keeps what is done, and the same command goes on from
there. On stdout, JSON of mask AP before and after training, seed by seed.
"""

import argparse
import csv
import json
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch

import vidseg
from vidseg.datasets import Content, Dataset, read_dataset
from vidseg.training.settings import TrainOptions

LONGEST = 1024
"""Photos are scaled down to this side once: neither model sees more."""

COCO_CLASSES = ("car", "cup")
STARTS = ("everyday", "bundled")


class Photos:
    """Photos in memory with objects of one class, as any torch Dataset gives them."""

    def __init__(self, content: Content, name: str) -> None:
        self.classes = {1: name}
        photos = Dataset(content)
        self._items = [small(*photos[number]) for number in range(len(photos))]

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> Any:
        image, masks = self._items[index]
        labels = torch.ones(len(masks), dtype=torch.int64)
        return image, {"masks": masks, "labels": labels, "image_id": index}


def small(image: torch.Tensor, target: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """The photo (3, H, W) and the masks (N, H, W) of its objects."""
    scale = min(1.0, LONGEST / max(image.shape[1:]))
    height, width = (round(side * scale) for side in image.shape[1:])
    single = target["masks"][target["iscrowd"] == 0].numpy()
    shrunk = [
        cv2.resize(layer, (width, height), interpolation=cv2.INTER_AREA)
        for layer in (image.permute(1, 2, 0).numpy(), *single)
    ]
    masks = np.stack(shrunk[1:]) if len(single) else np.zeros((0, height, width), np.uint8)
    return torch.from_numpy(shrunk[0]).permute(2, 0, 1), torch.from_numpy(masks)


class Task(NamedTuple):
    train: Content
    val: Content
    name: str
    """Of the class, in training."""


def task_of(kind: str, data: Path) -> Task:
    if kind in COCO_CLASSES:
        return Task(*coco_parts(data / "coco_mini", kind), "thing")
    content = read_dataset(data / "balloon", class_name="balloon")
    train, val = (
        replace(content, samples=tuple(s for s in content.samples if s.split == split))
        for split in ("train", "val")
    )
    return Task(train, val, "balloon")


def coco_parts(folder: Path, name: str) -> tuple[Content, Content]:
    """Photos to learn a class from, and to judge it on."""
    content = read_dataset(folder)
    rows = csv.DictReader((folder / "ATTRIBUTION.csv").open())
    judging = {
        row["file"]
        for row in rows
        if "ShareAlike" in row["license"] and "val2017" in row["coco_url"]
    }
    samples = [
        replace(sample, objects=tuple(one for one in sample.objects if one.label == name))
        for sample in content.samples
    ]
    train = tuple(s for s in samples if s.path.name not in judging and s.objects)
    val = tuple(s for s in samples if s.path.name in judging)
    return replace(content, samples=train), replace(content, samples=val)


def learn(task: Task, weights: str, out: Path, options: TrainOptions) -> list[float]:
    """Mask AP before and after the training."""
    train, val = Photos(task.train, task.name), Photos(task.val, task.name)
    vidseg.train(train, out, options, val=val, weights=weights, device="cpu", force=True)
    rows = map(json.loads, (out / "metrics.jsonl").read_text().splitlines())
    return [round(row["mask_AP"] or 0, 4) for row in rows if "mask_AP" in row]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--task", nargs="+", default=["balloon", *COCO_CLASSES])
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--size", type=int, default=416)
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    file = args.out / "figures.json"
    figures = json.loads(file.read_text()) if file.exists() else {}
    tasks = {kind: task_of(kind, args.data) for kind in args.task}
    for seed, kind, start in product(range(args.seeds), tasks, STARTS):
        key = f"{kind}, {args.steps} steps, seed {seed}: {start}"
        if key in figures:
            continue
        options = TrainOptions(steps=args.steps, every=args.steps, image_size=args.size, seed=seed)
        figures[key] = learn(tasks[kind], start, args.out / "run", options)
        file.write_text(json.dumps(figures, indent=1))
        print(key, figures[key], file=sys.stderr, flush=True)
    counts = {kind: (len(one.train.samples), len(one.val.samples)) for kind, one in tasks.items()}
    print(json.dumps({"photos": counts, "mask_AP": figures}, indent=1))


if __name__ == "__main__":
    main()
