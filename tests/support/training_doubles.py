"""Small data and a small network to train with."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torchvision.models.detection import MaskRCNN

from tests.support.tiny_models import tiny_maskrcnn

CLASSES = {1: "disc", 2: "square"}
SIDE = 64
ARCHITECTURE = "tiny"


class Toys(torch.utils.data.Dataset):
    """Pictures of 64 x 64 with a disc and a square, (3, H, W) float in 0..1."""

    classes = CLASSES

    def __init__(self, count: int = 5, *, objects: bool = True) -> None:
        self.count, self.objects = count, objects

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[torch.Tensor, dict[str, Any]]:
        random = np.random.default_rng(index)
        image = random.uniform(0.4, 0.6, (SIDE, SIDE, 3)).astype(np.float32)
        y, x = np.mgrid[:SIDE, :SIDE]
        disc = np.hypot(y - random.integers(16, 48), x - 47) < random.integers(8, 14)
        square = (abs(y - random.integers(16, 48)) < 9) & (abs(x - 15) < random.integers(6, 12))
        image[square], image[disc] = (0.9, 0.2, 0.2), (0.2, 0.2, 0.9)
        masks = np.stack((disc, square))[: 2 * self.objects]
        target = {
            "masks": torch.from_numpy(masks),
            "labels": torch.tensor([1, 2][: len(masks)]),
            "image_id": index,
        }
        return torch.from_numpy(image).permute(2, 0, 1), target


def build_tiny(num_classes: int, image_size: tuple[int, int]) -> MaskRCNN:
    model = tiny_maskrcnn(num_classes=num_classes, image_size=image_size)
    rpn: Any = model.rpn
    rpn._pre_nms_top_n["training"] = 100
    rpn._post_nms_top_n["training"] = 40
    return model


def use_tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the tiny network an architecture of the name `tiny`."""
    from vidseg.models.architectures import ARCHITECTURES

    builders: dict[str, Callable[[int, tuple[int, int]], MaskRCNN]] = ARCHITECTURES
    monkeypatch.setitem(builders, ARCHITECTURE, build_tiny)


class StopAt:
    """Hears of every step, and says stop once the given one is done."""

    def __init__(self, step: int) -> None:
        self.step, self.done = step, 0

    def on_step(self, step: int, steps: int, losses: dict[str, float]) -> None:
        self.done = step

    def __call__(self) -> bool:
        return self.done >= self.step
