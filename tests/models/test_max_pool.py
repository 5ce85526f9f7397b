"""Max pooling on the CPU gives what torch's gives."""

from typing import Any

import pytest
import torch
from torch import nn

from vidseg.models.inference._max_pool import MaxPool3, is_max_pool3


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    "shape", [(1, 3, 7, 9), (2, 5, 8, 1), (1, 4, 1, 6), (3, 2, 13, 10), (1, 8, 1, 1)]
)
def test_equals_torch(shape, dtype):
    images = torch.randn(shape).to(dtype).to(memory_format=torch.channels_last)
    found = MaxPool3()(images)
    assert torch.equal(found, nn.MaxPool2d(3, 2, 1)(images))
    assert found.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    "options", [{"stride": 1}, {"padding": 0}, {"ceil_mode": True}, {"kernel_size": 2}]
)
def test_what_it_stands_for(options):
    plain: dict[str, Any] = {"kernel_size": 3, "stride": 2, "padding": 1}
    assert is_max_pool3(nn.MaxPool2d(**plain))
    assert not is_max_pool3(nn.MaxPool2d(**{**plain, **options}))
    assert not is_max_pool3(nn.AvgPool2d(3, 2, 1))
