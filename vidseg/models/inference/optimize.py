"""A model made ready to predict: batch norm folded, channels last, in a precision of its own."""

from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights
from torchvision.models._utils import IntermediateLayerGetter
from torchvision.models.detection import MaskRCNN
from torchvision.models.resnet import BasicBlock, Bottleneck
from torchvision.ops import FrozenBatchNorm2d

from vidseg.errors import OptionError
from vidseg.models.inference._max_pool import MaxPool3, is_max_pool3
from vidseg.models.inference.winograd import Winograd, suits
from vidseg.models.names import check_precision

IN_ORDER = (nn.Sequential, IntermediateLayerGetter, BasicBlock, Bottleneck)
"""Modules that give a batch norm the output of the convolution which stands right before it."""

TILES_BFLOAT16 = "amx_bf16"
"""The CPU capability with which a whole tile is multiplied in bfloat16 by one instruction."""

NATIVE_BFLOAT16 = ("avx512_bf16", TILES_BFLOAT16)
"""CPU capabilities with which bfloat16 is at least twice as fast as float32; without, slower."""

TENSOR_CORES = (7, 0)
"""The first CUDA capability whose float16 is much faster than its float32."""

Norm = nn.BatchNorm2d | FrozenBatchNorm2d


def resolve_precision(name: str, device: torch.device) -> torch.dtype:
    """The number format called `name`; `auto` is the fastest that keeps the quality on `device`.

    Float16 on CUDA: as fast as bfloat16, with three more bits. Bfloat16 on CPUs that compute in
    it, where torch (2.11 and later) tells; float32 elsewhere.

    Raises:
        OptionError: no precision is called so; float16 on a CPU, a minute for one frame.
    """
    check_precision(name)
    if name == "float16" and device.type == "cpu":
        raise OptionError(
            "float16 is for GPUs, on a CPU it takes a minute a frame; use --precision auto."
        )
    if name != "auto":
        return getattr(torch, name)
    if device.type == "cuda":
        fast = torch.cuda.get_device_capability(device) >= TENSOR_CORES
        return torch.float16 if fast else torch.float32
    if device.type == "cpu" and cpu_has_bfloat16():
        return torch.bfloat16
    return torch.float32


def cpu_has_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 numbers in hardware and torch makes use of it."""
    return torch.backends.mkldnn.is_available() and any(map(cpu_has, NATIVE_BFLOAT16))


def cpu_has(capability: str) -> bool:
    """Whether torch (2.11 and later) tells that this CPU has it."""
    return bool(getattr(torch.cpu, "get_capabilities", dict)().get(capability))


def optimize(model: MaskRCNN, device: torch.device, dtype: torch.dtype) -> MaskRCNN:
    """`model` itself, changed for prediction alone: it cannot be trained any more.

    What the heads say of boxes, coordinates and scores, stays float32 in any precision.
    """
    model.eval().requires_grad_(False)
    fold_norms(model)
    if device.type == "cpu":
        replace_pools(model)
    if device.type == "cpu" and dtype == torch.bfloat16 and not cpu_has(TILES_BFLOAT16):
        replace_convolutions(model)
    model.to(device, dtype)
    model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    model.get_submodule("roi_heads.box_predictor").float()
    anchors: Any = model.get_submodule("rpn.anchor_generator")
    anchors.set_cell_anchors(torch.float32, device)  # they are no buffers and do not move along
    return model


def fold_norms(model: nn.Module) -> None:
    """Give convolutions the weights and biases that make the batch norms behind them needless."""
    for parent in model.modules():
        if isinstance(parent, IN_ORDER):
            for conv, name, norm in list(_pairs(parent)):
                _fold(conv, norm)
                setattr(parent, name, nn.Identity())


def replace_convolutions(model: nn.Module) -> None:
    """Put `Winograd` in place of the convolutions that it suits."""
    for parent in list(model.modules()):
        for name, module in parent.named_children():
            if suits(module):
                setattr(parent, name, Winograd(cast(nn.Conv2d, module)))


def replace_pools(model: nn.Module) -> None:
    """Put `MaxPool3` in place of the poolings that it stands for."""
    for parent in list(model.modules()):
        for name, module in parent.named_children():
            if is_max_pool3(module):
                setattr(parent, name, MaxPool3())


def _pairs(parent: nn.Module) -> Iterator[tuple[nn.Conv2d, str, Norm]]:
    before: nn.Module | None = None
    for name, module in parent.named_children():
        if isinstance(before, nn.Conv2d) and isinstance(module, nn.BatchNorm2d | FrozenBatchNorm2d):
            yield before, name, module
        before = module


def _fold(conv: nn.Conv2d, norm: Any) -> None:
    """In float64, so that folding adds no error of its own."""
    dtype = conv.weight.dtype
    conv.double()
    norm.double()
    statistics = norm.running_mean, norm.running_var, norm.eps
    conv.weight, conv.bias = fuse_conv_bn_weights(
        conv.weight, conv.bias, *statistics, norm.weight, norm.bias
    )
    conv.to(dtype)
