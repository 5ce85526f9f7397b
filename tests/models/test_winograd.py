"""Winograd's way to convolve gives what the direct one gives."""

import pytest
import torch
from torch import nn

from vidseg.models.architectures import build
from vidseg.models.inference import _winograd, _winograd_float32
from vidseg.models.inference._winograd import Winograd, suits
from vidseg.models.inference._winograd_float32 import WinogradFloat32
from vidseg.models.inference.optimize import optimize

SMALL = "maskrcnn_shufflenet_v2_x0_5_fpn"

SHAPES = [(1, 12, 20), (1, 13, 21), (3, 7, 7), (2, 1, 1), (2, 2, 31), (0, 7, 7)]


@pytest.mark.parametrize("tiles", [1, 5, 16, 1000])
@pytest.mark.parametrize("shape", SHAPES)
def test_equals_the_direct_convolution(shape, tiles, monkeypatch):
    monkeypatch.setattr(_winograd, "MAX_TILES_AT_ONCE", tiles)
    count, height, width = shape
    conv = nn.Conv2d(6, 10, 3, padding=1).requires_grad_(False)
    images = torch.randn(count, 6, height, width).to(memory_format=torch.channels_last)
    found = Winograd(conv)(images)
    torch.testing.assert_close(found, conv(images), rtol=0, atol=1e-5)
    assert found.is_contiguous(memory_format=torch.channels_last) or width % 2


def test_without_bias_and_in_bfloat16():
    conv = nn.Conv2d(64, 32, 3, padding=1, bias=False).requires_grad_(False)
    images = torch.randn(1, 64, 12, 20)
    exact = conv(images)
    found = Winograd(conv).bfloat16()(images.bfloat16()).float()
    assert (found - exact).square().mean().sqrt() < 0.01 * exact.std()


@pytest.mark.parametrize("tiles", [1, 5, 16, 96])
@pytest.mark.parametrize("shape", [*SHAPES, (1, 4, 4), (5, 14, 14)])
def test_float32_equals_the_direct_convolution(shape, tiles, monkeypatch):
    monkeypatch.setattr(_winograd_float32, "MAX_TILES_AT_ONCE", tiles)
    count, height, width = shape
    conv = nn.Conv2d(6, 10, 3, padding=1, bias=tiles > 1).requires_grad_(False)
    images = torch.randn(count, 6, height, width).to(memory_format=torch.channels_last)
    found = WinogradFloat32(conv)(images)
    torch.testing.assert_close(found, conv(images), rtol=0, atol=1e-4)


@pytest.mark.parametrize(("instructions", "used"), [("AVX2", True), ("DEFAULT", False)])
def test_float32_takes_it_where_the_cpu_gains(instructions, used, monkeypatch):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: instructions)
    model = optimize(build(SMALL, 2), torch.device("cpu"), torch.float32)
    assert any(isinstance(part, WinogradFloat32) for part in model.modules()) is used


@pytest.mark.parametrize(
    ("options", "suited"),
    [
        ({}, True),
        ({"kernel_size": 1, "padding": 0}, False),
        ({"stride": 2}, False),
        ({"padding": 0}, False),
        ({"groups": 2}, False),
        ({"dilation": 2}, False),
        ({"padding_mode": "reflect"}, False),
        ({"in_channels": 64}, False),
    ],
)
def test_what_it_suits(options, suited):
    plain = {"in_channels": 256, "out_channels": 256, "kernel_size": 3, "padding": 1}
    assert suits(nn.Conv2d(**{**plain, **options})) is suited
    assert not suits(nn.ConvTranspose2d(256, 256, 3, padding=1))


@pytest.mark.parametrize(
    ("has", "used"),
    [({"avx512_bf16": True}, True), ({"avx512_bf16": True, "amx_bf16": True}, False)],
)
def test_is_left_out_where_tiles_are_multiplied(monkeypatch, has, used):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has, raising=False)
    model = build("maskrcnn_resnet50_fpn", 3)
    model = optimize(model, torch.device("cpu"), torch.bfloat16)
    assert any(isinstance(part, Winograd) for part in model.modules()) is used
