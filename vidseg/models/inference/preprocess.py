"""Frames as the network's input, as torchvision's `GeneralizedRCNNTransform` makes it."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.transform import GeneralizedRCNNTransform

from vidseg.models.device import constant

Size = tuple[int, int]


class Input(NamedTuple):
    """Equally large images for the network."""

    tensors: Tensor
    """(B, 3, H, W), normalised, channels last, padded below and on the right."""
    size: Size
    """Height and width without the padding."""

    @property
    def padded(self) -> Size:
        return self.tensors.shape[-2], self.tensors.shape[-1]


def prepare(model: MaskRCNN, pixels: Tensor, dtype: torch.dtype) -> Input:
    """Resized, normalised and padded, on the device of `pixels`: (B, H, W, 3) uint8 RGB.

    Resizing comes first, on whole levels: both steps are linear, so they may change places. On the
    CPU in a reduced `dtype` it also ends on whole levels, which costs less than `dtype` rounds.
    """
    transform: Any = model.transform
    height, width = size = network_size(model, (pixels.shape[1], pixels.shape[2]))
    levels = pixels.permute(0, 3, 1, 2)
    if pixels.device.type != "cpu" or dtype == torch.float32:
        levels = levels.float()
    resized = interpolate(levels, size=size, mode="bilinear", align_corners=False)
    # Whole rows at once: a loop over 3 channels would take ten times as long.
    rows = resized.permute(0, 2, 3, 1).flatten(2).float()
    rows = rows.sub_(_row(transform.image_mean, width, pixels.device))
    rows = rows.div_(_row(transform.image_std, width, pixels.device))
    down, across = (
        -(-side // transform.size_divisible) * transform.size_divisible for side in size
    )
    padded = torch.zeros((len(pixels), down, 3 * across), dtype=dtype, device=pixels.device)
    padded[:, :height, : 3 * width] = rows
    return Input(padded.unflatten(2, (across, 3)).permute(0, 3, 1, 2), size)


def network_size(model: MaskRCNN, frame: Size) -> Size:
    """Height and width to which torchvision resizes a frame."""
    transform: Any = model.transform
    fixed = transform.fixed_size and tuple(transform.fixed_size)
    return _resized(transform.min_size[-1], transform.max_size, fixed, frame)


@lru_cache
def _resized(shorter: int, longest: int, fixed: Size | None, frame: Size) -> Size:
    """Torchvision's own answer for an image of no pixels, which takes it some milliseconds."""
    transform: Any = GeneralizedRCNNTransform(shorter, longest, [0.0], [1.0], fixed_size=fixed)
    resized, _ = transform.eval().resize(torch.empty((3, *frame), device="meta"))
    return resized.shape[-2], resized.shape[-1]


def _row(values: Sequence[float], width: int, device: torch.device) -> Tensor:
    """(3 * W,) what each channel of a row of pixels takes, in levels of 0..255."""
    return constant(tuple(values), torch.float32, device).mul(255).repeat(width)


def set_network_size(model: MaskRCNN, shorter: int) -> None:
    """Resize frames to this shorter side from now on, and to a longest one in proportion."""
    transform: Any = model.transform
    transform.max_size = round(transform.max_size * shorter / transform.min_size[-1])
    transform.min_size = (shorter,)
