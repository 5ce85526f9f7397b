"""Train on your own kind of data: any torch Dataset with torchvision's targets.

python examples/own_dataset.py OUT
"""

import sys

import torch
from torch.utils.data import Dataset

import vidseg


class Coins(Dataset):
    """Bright discs on noise; yours would read a photo and its annotations here."""

    classes = {1: "coin"}  # noqa: RUF012

    def __init__(self, numbers: range) -> None:
        self.numbers = numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        random = torch.Generator().manual_seed(self.numbers[index])
        places = torch.rand(3, 3, generator=random) * torch.tensor([240, 160, 20]) + 8
        y, x = torch.meshgrid(torch.arange(160), torch.arange(240), indexing="ij")
        masks = torch.stack([(x - a) ** 2 + (y - b) ** 2 < r**2 for a, b, r in places.tolist()])
        image = 0.4 * torch.rand(3, 160, 240, generator=random) + 0.5 * masks.any(0)
        return image, {"masks": masks, "labels": torch.ones(3, dtype=torch.int64)}


def main(out: str, steps: int = 60) -> None:
    train, val = Coins(range(40)), Coins(range(40, 50))
    options = vidseg.TrainOptions(steps=steps, image_size=160)
    vidseg.train(train, out, options, val=val, weights="bundled")


if __name__ == "__main__":
    main(sys.argv[1])
