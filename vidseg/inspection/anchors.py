"""How well a model's anchors fit the objects of a dataset."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torchvision.models.detection import MaskRCNN
from torchvision.ops import box_iou

from vidseg.models.inference.preprocess import Size, network_size

FITTING = 0.7
"""IoU from which an anchor learns an object as its own (Ren et al. 2015, section 3.1.2)."""
MISSED = 0.5
"""Objects whose best anchor is below this IoU are hard to learn; the page shows them."""
PROBE = 256
"""Side in pixels of the blank image that tells the strides."""


class Anchors:
    """The anchors of a model for photos of any size."""

    def __init__(self, model: MaskRCNN) -> None:
        self._model = model
        self._generator: Any = model.rpn.anchor_generator
        self.strides = _strides(model)
        """Pixels of the network's input between anchors, at each level."""

    @property
    def cells(self) -> list[Tensor]:
        """For each level (A, 4) xyxy around 0, in pixels of the network's input."""
        return self._generator.cell_anchors

    def on(self, size: Size) -> tuple[list[Tensor], tuple[float, float]]:
        """For each level (K, 4) xyxy on a photo of `size` (height, width) as the network sees it,
        and the scale of that in height and width."""
        seen = network_size(self._model, size)
        grids = self._grids(seen)
        # Torchvision divides the padded picture by the grid, which may be less than the stride.
        padded = self._padded(seen)
        steps = [
            [torch.tensor(side // count) for side, count in zip(padded, grid, strict=True)]
            for grid in grids
        ]
        self._generator.set_cell_anchors(torch.float32, torch.device("cpu"))
        levels = self._generator.grid_anchors(grids, steps)
        return levels, (seen[0] / size[0], seen[1] / size[1])

    def _padded(self, seen: Size) -> list[int]:
        divisible = int(self._model.transform.size_divisible)  # type: ignore[arg-type]
        return [-(-side // divisible) * divisible for side in seen]

    def _grids(self, seen: Size) -> list[list[int]]:
        """Rows and columns of places at each level."""
        return [[-(-side // stride) for side in self._padded(seen)] for stride in self.strides]

    def middle(self, size: Size) -> list[Tensor]:
        """For each level (A, 4) xyxy of one place in the middle, in pixels of the photo."""
        levels, (down, across) = self.on(size)
        back = torch.tensor([across, down, across, down])
        grids = self._grids(network_size(self._model, size))
        chosen = []
        for (rows, cols), cell, level in zip(grids, self.cells, levels, strict=True):
            first = (rows // 2 * cols + cols // 2) * len(cell)
            chosen.append(level[first : first + len(cell)] / back)
        return chosen

    def fit(self, boxes: Tensor, size: Size) -> Tensor:
        """(N,) IoU of each object's box (N, 4) in pixels of the photo with its best anchor."""
        if not len(boxes):
            return torch.zeros(0)
        levels, (down, across) = self.on(size)
        scaled = boxes.float() * torch.tensor([across, down, across, down])
        return torch.stack([box_iou(scaled, level).amax(1) for level in levels]).amax(0)


@torch.inference_mode()
def _strides(model: MaskRCNN) -> list[int]:
    features: Any = model.backbone(torch.zeros(1, 3, PROBE, PROBE))
    return [PROBE // level.shape[-1] for level in _levels(features)]


def _levels(features: Any) -> Iterator[Tensor]:
    yield from ([features] if isinstance(features, Tensor) else features.values())
