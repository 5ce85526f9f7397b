"""How well a model's anchors fit the objects of a dataset."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torchvision.models.detection import MaskRCNN
from torchvision.ops import box_iou

from vidseg.models.inference.preprocess import Size, network_size

MIN_IOU_FITTING = 0.7
"""An anchor with this IoU is a positive example of the object (Ren et al. 2015, 3.1.2)."""
MAX_IOU_MISSED = 0.5
"""Objects whose best anchor has a lower IoU are hard to learn; the page shows them."""
PROBE_SIDE_PIXELS = 256
"""Side of the blank image that the strides are measured with."""


class Anchors:
    """The anchors of a model for photos of any size."""

    def __init__(self, model: MaskRCNN) -> None:
        self._model = model
        self._generator: Any = model.rpn.anchor_generator
        self.strides = _strides(model)
        """Distance between anchors at each level, in pixels of the network's input."""

    @property
    def cells(self) -> list[Tensor]:
        """For each level (A, 4) xyxy around 0, in pixels of the network's input."""
        return self._generator.cell_anchors

    def on(self, size: Size) -> tuple[list[Tensor], tuple[float, float]]:
        """For each level (K, 4) xyxy in the network's input for a photo of `size` (height, width);
        and the scale of the input in height and width."""
        seen = network_size(self._model, size)
        grids = self._grids(seen)
        # Torchvision divides the padded size by the grid, which may give less than the stride.
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
        """Rows and columns of positions at each level."""
        return [[-(-side // stride) for side in self._padded(seen)] for stride in self.strides]

    def middle(self, size: Size) -> list[Tensor]:
        """For each level (A, 4) xyxy of the middle position, in pixels of the photo."""
        levels, (down, across) = self.on(size)
        back = torch.tensor([across, down, across, down])
        grids = self._grids(network_size(self._model, size))
        chosen = []
        for (rows, cols), cell, level in zip(grids, self.cells, levels, strict=True):
            first = (rows // 2 * cols + cols // 2) * len(cell)
            chosen.append(level[first : first + len(cell)] / back)
        return chosen

    def fit(self, boxes: Tensor, size: Size) -> Tensor:
        """(N,) IoU of each box (N, 4), in pixels of the photo, with its best anchor."""
        if not len(boxes):
            return torch.zeros(0)
        levels, (down, across) = self.on(size)
        scaled = boxes.float() * torch.tensor([across, down, across, down])
        return torch.stack([box_iou(scaled, level).amax(1) for level in levels]).amax(0)


@torch.inference_mode()
def _strides(model: MaskRCNN) -> list[int]:
    features: Any = model.backbone(torch.zeros(1, 3, PROBE_SIDE_PIXELS, PROBE_SIDE_PIXELS))
    return [PROBE_SIDE_PIXELS // level.shape[-1] for level in _levels(features)]


def _levels(features: Any) -> Iterator[Tensor]:
    yield from ([features] if isinstance(features, Tensor) else features.values())
