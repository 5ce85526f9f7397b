"""What the parts of `everyday` are made of: convolutions with a bias in place of batch norm."""

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d

SLOPE = 0.1
"""Of the leaky ReLU below zero, as in NanoDet-Plus."""


def conv(
    before: int, after: int, kernel: int = 1, *, stride: int = 1, groups: int = 1, relu: bool = True
) -> nn.Sequential:
    """A convolution that keeps the size at stride 1, and a leaky ReLU behind it."""
    layer = nn.Conv2d(before, after, kernel, stride, kernel // 2, groups=groups)
    return nn.Sequential(layer, *([nn.LeakyReLU(SLOPE, inplace=True)] if relu else []))


def depthwise(channels: int, kernel: int, *, stride: int = 1, relu: bool = True) -> nn.Sequential:
    """A convolution of each channel by itself."""
    return conv(channels, channels, kernel, stride=stride, groups=channels, relu=relu)


def separable(before: int, after: int, kernel: int, *, stride: int = 1) -> nn.Sequential:
    """Depthwise, then pointwise, each with a leaky ReLU: NanoDet's `DepthwiseConvModule`."""
    return nn.Sequential(*depthwise(before, kernel, stride=stride), *conv(before, after))


class MaxPool(nn.Module):
    """``nn.MaxPool2d(3, 2, 1)`` in two steps, which take half of its time on the CPU.

    In training it is that layer itself: these steps have no gradient.
    """

    def forward(self, maps: Tensor) -> Tensor:
        if self.training:
            return max_pool2d(maps, 3, 2, 1)
        return _halved(_halved(maps, 2), 3)


def doubled(maps: Tensor, like: Tensor) -> Tensor:
    """Twice as large, cut to the size of `like`, whose size was odd when it was halved."""
    large = interpolate(maps, scale_factor=2, mode="bilinear", align_corners=False)
    return large[..., : like.shape[-2], : like.shape[-1]]


def _halved(maps: Tensor, dim: int) -> Tensor:
    """Maxima of pixels 2 i - 1, 2 i and 2 i + 1, as far as they exist."""
    before = (slice(None),) * dim
    even, odd = maps[(*before, slice(0, None, 2))], maps[(*before, slice(1, None, 2))]
    result, whole, after = even.clone(), odd.shape[dim], even.shape[dim] - 1
    for place, count in ((0, whole), (1, after)):
        part = result.narrow(dim, place, count)
        torch.maximum(part, odd.narrow(dim, 0, count), out=part)
    return result
