"""The box head of generalized focal loss (Li et al. 2020): class scores and distances of sides."""

from itertools import accumulate

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from vidseg.models.everyday._layers import separable
from vidseg.models.everyday._neck import CHANNELS, KERNEL

STRIDES = (8, 16, 32, 64)
"""Pixels of the input between neighbouring places of each level."""

BINS = 8
"""A side lies 0 to 7 strides from its place; the head gives the probability of each distance."""

SIDES = 4 * BINS
"""Channels of the distances, behind those of the classes."""


class BoxHead(nn.Module):
    """Class logits and the logits of sides' distances for each place of each level."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.levels = nn.ModuleList(_level(classes) for _ in STRIDES)

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        """(B, classes + SIDES, h, w) for each level."""
        return [head(level) for head, level in zip(self.levels, levels, strict=True)]

    def class_vectors(self) -> Tensor:
        """(classes, CHANNELS) of length 1: the mean weights by which the levels score a class."""
        last = [layer.weight for layer in self.modules() if isinstance(layer, OutputConv)]
        return normalize(torch.stack(last).mean(0)[:-SIDES, :, 0, 0], dim=1)


class OutputConv(nn.Conv2d):
    """The last convolution, float32 in any precision: a side must not move by a pixel."""

    def forward(self, input: Tensor) -> Tensor:
        with torch.autocast(input.device.type, enabled=False):
            return super().forward(input.to(self.weight.dtype))


def _level(classes: int) -> nn.Sequential:
    return nn.Sequential(
        *separable(CHANNELS, CHANNELS, KERNEL),
        *separable(CHANNELS, CHANNELS, KERNEL),
        OutputConv(CHANNELS, classes + SIDES, 1),
    )


def by_place(outputs: list[Tensor]) -> Tensor:
    """(B, P, classes + SIDES): the P places of all levels, row after row."""
    return torch.cat([level.permute(0, 2, 3, 1).flatten(1, 2) for level in outputs], 1)


def boxes_at(logits: Tensor, places: Tensor, outputs: list[Tensor]) -> Tensor:
    """(N, 4) float32 xyxy in pixels of the network's input.

    Args:
        logits: (N, SIDES) of the distances of the left, upper, right and lower side.
        places: (N,) int64 their numbers among the places of `by_place`.
        outputs: of `BoxHead`.
    """
    x, y, stride = positions(places, [level.shape[-2:] for level in outputs])
    bins = torch.arange(BINS, dtype=torch.float32, device=logits.device)
    away = (logits.float().unflatten(-1, (4, BINS)).softmax(-1) * bins).sum(-1) * stride[:, None]
    left, top, right, bottom = away.unbind(1)
    return torch.stack((x - left, y - top, x + right, y + bottom), 1)


def positions(places: Tensor, sizes: list[torch.Size]) -> tuple[Tensor, Tensor, Tensor]:
    """x, y and stride of each place, in pixels of the network's input.

    `sizes` are the height and width of each level.
    """
    ends = list(accumulate(height * width for height, width in sizes))
    columns = [(0, *ends[:-1]), [width for _, width in sizes], STRIDES]
    starts, widths, strides = torch.tensor(columns, device=places.device)
    level = torch.bucketize(places, starts, right=True) - 1
    stride, width, within = strides[level], widths[level], places - starts[level]
    return within % width * stride, within // width * stride, stride
