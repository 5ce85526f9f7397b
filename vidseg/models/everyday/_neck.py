"""Ghost-PAN: NanoDet-Plus's path aggregation pyramid of ghost bottlenecks (Han et al. 2020)."""

import torch
from torch import Tensor, nn

from vidseg.models.everyday._layers import conv, depthwise, doubled, separable

CHANNELS = 96
"""Of every level."""

KERNEL = 5
"""Side of the depthwise convolutions of the pyramid and of the box head."""


class GhostPAN(nn.Module):
    """Levels at strides 8, 16, 32 and 64 from the backbone's maps at strides 8, 16 and 32."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.reduce = nn.ModuleList(conv(width, CHANNELS) for width in widths)
        self.down = nn.ModuleList(Down() for _ in widths[1:])
        self.up = nn.ModuleList(Up() for _ in widths[1:])
        self.extra = nn.ModuleList(_halving() for _ in range(2))

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        fine, middle, coarse = (step(level) for step, level in zip(self.reduce, maps, strict=True))
        middle = self.down[0](coarse, middle)
        fine = self.down[1](middle, fine)
        middle = self.up[0](fine, middle)
        last = self.up[1](middle, coarse)
        return [fine, middle, last, self.extra[0](coarse) + self.extra[1](last)]


class Down(nn.Module):
    """Joins a level with the next coarser one."""

    def __init__(self) -> None:
        super().__init__()
        self.join = GhostBottleneck()

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        return self.join(torch.cat((doubled(coarse, fine), fine), 1))


class Up(nn.Module):
    """Joins a level with the next finer one."""

    def __init__(self) -> None:
        super().__init__()
        self.halve = _halving()
        self.join = GhostBottleneck()

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        return self.join(torch.cat((self.halve(fine), coarse), 1))


class GhostBottleneck(nn.Module):
    """Two ghost modules beside a separable shortcut, from twice `CHANNELS` to `CHANNELS`."""

    def __init__(self) -> None:
        super().__init__()
        self.first = Ghost(2 * CHANNELS, relu=True)
        self.second = Ghost(CHANNELS, relu=False)
        self.short = nn.Sequential(
            *depthwise(2 * CHANNELS, KERNEL, relu=False),
            *conv(2 * CHANNELS, CHANNELS, relu=False),
        )

    def forward(self, maps: Tensor) -> Tensor:
        return self.second(self.first(maps)) + self.short(maps)


class Ghost(nn.Module):
    """Half of the channels from a pointwise convolution, the other half cheaply from these."""

    def __init__(self, before: int, *, relu: bool) -> None:
        super().__init__()
        self.primary = conv(before, CHANNELS // 2, relu=relu)
        self.cheap = depthwise(CHANNELS // 2, 3, relu=relu)

    def forward(self, maps: Tensor) -> Tensor:
        primary = self.primary(maps)
        return torch.cat((primary, self.cheap(primary)), 1)


def _halving() -> nn.Sequential:
    return separable(CHANNELS, CHANNELS, KERNEL, stride=2)
