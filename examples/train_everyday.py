"""Train the bundled model `everyday`, and judge it on photos that it never saw.

    python examples/train_everyday.py DATA OUT

DATA is the folder that `everyday_data` describes, with NanoDet-Plus-m's published weights in
`weights_everyday/`. The detector stays as it is; the mask branch is trained. A first run learns
from all photos but those that judge. It is then continued four times at once: three times without
one fold of these photos, for OUT/without_0.pt to OUT/without_2.pt, by which the figures are
measured, and once with all of them, for OUT/everyday.pt, which vidseg ships. The same command
continues a run that was stopped.
"""

import argparse
import copy
import sys
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from everyday_data import (
    CANVAS,
    FOLDS,
    Image,
    Library,
    Random,
    Sample,
    Seen,
    load_library,
    sample,
)
from ncnn_weights import nanodet_plus
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torchvision.ops import box_iou

from vidseg.models.checkpoint import save_checkpoint
from vidseg.models.everyday._backbone import WIDTHS
from vidseg.models.everyday._mask_branch import MaskBranch
from vidseg.models.everyday._neck import CHANNELS
from vidseg.models.everyday.box_head import SIDES, OutputConv
from vidseg.models.everyday.forward import detect_boxes
from vidseg.models.everyday.network import MEAN, STD, Everyday, FeatureMaps
from vidseg.models.inference.detections import BoxFilter
from vidseg.models.inference.preprocess import NetworkInput
from vidseg.models.names import COCO_CLASSES, EVERYDAY
from vidseg.structures.instances import MASK_SIDE

WEIGHTS = "weights_everyday/nanodet-plus-coco-416"
IMAGE_SIZE = (360, 480)
"""Shorter and longest side, in pixels, at which frames are looked at."""
RATE = 2e-3
WARM_UP = 60
"""Steps."""
BATCH = 4
"""Pictures a step."""
MOST_BOXES = 16
"""Boxes of a picture that the loss looks at."""
SURE = 0.15
"""Score from which on a box that the detector finds is worth learning its mask."""
JITTER = 0.06
"""Standard deviation of the sides of true boxes that are learned too, in lengths of the box."""
UNTOLD = 0.1
"""Share of the boxes whose class is not told."""
SAVE_EVERY = 100
"""Steps."""
SCORE_FACTOR, SCORE_SHIFT = 1.0, 0.16
"""Logits of scores are lowered by the shift, then multiplied by the factor; no order changes."""
MASK_SHIFT = 0.45
"""Added to the logits of masks, which come out a little too small: 0.7 points of AP."""


class Batch(NamedTuple):
    maps: FeatureMaps
    boxes: list[Tensor]
    """(R, 4) xyxy of each picture."""
    classes: list[Tensor]
    """(R, CHANNELS) of each picture, zeros where a box may be of any class."""
    targets: list[Tensor]
    """(R, MASK_SIDE, MASK_SIDE) 0..1 of each picture."""
    folds: list[int | None]


class Head:
    """A mask branch in training, and the average of its weights over the last steps."""

    def __init__(self, fold: int | None = None) -> None:
        self.fold = fold
        """Photos of this fold are not learned from."""
        self.branch = new_branch()
        weights = [value for value in self.branch.parameters() if value.ndim > 1]
        biases = [value for value in self.branch.parameters() if value.ndim < 2]
        groups = [{"params": weights, "weight_decay": 0.02}, {"params": biases, "weight_decay": 0}]
        self.optimizer = torch.optim.AdamW(groups, lr=RATE)
        self.average = {k: v.clone() for k, v in self.branch.state_dict().items()}
        self.loss = 1.0
        """Of about the last 50 steps."""

    def learn(self, batch: Batch, step: int, rate: float) -> None:
        """One step, unless no picture of the batch may be learned from."""
        use = [fold is None or fold != self.fold for fold in batch.folds]
        if not any(len(boxes) for boxes, used in zip(batch.boxes, use, strict=True) if used):
            return
        loss = mask_loss(self.branch, batch, use)
        self.loss += 0.02 * (loss.item() - self.loss)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.branch.parameters(), 1.0)
        self.optimizer.step()
        keep = min(0.995, (step + 1) / (step + 20))
        for name, value in self.branch.state_dict().items():
            self.average[name].lerp_(value, 1 - keep)

    def state(self) -> dict[str, Any]:
        return {
            "branch": self.branch.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average,
        }

    def load(self, state: dict[str, Any]) -> None:
        self.branch.load_state_dict(state["branch"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average = {name: value.clone() for name, value in state["average"].items()}


def new_branch() -> MaskBranch:
    torch.manual_seed(0)
    branch = MaskBranch(WIDTHS, CHANNELS)
    for layer in branch.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, a=0.1)
            layer.bias = nn.Parameter(torch.zeros(layer.out_channels))
    for value in branch.context[-1].parameters():
        nn.init.zeros_(value)
    return branch.to(memory_format=torch.channels_last)


def mask_loss(branch: MaskBranch, batch: Batch, use: list[bool]) -> Tensor:
    """Cross-entropy and half of dice, over the boxes of the pictures to use."""
    chosen = torch.tensor(use)
    boxes = [boxes for boxes, used in zip(batch.boxes, use, strict=True) if used]
    targets = torch.cat([one for one, used in zip(batch.targets, use, strict=True) if used])
    classes = torch.cat([one for one, used in zip(batch.classes, use, strict=True) if used])
    padded = nn.utils.rnn.pad_sequence(boxes, batch_first=True)
    counts = torch.tensor([len(one) for one in boxes])
    real = torch.arange(padded.shape[1]) < counts[:, None]
    with torch.autocast("cpu", torch.bfloat16):
        backbone = [level[chosen] for level in batch.maps.backbone]
        pyramid = [level[chosen] for level in batch.maps.pyramid]
        logits = branch(branch.maps(backbone, pyramid), padded, real, classes, CANVAS).float()
    found = logits.sigmoid()
    shared = (found * targets).sum((1, 2))
    sizes = found.square().sum((1, 2)) + targets.square().sum((1, 2))
    dice = 1 - (2 * shared + 1) / (sizes + 1)
    return binary_cross_entropy_with_logits(logits, targets) + 0.5 * dice.mean()


# --- pictures, boxes and the masks in them ---------------------------------------------------


def make_batch(library: Library, network: Everyday, seed: int, step: int) -> Batch:
    """Batch number `step`, the same whatever came before it."""
    randoms = [np.random.default_rng((seed, step, place)) for place in range(BATCH)]
    samples = [with_objects(library, random) for random in randoms]
    levels = torch.from_numpy(np.stack([one.image for one in samples])).float() / 255
    images = ((levels - torch.tensor(MEAN)) / torch.tensor(STD)).permute(0, 3, 1, 2)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        maps = network(images)
    wanted = BoxFilter(SURE, torch.arange(1, network.num_classes), 0)
    regions = detect_boxes(maps, NetworkInput(images, CANVAS), wanted).regions
    vectors = torch.cat((torch.zeros(1, CHANNELS), network.box_head.class_vectors()))
    boxes, classes, targets = [], [], []
    for place, (one, random) in enumerate(zip(samples, randoms, strict=True)):
        chosen = to_learn(one.objects, regions.boxes[regions.images == place], random)
        boxes.append(torch.tensor([box for box, _ in chosen]).reshape(-1, 4))
        labels = [seen.label * (random.random() > UNTOLD) for _, seen in chosen]
        classes.append(vectors[torch.tensor(labels, dtype=torch.int64)])
        masks = [mask_in(seen.mask, box) for box, seen in chosen]
        stacked = np.stack(masks) if masks else np.zeros((0, *SQUARE), np.uint8)
        targets.append(torch.from_numpy(stacked).float() / 255)
    return Batch(maps, boxes, classes, targets, [one.fold for one in samples])


SQUARE = (MASK_SIDE, MASK_SIDE)


def with_objects(library: Library, random: Random) -> Sample:
    while not (one := sample(library, random)).objects:
        pass
    return one


def to_learn(objects: list[Seen], found: Tensor, random: Random) -> list[tuple[list[float], Seen]]:
    """Boxes with the object in each: up to two that are found of an object, and its true one."""
    true = np.array([tight_box(one.mask) for one in objects], np.float32)
    pairs: list[tuple[list[float], Seen]] = []
    if len(found):
        best, owners = box_iou(found, torch.from_numpy(true)).max(1)
        good = torch.nonzero(best > 0.5)[:, 0].tolist()
        random.shuffle(good)
        for row in good:
            seen = objects[int(owners[row])]
            if sum(other is seen for _, other in pairs) < 2:
                pairs.append((found[row].tolist(), seen))
    for row in random.permutation(len(true)).tolist():
        box = jittered(true[row], random)
        if min(box[2] - box[0], box[3] - box[1]) >= 4:
            pairs.append((box, objects[row]))
    return [pairs[place] for place in random.permutation(len(pairs))[:MOST_BOXES].tolist()]


def tight_box(mask: Image) -> list[int]:
    x, y, width, height = cv2.boundingRect((mask > 127).astype(np.uint8))
    return [x, y, x + width, y + height]


def jittered(box: NDArray[Any], random: Random) -> list[float]:
    moves = np.clip(random.normal(0, JITTER, 4), -3 * JITTER, 3 * JITTER)
    moved = box + moves * np.tile(box[2:] - box[:2], 2)
    return np.clip(moved, 0, np.tile(CANVAS[::-1], 2)).tolist()


def mask_in(mask: Image, box: list[float]) -> Image:
    """The share of each cell of the box that the object covers, times 255."""
    x0, y0, x1, y1 = box
    double = 2 * MASK_SIDE
    move = np.diag((double / (x1 - x0), double / (y1 - y0)))
    shift = -move @ (x0 - 0.5, y0 - 0.5) - 0.5
    fine = cv2.warpAffine(mask, np.column_stack((move, shift)), (double, double))
    return cv2.resize(fine, SQUARE, interpolation=cv2.INTER_AREA)


# --- runs ------------------------------------------------------------------------------------


def run(
    heads: dict[str, Head], library: Library, network: Everyday, file: Path, steps: range, fall: int
) -> None:
    """Train to the end of `steps`, from where `file` ends; the rate falls over the last `fall`."""
    start = steps.start
    if file.exists():
        saved = torch.load(file, weights_only=True)
        start = saved["step"]
        for name, head in heads.items():
            head.load(saved["heads"][name])
    for step in range(start, steps.stop):
        rate = RATE * min(1, (step + 1) / WARM_UP, max(0.02, (steps.stop - step) / max(fall, 1)))
        batch = make_batch(library, network, 1, step)
        for head in heads.values():
            head.learn(batch, step, rate)
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == steps.stop:
            save(file, heads, step + 1)
            losses = {name: round(head.loss, 4) for name, head in heads.items()}
            print(step + 1, losses, file=sys.stderr, flush=True)


def save(file: Path, heads: dict[str, Head], step: int) -> None:
    part = file.with_suffix(".part")
    states = {name: head.state() for name, head in heads.items()}
    torch.save({"step": step, "heads": states}, part)
    part.replace(file)


def ship(network: Everyday, average: dict[str, Tensor], target: Path) -> None:
    """The averaged weights in half precision."""
    bias = average["logit.bias"] + MASK_SHIFT
    network.mask_branch.load_state_dict({**average, "logit.bias": bias})
    for layer in network.modules():
        if isinstance(layer, OutputConv):
            calm(layer)
    half = {name: value.half() for name, value in network.state_dict().items()}
    provenance = {
        "start": "NanoDet-Plus-m 416 (Apache-2.0), converted; its detector is unchanged",
        "data": "COCO 2017 (CC BY 2.0 photos), Open Images (CC BY 2.0), DAVIS 2016, balloons",
        "licence": "see everyday.md",
    }
    header = {
        "architecture": EVERYDAY,
        "classes": COCO_CLASSES,
        "image_size": IMAGE_SIZE,
        "provenance": provenance,
    }
    save_checkpoint(target, {"model": half}, header)


def calm(layer: Any) -> None:
    """Scores as they shall be shown; the logits of sides stay."""
    classes = layer.out_channels - SIDES
    weight, bias = layer.weight.data, layer.bias.data
    weight[:classes] *= SCORE_FACTOR
    bias[:classes] = SCORE_FACTOR * (bias[:classes] - SCORE_SHIFT)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, nargs=2, default=(4000, 1500), metavar="N")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(args.threads)
    first, second = args.steps
    files = args.data / f"{WEIGHTS}.param", args.data / f"{WEIGHTS}.bin"
    network = nanodet_plus(*files, IMAGE_SIZE).eval().requires_grad_(False)
    network.to(memory_format=torch.channels_last)
    common = Head()
    library = load_library(args.data, with_folds=False)
    run({"common": common}, library, network, args.out / "first.pt", range(first), 0)
    heads = {"everyday": Head(), **{f"without_{fold}": Head(fold) for fold in range(FOLDS)}}
    for head in heads.values():
        head.load(common.state())
    library = load_library(args.data, with_folds=True)
    steps = range(first, first + second)
    run(heads, library, network, args.out / "second.pt", steps, second * 3 // 4)
    for name, head in heads.items():
        ship(copy.deepcopy(network), head.average, args.out / f"{name}.pt")


if __name__ == "__main__":
    main()
