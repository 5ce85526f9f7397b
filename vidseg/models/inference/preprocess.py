"""Frames as the network's input, as torchvision's `GeneralizedRCNNTransform` makes it.

Imports no torchvision, which takes 1.2 s and 170 MB.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import interpolate

if TYPE_CHECKING:
    from vidseg.models.architectures import Network

Size = tuple[int, int]
"""Height and width in pixels."""


@dataclass
class Transform:
    """What a network without torchvision's `GeneralizedRCNNTransform` has in its place."""

    min_size: tuple[int, ...]
    """Shorter side of its input, in pixels."""
    max_size: int
    """The longest side of its input, in pixels, before padding."""
    image_mean: tuple[float, float, float]
    image_std: tuple[float, float, float]
    """Of RGB in 0..1."""
    size_divisible: int
    """Sides are padded to multiples of it."""
    fixed_size: tuple[int, int] | None = None
    """Width and height of every input."""


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


def precision_of(model: Network) -> torch.dtype:
    """The number format of the model's input."""
    return next(model.backbone.parameters()).dtype


def network_size(model: Network, frame: Size) -> Size:
    """Height and width to which torchvision resizes a frame."""
    transform: Any = model.transform
    if transform.fixed_size:
        width, height = transform.fixed_size
        return height, width
    scale = min(transform.min_size[-1] / min(frame), transform.max_size / max(frame))
    return math.floor(frame[0] * scale), math.floor(frame[1] * scale)


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
