"""The ShuffleNet V2 0.5x backbone in Megvii's block order, for which FastestDet has weights.

Torchvision's `shufflenet_v2_x0_5` computes the same function, but shuffles channels at the end of a
block instead of at its start, so weights in Megvii's order do not load into it.
"""

from collections import OrderedDict
from itertools import pairwise

from torch import Tensor, cat, nn

STAGE_CHANNELS = (48, 96, 192)
"""Channels after stages 2, 3 and 4, at strides 8, 16 and 32 (Ma et al. 2018, table 5, 0.5x)."""

STAGE_BLOCKS = (4, 8, 4)
"""Blocks of stages 2, 3 and 4 (table 5)."""

STEM_CHANNELS = 24
"""Channels after the first convolution (table 5)."""


def shufflenet_v2_x0_5_backbone() -> nn.Sequential:
    """Its stages by name: `stage2`, `stage3` and `stage4` have strides 8, 16 and 32."""
    stages = [
        ("first_conv", _conv_bn_relu(3, STEM_CHANNELS, kernel=3, stride=2)),
        ("maxpool", nn.MaxPool2d(3, 2, 1)),
    ]
    for number, ((before, after), repeats) in enumerate(
        zip(pairwise((STEM_CHANNELS, *STAGE_CHANNELS)), STAGE_BLOCKS, strict=True), start=2
    ):
        blocks = [_Block(before, after, stride=2)]
        blocks += [_Block(after, after, stride=1) for _ in range(repeats - 1)]
        stages.append((f"stage{number}", nn.Sequential(*blocks)))
    return nn.Sequential(OrderedDict(stages))


class _Block(nn.Module):
    """Passes half of the channels, convolves the others (Ma et al. 2018, figures 3c and 3d)."""

    def __init__(self, before: int, after: int, *, stride: int) -> None:
        super().__init__()
        self.stride = stride
        entering = before // 2 if stride == 1 else before
        middle = after // 2
        leaving = after - entering
        self.branch_main = nn.Sequential(
            *_conv_bn_relu(entering, middle, kernel=1),
            *_depthwise_bn(middle, stride),
            *_conv_bn_relu(middle, leaving, kernel=1),
        )
        if stride == 2:
            self.branch_proj = nn.Sequential(
                *_depthwise_bn(before, stride), *_conv_bn_relu(before, before, kernel=1)
            )

    def forward(self, x: Tensor) -> Tensor:
        if self.stride == 2:
            return cat((self.branch_proj(x), self.branch_main(x)), 1)
        return cat((x[:, 0::2], self.branch_main(x[:, 1::2])), 1)


def _conv_bn_relu(before: int, after: int, *, kernel: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(before, after, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(after), nn.ReLU(inplace=True))


def _depthwise_bn(channels: int, stride: int) -> nn.Sequential:
    conv = nn.Conv2d(channels, channels, 3, stride, padding=1, groups=channels, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(channels))
