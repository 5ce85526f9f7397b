"""Circles, squares and triangles, as in Matterport's shapes notebook, drawn and learned.

    python examples/shapes.py OUT --steps 400

OUT becomes a run folder, with a model that knows the three shapes. It starts from the bundled
model, whose heads know nothing of shapes.
"""

import argparse
import sys
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

import vidseg
from vidseg.training.loop import Outcome

SIDE = 128
MOST = 4
"""Shapes in a picture, at least one."""
HIDDEN = 0.7
"""Share of a shape that must stay in sight."""


class Shapes(torch.utils.data.Dataset):
    """Pictures of 128 x 128 pixels: on a plain ground, shapes of any colour that may overlap."""

    classes = {1: "circle", 2: "square", 3: "triangle"}  # noqa: RUF012

    def __init__(self, count: int, seed: int = 0) -> None:
        self.count, self.seed = count, seed

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        random = np.random.default_rng((self.seed, index))
        image, masks, labels = draw(random)
        target = {"masks": torch.from_numpy(masks), "labels": torch.from_numpy(labels)}
        return torch.from_numpy(image).permute(2, 0, 1), target


def draw(random: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.int64]]:
    """An image (H, W, 3) uint8, its masks (N, H, W) uint8 of what is seen, and labels (N,)."""
    image = np.full((SIDE, SIDE, 3), random.integers(0, 256, 3), np.uint8)
    masks, labels = np.zeros((0, SIDE, SIDE), np.uint8), []
    for label in random.integers(1, 4, random.integers(1, MOST + 1)):
        new = shape(int(label), random)
        below = masks * (1 - new)
        if (below.sum((1, 2)) < HIDDEN * masks.sum((1, 2))).any():
            continue  # it would hide another one
        masks = np.concatenate((below, new[None]))
        labels.append(label)
        image[new > 0] = random.integers(0, 256, 3)
    return image, masks, np.array(labels, np.int64)


def shape(label: int, random: np.random.Generator) -> NDArray[Any]:
    """(H, W) uint8, 0 or 1, wholly inside the picture."""
    size = int(random.integers(12, SIDE // 4))
    x, y = (int(at) for at in random.integers(size + 2, SIDE - size - 2, 2))
    mask = np.zeros((SIDE, SIDE), np.uint8)
    if label == 1:
        return cv2.circle(mask, (x, y), size, 1, -1)
    if label == 2:
        return cv2.rectangle(mask, (x - size, y - size), (x + size, y + size), 1, -1)
    corners = np.array([(x, y - size), (x - size, y + size), (x + size, y + size)], np.int32)
    return cv2.fillPoly(mask, [corners], 1)


def train(out: str, *, steps: int, batch_size: int = 8, val: int = 50) -> Outcome:
    """A model of 500 pictures, measured on `val` others."""
    return vidseg.train(
        Shapes(500),
        out,
        vidseg.TrainOptions(
            layers="all",
            steps=steps,
            batch_size=batch_size,
            lr=1e-3,
            image_size=SIDE,
            augment=("flip", "color"),
            every=max(10, steps // 4),
        ),
        val=Shapes(val, seed=1),
        weights="bundled",
        callbacks=vidseg.TrainCallbacks(
            on_result=lambda step, figures: print(step, figures, file=sys.stderr)
        ),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out")
    parser.add_argument("--steps", type=int, default=400)
    args = parser.parse_args()
    outcome = train(args.out, steps=args.steps)
    print(f"mask AP {outcome.best:.3f}; the model: {outcome.folder / 'best.pt'}")


if __name__ == "__main__":
    main()
