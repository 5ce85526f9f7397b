"""Frames as the network's input, as torchvision's `GeneralizedRCNNTransform` makes it."""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torchvision.models.detection import MaskRCNN

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

    Resizing comes first, on whole levels: both steps are linear, so they may change places.
    """
    transform: Any = model.transform
    size = network_size(model, (pixels.shape[1], pixels.shape[2]))
    levels = pixels.permute(0, 3, 1, 2).float()
    resized = interpolate(levels, size=size, mode="bilinear", align_corners=False)
    mean, spread = (
        torch.tensor(values, device=pixels.device).mul(255)[:, None, None]
        for values in (transform.image_mean, transform.image_std)
    )
    padded = [-(-side // transform.size_divisible) * transform.size_divisible for side in size]
    tensors = torch.zeros((len(pixels), 3, *padded), dtype=dtype, device=pixels.device).contiguous(
        memory_format=torch.channels_last
    )
    tensors[:, :, : size[0], : size[1]] = resized.sub_(mean).div_(spread)
    return Input(tensors, size)


def network_size(model: MaskRCNN, frame: Size) -> Size:
    """Height and width to which torchvision resizes a frame; asked with an image of no pixels."""
    transform: Any = model.transform
    resized, _ = transform.resize(torch.empty((3, *frame), device="meta"))
    return resized.shape[-2], resized.shape[-1]


def set_network_size(model: MaskRCNN, shorter: int) -> None:
    """Resize frames to this shorter side from now on, and to a longest one in proportion."""
    transform: Any = model.transform
    transform.max_size = round(transform.max_size * shorter / transform.min_size[-1])
    transform.min_size = (shorter,)
