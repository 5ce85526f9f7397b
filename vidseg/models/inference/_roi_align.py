"""RoI align on all levels of a feature pyramid at once, for channels-last features.

Torchvision's CPU kernel reads one channel after the other, and only float32. Here each bin is
computed as what it is, a weighted sum of a few pixels of the pyramid: `embedding_bag` sums all
their channels at once. 1000 boxes of ResNet-50's pyramid take 10 ms in bfloat16 instead of 250 ms.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag
from torchvision.ops import MultiScaleRoIAlign
from torchvision.ops.poolers import LevelMapper

from vidseg.models.inference.detections import Regions
from vidseg.models.inference.preprocess import NetworkInput, Size


class Pyramid(NamedTuple):
    """The feature maps of a batch as one table of pixels."""

    pixels: Tensor
    """(P, C): level after level, image after image, row after row."""
    sizes: tuple[Size, ...]
    """Height and width of each level."""
    starts: tuple[int, ...]
    """Index of each level's first pixel."""
    scales: tuple[float, ...]
    """Pixels of each level per pixel of the network's input."""


def make_pyramid(maps: list[Tensor], images: NetworkInput) -> Pyramid:
    """From the feature maps to pool from, finest first."""
    tables = [features.permute(0, 2, 3, 1).flatten(0, 2) for features in maps]
    sizes = tuple((features.shape[-2], features.shape[-1]) for features in maps)
    lengths = [len(table) for table in tables]
    starts = tuple(sum(lengths[:level]) for level in range(len(lengths)))
    # From padded sizes. Torchvision infers scales from unpadded ones, wrongly for an image
    # narrower than about 1:58.
    scales = tuple(2.0 ** round(math.log2(height / images.padded[0])) for height, _ in sizes)
    return Pyramid(torch.cat(tables), sizes, starts, scales)


def pool_regions(
    pool: Any, features: Mapping[str, Tensor], regions: Regions, images: NetworkInput
) -> Tensor:
    """(R, C, bins, bins): each region pooled as `pool`, a part of the model's heads, does it."""
    if isinstance(pool, MultiScaleRoIAlign) and pool.sampling_ratio > 0:
        maps = [features[name] for name in pool.featmap_names if name in features]
        return align(pool, make_pyramid(maps, images), regions)
    plain = {name: values.float().contiguous() for name, values in features.items()}
    counts = torch.bincount(regions.images, minlength=len(images.tensors)).tolist()
    pooled = pool(plain, list(regions.boxes.split(counts)), [images.padded] * len(counts))
    return pooled.to(images.tensors.dtype)


def align(pool: MultiScaleRoIAlign, pyramid: Pyramid, regions: Regions) -> Tensor:
    """Torchvision's RoI align (`aligned=False`), each bin as one weighted sum of pixels."""
    pixels, count = pyramid.pixels, len(regions.boxes)
    levels = _levels(pool, pyramid, regions.boxes)
    device = pixels.device
    heights, widths = torch.tensor(pyramid.sizes, dtype=torch.int32, device=device)[levels].unbind(
        1
    )
    starts = torch.tensor(pyramid.starts, device=device)[levels]
    scales = torch.tensor(pyramid.scales, device=device)[levels]
    first = (starts + regions.images * heights * widths).to(torch.int32)
    corners = regions.boxes * scales[:, None]
    bins_y, bins_x = map(int, pool.output_size)
    rows, weights_y = _taps(corners[:, 1::2], heights, bins_y, pool.sampling_ratio)
    columns, weights_x = _taps(corners[:, 0::2], widths, bins_x, pool.sampling_ratio)
    rows = first[:, None, None] + rows * widths[:, None, None]
    indices = rows[:, :, None, :, None] + columns[:, None, :, None, :]
    weights = weights_y[:, :, None, :, None] * weights_x[:, None, :, None, :]
    bins = embedding_bag(
        indices.flatten(3).flatten(0, 2),
        pixels,
        mode="sum",
        per_sample_weights=weights.flatten(3).flatten(0, 2).to(pixels.dtype),
    )
    return bins.unflatten(0, (count, bins_y, bins_x)).permute(0, 3, 1, 2)


def _levels(pool: MultiScaleRoIAlign, pyramid: Pyramid, boxes: Tensor) -> Tensor:
    """(R,) the level to pool each box from: a coarse one for a large box."""
    finest, coarsest = (round(-math.log2(pyramid.scales[end])) for end in (0, -1))
    mapper = LevelMapper(finest, coarsest, pool.canonical_scale, pool.canonical_level)
    return mapper([boxes])


def _taps(ends: Tensor, limits: Tensor, bins: int, samples: int) -> tuple[Tensor, Tensor]:
    """Along one axis, the pixels that each bin sums and their weights: (R, bins, 2 * samples) each.

    Args:
        ends: (R, 2) start and end of each region, in pixels of its level.
        limits: (R,) pixels of its level along this axis.
    """
    steps = (torch.arange(bins * samples, device=ends.device) + 0.5) / samples
    lengths = (ends[:, 1:] - ends[:, :1]).clamp(min=1)
    points = ends[:, :1] + lengths / bins * steps
    limits = limits[:, None]
    inside = (points >= -1) & (points <= limits)
    points = points.clamp(min=0)
    low = torch.minimum(points.to(torch.int32), limits - 1)
    high = torch.minimum(low + 1, limits - 1)
    part = points - low
    weights = torch.stack((1 - part, part), dim=-1) * (inside / samples)[..., None]
    return (
        torch.stack((low, high), dim=-1).reshape(len(ends), bins, -1),
        weights.reshape(len(ends), bins, -1),
    )
