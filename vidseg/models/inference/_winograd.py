"""3 x 3 convolutions with 2.25 times fewer multiplications: Winograd's F(2 x 2, 3 x 3).

Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural Networks", section 4.1. For CPUs with
bfloat16 instructions but no AMX: there, without it, `overlay` with a ResNet-50 model takes 1.16
times the processor time a frame. The result's relative error is 0.6 %, a direct convolution's in
bfloat16 0.25 %. With AMX the transforms alone take longer than the direct convolution.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

MIN_CHANNELS = 256
"""With fewer channels the transforms cost what the multiplications save."""

MAX_TILES_AT_ONCE = 1344
"""Tiles of 2 x 2 pixels; what passes between the steps then fits in the processor's cache."""

KERNEL_TRANSFORM = torch.tensor([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
"""G in the paper."""


class Winograd(nn.Module):
    """Replaces a convolution that `suits`."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        kernel = KERNEL_TRANSFORM.double()
        weight = torch.einsum("ia,ocab,jb->ijco", kernel, conv.weight.double(), kernel)
        self.weight = nn.Parameter(weight.flatten(0, 1).to(conv.weight.dtype), requires_grad=False)
        bias = conv.weight.new_zeros(conv.out_channels) if conv.bias is None else conv.bias
        self.bias = nn.Parameter(bias, requires_grad=False)

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W), channels last, to (B, K, H, W), channels last."""
        count, _, height, width = images.shape
        down, across = -(-height // 2), -(-width // 2)
        room = (0, 0, 1, 1 + 2 * across - width, 1, 1 + 2 * down - height)
        padded = pad(images.permute(0, 2, 3, 1), room)
        result = padded.new_empty(count, down, 2, across, 2, self.weight.shape[2])
        for some, rows in parts(count, down, across, MAX_TILES_AT_ONCE):
            block = padded[some, 2 * rows.start : 2 * rows.stop + 2]
            self._convolve(block, result[some, rows])
        whole = result.view(count, 2 * down, 2 * across, result.shape[-1])
        return whole[:, :height, :width].permute(0, 3, 1, 2)

    def _convolve(self, block: Tensor, out: Tensor) -> None:
        """(b, 2 n + 2, 2 m + 2, C) pixels to `out`, (b, n, 2, m, 2, K)."""
        tiles = block.new_empty(4, 4, len(block), out.shape[1], out.shape[3], block.shape[3])
        for row, values in enumerate(_inward(block, 1)):
            _inward(values, 2, out=tiles[row])
        sums = torch.bmm(tiles.flatten(0, 1).flatten(1, 3), self.weight)
        sums = sums.view(*tiles.shape[:5], self.weight.shape[2])
        even = sums[0].add(sums[1]).add_(sums[2])
        odd = sums[1].sub(sums[2]).sub_(sums[3])
        for row, values in enumerate((even, odd)):
            values[0].add_(values[1]).add_(self.bias)
            torch.add(values[0], values[2], out=out[:, :, row, :, 0])
            values[1].sub_(values[2]).add_(self.bias)
            torch.sub(values[1], values[3], out=out[:, :, row, :, 1])


def suits(module: nn.Module, min_channels: int = MIN_CHANNELS) -> bool:
    """Whether `module` is a convolution that Winograd's algorithm computes, and faster."""
    return (
        isinstance(module, nn.Conv2d)
        and module.kernel_size == (3, 3)
        and module.stride == module.padding == module.dilation == (1, 1)
        and module.groups == 1
        and module.padding_mode == "zeros"
        and min(module.in_channels, module.out_channels) >= min_channels
    )


def parts(count: int, down: int, across: int, max_tiles: int) -> Iterator[tuple[slice, slice]]:
    """Which images, and which of their rows of tiles, to convolve at once."""
    images = max(1, max_tiles // (down * across))
    rows = max(1, max_tiles // across)
    for image in range(0, count, images):
        for row in range(0, down, rows):
            yield slice(image, image + images), slice(row, min(row + rows, down))


def _inward(values: Tensor, dim: int, out: Tensor | None = None) -> list[Tensor]:
    """The paper's B^T along a dimension, on tiles of 4 that overlap by 2; into rows of `out`."""
    end, before = values.shape[dim] - 2, (slice(None),) * dim
    a, b, c, d = (values[(*before, slice(place, end + place, 2))] for place in range(4))
    into = [None] * 4 if out is None else list(out)
    pairs = ((torch.sub, a, c), (torch.add, b, c), (torch.sub, c, b), (torch.sub, b, d))
    return [step(x, y, out=row) for (step, x, y), row in zip(pairs, into, strict=True)]
