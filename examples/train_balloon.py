"""Train the bundled balloon model.

    python examples/train_balloon.py DATA OUT

DATA is the folder that `balloon_data` describes. Two runs of `vidseg.train` with pictures of our
own, the first from the bundled model `everyday`; now and then each looks for what it takes for
balloons in photos without any, and learns from these places too. OUT/balloon.pt is what vidseg
ships: averaged weights in half precision. The same command goes on where a run was interrupted.
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from balloon_data import CHOOSING, Alarm, Library, load_library, sample
from numpy.typing import NDArray

import vidseg
from vidseg.datasets import Dataset, open_dataset
from vidseg.detection.predictor import Predictor
from vidseg.models.checkpoint import load_model, save_checkpoint
from vidseg.models.everyday.box_head import SIDES, OutputConv
from vidseg.training.loop import TrainCallbacks, average_precision
from vidseg.training.settings import TrainOptions
from vidseg.training.training_sample import Picture, to_sample

CROP = (384, 448)
IMAGE_SIZE = 448
"""Shorter side of photos in pixels, where training measures."""
FRAME_SIZE = (512, 768)
"""Shorter and longest side of frames in pixels, in use."""
RATES = (8e-4, 4e-4)
"""Highest learning rates of the two runs."""
EVERY = 400
"""Steps between two looks at the photos without balloons."""
LEAST = 16
"""Pixels of a mask; slivers below are no objects."""
MINED = 0.15
"""Score from which on something in a photo without balloons is worth training on."""


class Plan(NamedTuple):
    steps: int
    lr: float
    seed: int


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


def photos(data: Path, *, choosing: bool) -> Dataset:
    """Matterport's train photos: those to choose by, or the others."""
    whole = open_dataset(data / "balloon/train", class_name="balloon").content
    kept = tuple(s for s in whole.samples if (s.path.name in CHOOSING) == choosing)
    return Dataset(replace(whole, samples=kept))


def run(data: Path, folder: Path, library: Library, start: Path | str, plan: Plan) -> Path:
    """Train on from `start`, now and then with what it takes for balloons where there are none."""
    pictures = Pictures(library, plan.seed)
    miner = Miner(pictures, photos(data, choosing=True), folder.with_suffix(".json"))
    begun = (folder / "last.pt").exists()
    if begun and miner.file.exists():
        miner.take([Alarm(*alarm) for alarm in json.loads(miner.file.read_text())])
    options = TrainOptions(
        layers="all",
        steps=plan.steps,
        batch_size=4,
        lr=plan.lr,
        image_size=IMAGE_SIZE,
        precision="float32",
        every=min(EVERY, plan.steps),
        seed=plan.seed,
    )
    vidseg.train(
        photos(data, choosing=False),
        folder,
        options,
        weights="last" if begun else start,
        val=0.0,
        samples=pictures,
        measure=miner,
        callbacks=TrainCallbacks(on_result=show),
    )
    return folder / "last.pt"


def ship(run: Path, target: Path, calm: tuple[float, float]) -> None:
    """The averaged weights in half precision; logits of scores take `calm`, see `calm_scores`."""
    model, header = load_model(run)
    for layer in model.modules():
        if isinstance(layer, OutputConv):
            calm_scores(layer, *calm)
    half = {name: value.half() for name, value in model.state_dict().items()}
    names = ("architecture", "classes", "provenance")
    facts = {name: header[name] for name in names}
    save_checkpoint(target, {"model": half}, {**facts, "image_size": FRAME_SIZE})


@torch.no_grad()
def calm_scores(layer: OutputConv, factor: float, shift: float) -> None:
    """The logit of a balloon lowered by `shift`, then multiplied by `factor`: no order changes."""
    assert layer.bias is not None
    layer.weight[:-SIDES] *= factor
    layer.bias[:-SIDES] = factor * (layer.bias[:-SIDES] - shift)


def show(step: int, figures: dict[str, Any]) -> None:
    print(step, json.dumps(figures), file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, nargs=2, default=(1800, 700), metavar="N")
    parser.add_argument(
        "--calm", type=float, nargs=2, default=(1.0, 0.0), help="factor and shift of scores' logits"
    )
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(args.threads)
    library = load_library(args.data)
    start = "everyday"
    for seed, (steps, rate) in enumerate(zip(args.steps, RATES, strict=True), start=1):
        start = run(args.data, args.out / f"run{seed}", library, start, Plan(steps, rate, seed))
    ship(Path(start), args.out / "balloon.pt", tuple(args.calm))


if __name__ == "__main__":
    main()
