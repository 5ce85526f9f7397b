"""The mask branch: Mask R-CNN's idea on the detector's own maps, small enough for a laptop.

One pass over the picture joins the detector's maps into two: a coarse one at stride 8, which tells
objects apart, and a fine one at stride 4, which shows their edges. Each box looks at a grid of
points of both: 14 x 14 coarse ones, and 28 x 28 fine ones. Which class is meant is told by the
weights with which the box head scores it: similar classes have similar ones.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import grid_sample, interpolate

from vidseg.models.everyday._layers import SLOPE, conv, doubled, separable
from vidseg.structures.instances import MASK_SIDE

FINE, COARSE = 24, 48
"""Channels of the maps at strides 4 and 8."""


class MaskBranch(nn.Module):
    """Mask logits for boxes whose classes are known."""

    def __init__(self, widths: tuple[int, ...], channels: int) -> None:
        """`widths` are those of the backbone's maps from stride 4 on, `channels` the pyramid's."""
        super().__init__()
        stem, *others = widths
        self.lateral = nn.ModuleList(conv(width + channels, COARSE, relu=False) for width in others)
        self.mix_coarse = separable(COARSE, COARSE, 5)
        self.from_stem = conv(stem, FINE, relu=False)
        self.from_coarse = conv(COARSE, FINE, relu=False)
        self.mix_fine = separable(FINE, FINE, 3)
        self.look = conv(COARSE + 2, COARSE, 3)
        self.context = nn.Sequential(
            nn.Linear(COARSE + channels, COARSE), nn.LeakyReLU(SLOPE), nn.Linear(COARSE, 2 * COARSE)
        )
        self.shape = nn.ModuleList(separable(COARSE, COARSE, 5) for _ in range(2))
        self.to_fine = conv(COARSE, FINE, relu=False)
        self.edge = nn.ModuleList(separable(FINE, FINE, 5) for _ in range(2))
        self.logit = nn.Conv2d(FINE, 1, 1)

    def maps(self, backbone: list[Tensor], pyramid: list[Tensor]) -> tuple[Tensor, Tensor]:
        """The fine and the coarse map of whole pictures."""
        stem, *others = backbone
        levels = [
            lateral(torch.cat((own, level), 1))
            for lateral, own, level in zip(self.lateral, others, pyramid, strict=False)
        ]
        coarse = levels[-1]
        for finer in levels[-2::-1]:
            coarse = finer + doubled(coarse, finer)
        coarse = self.mix_coarse(coarse)
        fine = self.from_stem(stem)
        return self.mix_fine(fine + doubled(self.from_coarse(coarse), fine)), coarse

    def forward(
        self,
        maps: tuple[Tensor, Tensor],
        boxes: Tensor,
        real: Tensor,
        classes: Tensor,
        size: tuple[int, int],
    ) -> Tensor:
        """(N, MASK_SIDE, MASK_SIDE) logits of the N real ones of R boxes a picture.

        Args:
            maps: as `maps` gives them, of B pictures.
            boxes: (B, R, 4) float32 xyxy in pixels of the pictures.
            real: (B, R) bool; the other boxes fill up.
            classes: (N, channels) of `BoxHead.class_vectors`, for each real box.
            size: height and width of the pictures.
        """
        fine = _sampled(maps[0], grid_points(boxes, size, MASK_SIDE), real)
        seen = _sampled(maps[1], grid_points(boxes, size, MASK_SIDE // 2), real)
        inner = self.look(torch.cat((seen, _ramps(seen)), 1))
        scale, shift = self.context(torch.cat((inner.mean((2, 3)), classes), 1)).chunk(2, 1)
        inner = inner + inner * scale[..., None, None] + shift[..., None, None]
        for step in self.shape:
            inner = inner + step(inner)
        outer = fine + interpolate(
            self.to_fine(inner), scale_factor=2, mode="bilinear", align_corners=False
        )
        for step in self.edge:
            outer = outer + step(outer)
        return self.logit(outer)[:, 0]


def grid_points(boxes: Tensor, size: tuple[int, int], side: int) -> Tensor:
    """(..., side, side, 2): centres of the cells of (..., 4) xyxy boxes, x before y.

    Each runs from -1 to 1 over a picture of `size` (height, width), as `grid_sample` takes it.
    """
    steps = (torch.arange(side, dtype=boxes.dtype, device=boxes.device) + 0.5) / side
    height, width = size
    x = torch.lerp(boxes[..., 0:1], boxes[..., 2:3], steps) * (2 / width) - 1
    y = torch.lerp(boxes[..., 1:2], boxes[..., 3:4], steps) * (2 / height) - 1
    return torch.stack(torch.broadcast_tensors(x[..., None, :], y[..., :, None]), -1)


def _sampled(values: Tensor, grids: Tensor, real: Tensor) -> Tensor:
    """(N, C, side, side) of (B, C, h, w) at the points of (B, R, side, side, 2) `grids`.

    Samples in float32: 8 bits of bfloat16 would move points by a pixel, and torch's kernel for it
    gives numbers that are none.
    """
    found = grid_sample(
        values.float(), grids.flatten(1, 2), padding_mode="border", align_corners=False
    )
    found = found.unflatten(2, grids.shape[1:3]).transpose(1, 2)
    found = found[0] if len(found) == 1 else found[real]
    return found.to(values.dtype).contiguous(memory_format=torch.channels_last)


def _ramps(like: Tensor) -> Tensor:
    """(N, 2, side, side): where in its box a cell lies, -1 to 1 across and down."""
    ramp = torch.linspace(-1, 1, like.shape[-1], device=like.device, dtype=like.dtype)
    return torch.stack(torch.meshgrid(ramp, ramp, indexing="xy")).expand(like.shape[0], -1, -1, -1)
