"""Train the bundled balloon model.

    python examples/train_balloon.py DATA OUT --steps 8000

DATA is the folder that `balloon_data` describes. OUT receives `last.pt` (all state: the same
command goes on from it), `balloon.pt` (averaged weights in half precision, what vidseg ships), and
the course of the losses and of AP on the choosing photos. The trunk starts from FastestDet's COCO
weights (BSD-3-Clause), everything else from scratch. 8000 steps take about two hours on one core.
"""

import argparse
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from balloon_data import CHOOSING, Library, Photo, load_library, sample
from balloon_eval import average_precision, load_split
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info
from torchvision.models.detection import MaskRCNN

from vidseg.models.architectures import build
from vidseg.models.checkpoint import load_state, save_checkpoint

ARCHITECTURE = "maskrcnn_shufflenet_v2_x0_5_fpn"
CROP = (384, 448)
TRUNK = "weights_fastestdet/FastestDet__weights_weight_AP05_0.253207_280-epoch.pth"
BATCH = 4
LEARNING_RATE = 1e-3
WARM_UP = 300
IMAGE_SIZE = [640, 1024]
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Torchvision's normalisation, which the transform of `MaskRCNN` applies by default."""

Target = dict[str, Tensor]
Sample = tuple[Tensor, Target]


class Samples(IterableDataset[Sample]):
    """Endless training pictures; sample k is the same whatever came before it."""

    def __init__(self, library: Library, seed: int, first: int) -> None:
        self.library, self.seed, self.first = library, seed, first

    def __iter__(self) -> Iterator[Sample]:
        worker = get_worker_info()
        number, stride = (self.first + worker.id, worker.num_workers) if worker else (self.first, 1)
        while True:
            random = np.random.default_rng((self.seed, number))
            yield to_sample(sample(self.library, random, CROP))
            number += stride


def to_sample(photo: Photo, least: int = 16) -> Sample:
    """Torchvision's image and target; slivers below `least` pixels are no objects."""
    masks = [mask for mask in photo.masks if mask.sum() >= least]
    stack: NDArray[Any] = (
        np.stack(masks) if masks else np.zeros((0, *photo.image.shape[:2]), np.uint8)
    )
    boxes = np.zeros((len(stack), 4), np.float32)
    for row, mask in enumerate(masks):
        x, y, w, h = cv2.boundingRect(mask)
        boxes[row] = x, y, x + w, y + h
    target = {
        "boxes": torch.from_numpy(boxes),
        "labels": torch.ones(len(stack), dtype=torch.int64),
        "masks": torch.from_numpy(stack),
    }
    return torch.from_numpy(photo.image).permute(2, 0, 1).float() / 255, target


def collate(batch: list[Sample]) -> tuple[list[Tensor], list[Target]]:
    return [image for image, _ in batch], [target for _, target in batch]


@dataclass
class Training:
    """What one step changes, and so what is saved."""

    model: MaskRCNN
    average: AveragedModel
    optimizer: torch.optim.AdamW
    step: int = 0

    def state(self) -> dict[str, object]:
        parts = {
            name: getattr(self, name).state_dict() for name in ("model", "average", "optimizer")
        }
        return {**parts, "step": self.step}

    def restore(self, state: dict) -> None:
        for name in ("model", "average", "optimizer"):
            getattr(self, name).load_state_dict(state[name])
        self.step = state["step"]


def start(data: Path) -> Training:
    """The untrained model around the pretrained trunk, with its optimizer."""
    model = build(ARCHITECTURE, 2, image_size=CROP)
    trunk = model.get_submodule("backbone.body")
    state = torch.load(data / TRUNK, map_location="cpu", weights_only=True)
    weights = {
        k.removeprefix("backbone."): v for k, v in state.items() if k.startswith("backbone.")
    }
    trunk.load_state_dict(fold_normalisation(weights))
    model = model.to(memory_format=torch.channels_last)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.998), use_buffers=True)
    pretrained = {id(p) for p in trunk.parameters()}
    rest = [p for p in model.parameters() if id(p) not in pretrained]
    groups = [
        {"params": list(trunk.parameters()), "lr": 0.3 * LEARNING_RATE},
        {"params": rest, "lr": LEARNING_RATE},
    ]
    return Training(model, average, torch.optim.AdamW(groups, weight_decay=0.01))


def fold_normalisation(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """FastestDet reads BGR in 0..1; let its first convolution read torchvision's normalised RGB."""
    weight = weights["first_conv.0.weight"].flip(1)
    shift = (weight.sum((2, 3)) * torch.tensor(MEAN)).sum(1)
    return {
        **weights,
        "first_conv.0.weight": weight * torch.tensor(STD).view(1, 3, 1, 1),
        "first_conv.1.running_mean": weights["first_conv.1.running_mean"] - shift,
    }


def set_training_mode(model: MaskRCNN) -> None:
    """Train, but keep the trunk's batch statistics: four photos are too few to redo COCO's."""
    model.train()
    for module in model.get_submodule("backbone.body").modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def learn(training: Training, images: list[Tensor], targets: list[Target], rate: float) -> Target:
    """One step at `rate` of the full learning rate; returns the losses."""
    for group in training.optimizer.param_groups:
        group["lr"] = group.setdefault("full_lr", group["lr"]) * rate
    with torch.autocast("cpu", torch.bfloat16):
        losses = training.model(images, targets)
    total = torch.stack(list(losses.values())).sum()
    if not torch.isfinite(total):
        raise SystemExit(
            f"The loss is {total} at step {training.step}; last.pt is the last good state."
        )
    training.optimizer.zero_grad()
    total.backward()
    nn.utils.clip_grad_norm_(training.model.parameters(), 5.0)
    training.optimizer.step()
    training.average.update_parameters(training.model)
    training.step += 1
    return {name: loss.detach() for name, loss in losses.items()}


def rate_at(step: int, steps: int) -> float:
    """Linear warm-up, then half a cosine down to 0.5 %."""
    return min(1, (step + 1) / WARM_UP) * (0.5 + 0.5 * math.cos(math.pi * step / steps)) + 0.005


def save(training: Training, out: Path, seed: int, choosing: list[Photo]) -> None:
    header = {"architecture": ARCHITECTURE, "classes": {1: "balloon"}, "image_size": IMAGE_SIZE}
    save_checkpoint(out / "last.pt", training.state(), header)
    weights = training.average.module.state_dict()
    half = {k: v.half() if v.is_floating_point() else v for k, v in weights.items()}
    header["provenance"] = {"step": training.step, "seed": seed}
    save_checkpoint(out / "balloon.pt", {"model": half}, header)
    result = average_precision(out / "balloon.pt", choosing)
    append(out / "choosing.jsonl", {"step": training.step, **result})


def append(path: Path, facts: dict) -> None:
    with path.open("a") as file:
        file.write(json.dumps(facts) + "\n")


def train(data: Path, out: Path, *, steps: int, seed: int, save_every: int) -> None:
    torch.manual_seed(seed)
    training = start(data)
    if (out / "last.pt").exists():
        training.restore(load_state(out / "last.pt"))
    choosing = load_split(data / "balloon/train", CHOOSING)
    samples = Samples(load_library(data), seed, training.step * BATCH)
    batches = iter(DataLoader(samples, BATCH, num_workers=1, collate_fn=collate))
    set_training_mode(training.model)
    while training.step < steps:
        images, targets = next(batches)
        losses = learn(training, images, targets, rate_at(training.step, steps))
        if training.step % 100 == 0:
            facts = {name: round(float(loss), 4) for name, loss in losses.items()}
            append(out / "metrics.jsonl", {"step": training.step, **facts})
        if training.step % save_every == 0 or training.step == steps:
            save(training, out, seed, choosing)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--save-every", type=int, default=500)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(args.threads)
    train(args.data, args.out, steps=args.steps, seed=args.seed, save_every=args.save_every)


if __name__ == "__main__":
    main()
