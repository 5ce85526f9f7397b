"""Prepares a model for prediction: folds batch norms, sets memory layout and number format."""

from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights
from torchvision.models._utils import IntermediateLayerGetter
from torchvision.models.detection import MaskRCNN
from torchvision.models.resnet import BasicBlock, Bottleneck
from torchvision.ops import FrozenBatchNorm2d

from vidseg.models.inference import _winograd, _winograd_float32
from vidseg.models.inference._winograd import Winograd, suits
from vidseg.models.inference._winograd_float32 import WinogradFloat32
from vidseg.models.precision import TILES_BFLOAT16, cpu_has, cpu_has_avx2

SEQUENTIAL_MODULES = (nn.Sequential, IntermediateLayerGetter, BasicBlock, Bottleneck)
"""Modules whose batch norms take the output of the convolution right before them."""

Norm = nn.BatchNorm2d | FrozenBatchNorm2d


def optimize(model: MaskRCNN, device: torch.device, dtype: torch.dtype) -> MaskRCNN:
    """`model` itself, changed for prediction only: it cannot be trained any more.

    The layer that predicts boxes and scores stays float32 in any precision.
    """
    model.eval().requires_grad_(False)
    fold_norms(model)
    if device.type == "cpu":
        replace_convolutions(model, dtype)
    model.to(device, dtype)
    model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    model.get_submodule("roi_heads.box_predictor").float()
    anchors: Any = model.get_submodule("rpn.anchor_generator")
    anchors.set_cell_anchors(torch.float32, device)  # not buffers, so `to` skips them
    return model


def fold_norms(model: nn.Module) -> None:
    """Merge each batch norm into the weights and bias of the convolution before it."""
    for parent in model.modules():
        if isinstance(parent, SEQUENTIAL_MODULES):
            for conv, name, norm in list(_pairs(parent)):
                _fold(conv, norm)
                setattr(parent, name, nn.Identity())


def replace_convolutions(model: nn.Module, dtype: torch.dtype) -> None:
    """Replace convolutions by Winograd's algorithm where this CPU gains from it."""
    if dtype == torch.bfloat16 and not cpu_has(TILES_BFLOAT16):
        winograd, min_channels = Winograd, _winograd.MIN_CHANNELS
    elif dtype == torch.float32 and cpu_has_avx2():
        winograd, min_channels = WinogradFloat32, _winograd_float32.MIN_CHANNELS
    else:
        return
    for parent in list(model.modules()):
        for name, module in parent.named_children():
            if suits(module, min_channels):
                setattr(parent, name, winograd(cast(nn.Conv2d, module)))


def _pairs(parent: nn.Module) -> Iterator[tuple[nn.Conv2d, str, Norm]]:
    before: nn.Module | None = None
    for name, module in parent.named_children():
        if isinstance(before, nn.Conv2d) and isinstance(module, nn.BatchNorm2d | FrozenBatchNorm2d):
            yield before, name, module
        before = module


def _fold(conv: nn.Conv2d, norm: Any) -> None:
    """In float64, so that folding adds no rounding error."""
    dtype = conv.weight.dtype
    conv.double()
    norm.double()
    statistics = norm.running_mean, norm.running_var, norm.eps
    conv.weight, conv.bias = fuse_conv_bn_weights(
        conv.weight, conv.bias, *statistics, norm.weight, norm.bias
    )
    conv.to(dtype)
