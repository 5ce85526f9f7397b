"""ShuffleNetV2 1.0x (Ma et al. 2018) as NanoDet-Plus has it: leaky ReLU, no last convolution.

The paper's units shuffle all channels after each step, although half of them were only passed on.
Here a channel stays where it was computed until the unit whose turn it is takes it. The shuffle
decides which channels a unit takes; their order is in the unit's weights. So each step copies half
of the channels, in runs, instead of all channels one by one.
"""

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vidseg.models.everyday._layers import MaxPool, conv, depthwise

WIDTHS = (24, 116, 232, 464)
"""Channels of the stem and of the stages at strides 8, 16 and 32."""

DEPTHS = (4, 8, 4)
"""Units of each stage, the halving one among them."""


class Backbone(nn.Module):
    """Feature maps at strides 4 (the stem), 8, 16 and 32."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv(3, WIDTHS[0], 3, stride=2)
        self.pool = MaxPool()
        self.stages = nn.ModuleList(
            Stage(before, after, depth)
            for (before, after), depth in zip(pairwise(WIDTHS), DEPTHS, strict=True)
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        maps = [self.pool(self.stem(images))]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return maps


class Run(NamedTuple):
    """Neighbouring channels, `start` to `stop`, of one source."""

    source: int
    """0 and 1 for the two branches of the halving unit, then one number per unit."""
    start: int
    stop: int


class Stage(nn.Module):
    """A unit that halves the size, then units that each work on half of the channels."""

    def __init__(self, before: int, after: int, depth: int) -> None:
        super().__init__()
        half = after // 2
        self.short = nn.Sequential(*depthwise(before, 3, stride=2, relu=False), *conv(before, half))
        self.branch = _unit(before, half, stride=2)
        self.units = nn.ModuleList(_unit(half, half) for _ in range(depth - 1))
        self.taken = taken_by_unit(half, depth - 1)
        self.left = left_after(half, depth - 1)

    def forward(self, maps: Tensor) -> Tensor:
        sources = [self.short(maps), self.branch(maps)]
        for unit, runs in zip(self.units, self.taken, strict=True):
            sources.append(unit(_joined(sources, runs)))
        return _joined(sources, self.left)


def taken_by_unit(half: int, units: int) -> list[list[Run]]:
    """The channels that each unit takes.

    A shuffle moves channel i of the passed half to place 2 i, and channel i of what the unit made
    to place 2 i + 1; the next unit takes the places from `half` on. So half of the channels of a
    source are taken by the next unit, half of the others by the one after it, and so on.
    """
    return [
        [
            Run(source, *bounds)
            for source in range(unit + 2)
            if (bounds := _bounds(half, source, unit))[1] > bounds[0]
        ]
        for unit in range(units)
    ]


def left_after(half: int, units: int) -> list[Run]:
    """The channels that no unit has taken after `units` units."""
    return [Run(source, 0, _bounds(half, source, units)[1]) for source in range(units + 2)]


def _bounds(half: int, source: int, unit: int) -> tuple[int, int]:
    """First and last but one channel of `source` that `unit` takes."""
    age = unit - max(source - 1, 0)
    odd = source > 0
    return _waiting(half, age + 1, odd=odd), _waiting(half, age, odd=odd)


def _waiting(half: int, age: int, *, odd: bool) -> int:
    """How many channels of a source still wait after `age` units.

    Channel i starts at place 2 i, or 2 i + 1 if `odd`; each unit doubles the place.
    """
    return min(half, -(-(2 * half - 2**age * odd) // 2 ** (age + 1)))


def _unit(before: int, half: int, *, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        *conv(before, half), *depthwise(half, 3, stride=stride, relu=False), *conv(half, half)
    )


def _joined(sources: list[Tensor], runs: list[Run]) -> Tensor:
    return torch.cat([sources[run.source][:, run.start : run.stop] for run in runs], 1)
