"""Frames as the network's input, as torchvision's `GeneralizedRCNNTransform` makes it."""

from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torchvision.models.detection.transform import GeneralizedRCNNTransform

from vidseg.models.architectures import Network

Size = tuple[int, int]
"""Height and width in pixels."""


class NetworkInput(NamedTuple):
    """A batch of images of one size."""

    tensors: Tensor
    """(B, 3, H, W), normalised, channels last, padded at the bottom and on the right."""
    size: Size
    """Height and width without the padding."""

    @property
    def padded(self) -> Size:
        return self.tensors.shape[-2], self.tensors.shape[-1]


def preprocess(model: Network, pixels: Tensor, dtype: torch.dtype) -> NetworkInput:
    """Resizes, normalises and pads `pixels`, (B, H, W, 3) uint8 RGB, on their device.

    Resizes before normalising; both are linear, so the order does not matter. On the CPU, with a
    reduced `dtype`, the resized pixels are whole numbers: their rounding is below `dtype`'s own.
    """
    transform: Any = model.transform
    height, width = size = network_size(model, (pixels.shape[1], pixels.shape[2]))
    levels = pixels.permute(0, 3, 1, 2)
    if pixels.device.type != "cpu" or dtype == torch.float32:
        levels = levels.float()
    resized = interpolate(levels, size=size, mode="bilinear", align_corners=False)
    # One row of all channels at a time: a loop over 3 channels takes ten times as long.
    rows = resized.permute(0, 2, 3, 1).flatten(2).float()
    for name, step in (("image_mean", rows.sub_), ("image_std", rows.div_)):
        step(255 * torch.tensor(getattr(transform, name), device=rows.device).repeat(width))
    multiple = transform.size_divisible
    down, across = (-(-side // multiple) * multiple for side in size)
    padded = torch.zeros((len(pixels), down, 3 * across), dtype=dtype, device=pixels.device)
    padded[:, :height, : 3 * width] = rows
    return NetworkInput(padded.unflatten(2, (across, 3)).permute(0, 3, 1, 2), size)


def network_size(model: Network, frame: Size) -> Size:
    """Height and width to which torchvision resizes a frame."""
    transform: Any = model.transform
    fixed = transform.fixed_size and tuple(transform.fixed_size)
    return _resized(transform.min_size[-1], transform.max_size, fixed, frame)


@lru_cache
def _resized(shorter: int, longest: int, fixed: Size | None, frame: Size) -> Size:
    """Torchvision's answer for a tensor without data; cached, because it takes milliseconds."""
    transform: Any = GeneralizedRCNNTransform(shorter, longest, [0.0], [1.0], fixed_size=fixed)
    resized, _ = transform.eval().resize(torch.empty((3, *frame), device="meta"))
    return resized.shape[-2], resized.shape[-1]


def input_size(model: Network) -> Size:
    """The shorter and the longest side to which the model resizes frames."""
    transform: Any = model.transform
    if transform.fixed_size:
        shorter, longest = sorted(transform.fixed_size)
        return shorter, longest
    return transform.min_size[-1], transform.max_size


def set_network_size(model: Network, shorter: int) -> None:
    """Make the model resize frames to this shorter side, and scale its longest side with it."""
    transform: Any = model.transform
    transform.max_size = round(transform.max_size * shorter / transform.min_size[-1])
    transform.min_size = (shorter,)
