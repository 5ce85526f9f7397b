"""Train the bundled balloon model.

    python examples/train_balloon.py DATA OUT

DATA is the folder that `balloon_data` describes. Two runs of `vidseg.train` with pictures of our
own: OUT/first starts from FastestDet's COCO backbone (BSD-3-Clause), everything else random;
OUT/second goes on from it, now and then with what it takes for balloons in photos without any.
OUT/balloon.pt is what vidseg ships: averaged weights in half precision. The same command goes on
where a run was interrupted. About four hours on one core.
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from balloon_data import CHOOSING, Alarm, Library, load_library, sample
from numpy.typing import NDArray
from torch import Tensor

import vidseg
from vidseg.datasets import Dataset, open_dataset
from vidseg.detection.predictor import Predictor
from vidseg.models.checkpoint import load_model, save_checkpoint
from vidseg.training.initial_weights import InitialWeights
from vidseg.training.loop import TrainCallbacks, average_precision
from vidseg.training.settings import TrainOptions
from vidseg.training.training_sample import Picture, to_sample

ARCHITECTURE = "maskrcnn_shufflenet_v2_x0_5_fpn"
CROP = (384, 448)
BACKBONE = "weights_fastestdet/FastestDet__weights_weight_AP05_0.253207_280-epoch.pth"
IMAGE_SIZE = (640, 1024)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Torchvision's normalisation, which the transform of `MaskRCNN` applies by default."""
LEAST = 16
"""Pixels of a mask; slivers below are no objects."""
MINED = 0.15
"""Score from which on something in a photo without balloons is worth training on."""


class Pictures:
    """Endless training pictures; number k is the same whatever came before it."""

    def __init__(self, library: Library, seed: int) -> None:
        self.library, self.seed = library, seed

    def __getitem__(self, number: int) -> Any:
        random = np.random.default_rng((self.seed, number))
        photo = sample(self.library, random, CROP)
        masks = [mask for mask in photo.masks if mask.sum() >= LEAST]
        stack: NDArray[Any] = (
            np.stack(masks) if masks else np.zeros((0, *photo.image.shape[:2]), np.uint8)
        )
        return to_sample(Picture(photo.image, stack, np.ones(len(stack), np.int64)))


class Miner:
    """Measures on the choosing photos, and each time looks for what is wrongly found."""

    def __init__(self, pictures: Pictures, choosing: Dataset, file: Path) -> None:
        self.pictures, self.file = pictures, file
        self.precision = average_precision(choosing)

    def __call__(self, predictor: Predictor) -> dict[str, Any]:
        self.take(mine(predictor, self.pictures.library))
        self.file.write_text(json.dumps(self.pictures.library.alarms))
        return {**self.precision(predictor), "alarms": len(self.pictures.library.alarms)}

    def take(self, alarms: list[Alarm]) -> None:
        self.pictures.library = replace(self.pictures.library, alarms=alarms)


def mine(predictor: Predictor, library: Library) -> list[Alarm]:
    """What the model takes for balloons in the photos without any."""
    alarms = []
    for number, image in enumerate(library.backgrounds):
        (found,) = predictor.predict([image])
        alarms += [Alarm(number, box) for box in found.boxes[found.scores >= MINED].tolist()]
    return alarms


def pretrained_backbone(data: Path) -> InitialWeights:
    """FastestDet's backbone for a model whose other weights are random."""
    state = torch.load(data / BACKBONE, map_location="cpu", weights_only=True)
    weights = {
        k.removeprefix("backbone."): v for k, v in state.items() if k.startswith("backbone.")
    }
    return InitialWeights(
        ARCHITECTURE, IMAGE_SIZE, fold_normalisation(weights), {}, "backbone.body"
    )


def fold_normalisation(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """FastestDet reads BGR in 0..1; let its first convolution read torchvision's normalised RGB."""
    weight = weights["first_conv.0.weight"].flip(1)
    shift = (weight.sum((2, 3)) * torch.tensor(MEAN)).sum(1)
    return {
        **weights,
        "first_conv.0.weight": weight * torch.tensor(STD).view(1, 3, 1, 1),
        "first_conv.1.running_mean": weights["first_conv.1.running_mean"] - shift,
    }


def photos(data: Path, *, choosing: bool) -> Dataset:
    """Matterport's train photos: those to choose by, or the others."""
    whole = open_dataset(data / "balloon/train", class_name="balloon").content
    kept = tuple(s for s in whole.samples if (s.path.name in CHOOSING) == choosing)
    return Dataset(replace(whole, samples=kept))


def first_run(data: Path, out: Path, library: Library, steps: int) -> Path:
    """From the backbone, with a mean over all boxes in the losses."""
    folder = out / "first"
    vidseg.train(
        photos(data, choosing=False),
        folder,
        TrainOptions(
            layers="all",
            steps=steps,
            batch_size=4,
            lr=1e-3,
            precision="bfloat16",
            every=min(500, steps),
            seed=1,
        ),
        weights="last" if (folder / "last.pt").exists() else pretrained_backbone(data),
        val=0.0,
        samples=Pictures(library, 1),
        measure=average_precision(photos(data, choosing=True)),
        callbacks=TrainCallbacks(on_result=show),
    )
    return folder / "last.pt"


def second_run(data: Path, out: Path, library: Library, start: Path, steps: int) -> Path:
    """From the first run, with its false alarms and the hardest boxes in the losses."""
    folder, pictures = out / "second", Pictures(library, 2)
    miner = Miner(pictures, photos(data, choosing=True), out / "alarms.json")
    if miner.file.exists():
        miner.take([Alarm(*alarm) for alarm in json.loads(miner.file.read_text())])
    else:
        miner(vidseg.load_predictor(start, keep_score=0.05))
    vidseg.train(
        photos(data, choosing=False),
        folder,
        TrainOptions(
            layers="all",
            steps=steps,
            batch_size=4,
            lr=8e-4,
            precision="bfloat16",
            every=min(700, steps),
            hard_negatives=48,
            seed=2,
        ),
        weights="last" if (folder / "last.pt").exists() else start,
        val=0.0,
        samples=pictures,
        measure=miner,
        callbacks=TrainCallbacks(on_result=show),
    )
    return folder / "last.pt"


def ship(run: Path, target: Path, calm: tuple[float, float]) -> None:
    """The averaged weights in half precision; logits of scores take `calm`, see `calmed`."""
    model, header = load_model(run)
    state = calmed(model.state_dict(), *calm)
    half = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
    names = ("architecture", "classes", "image_size", "provenance")
    save_checkpoint(target, {"model": half}, {n: header[n] for n in names if n in header})


def calmed(state: dict[str, Tensor], factor: float, shift: float) -> dict[str, Tensor]:
    """The logit of a balloon lowered by `shift`, then multiplied by `factor`: no order changes."""
    name = "roi_heads.box_predictor.cls_score"
    bias = state[f"{name}.bias"] * factor
    bias[1] -= factor * shift
    return {**state, f"{name}.weight": state[f"{name}.weight"] * factor, f"{name}.bias": bias}


def show(step: int, figures: dict[str, Any]) -> None:
    print(step, json.dumps(figures), file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, nargs=2, default=(5200, 6000), metavar="N")
    parser.add_argument(
        "--calm", type=float, nargs=2, default=(1.0, 0.0), help="factor and shift of scores' logits"
    )
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(args.threads)
    library = load_library(args.data)
    start = first_run(args.data, args.out, library, args.steps[0])
    ship(
        second_run(args.data, args.out, library, start, args.steps[1]),
        args.out / "balloon.pt",
        args.calm,
    )


if __name__ == "__main__":
    main()
