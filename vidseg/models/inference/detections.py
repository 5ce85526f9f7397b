"""The objects of a batch, on their way from the network to the host.

Imports no torchvision, which takes 1.2 s and 170 MB.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidseg.models.inference.preprocess import Size


class Regions(NamedTuple):
    """Boxes of all images of a batch, image after image."""

    boxes: Tensor
    """(R, 4) float32 xyxy, in pixels of the network's input."""
    images: Tensor
    """(R,) int64, ascending: the index of each box's image."""


class BoxFilter(NamedTuple):
    """Which boxes go through the heads."""

    score: float
    """Only objects above this score are kept."""
    labels: Tensor
    """(K,) int64, ascending, on the model's device: only these classes."""
    max_proposals: int
    """Upper limit of boxes of an image that go through the box head."""


class BoxDetections(NamedTuple):
    """Objects of a batch before their masks: image after image, best score first."""

    regions: Regions
    scores: Tensor
    """(N,) float32."""
    labels: Tensor
    """(N,) int64."""


def clip_boxes(boxes: Tensor, size: Size) -> Tensor:
    """(N, 4) xyxy boxes, cut to a picture of `size` (height, width)."""
    limits = boxes.new_tensor((size[1], size[0], size[1], size[0]))
    return boxes.clamp(min=0).minimum(limits)


def unpack(rows: NDArray[np.uint8]) -> NDArray[np.void]:
    """(N,) records ``boxes scores labels images masks`` from the rows of `run_network`."""
    side = round(max(rows.shape[1] - _FIELDS.itemsize, 0) ** 0.5)
    layout = np.dtype([*_FIELDS.descr, ("masks", "=u1", (side, side))])
    return np.ascontiguousarray(rows).view(layout)[:, 0]


_FIELDS = np.dtype(
    [("boxes", "=f4", (4,)), ("scores", "=f4"), ("labels", "=i4"), ("images", "=i4")]
)


def pack(found: BoxDetections, masks: Tensor, size: Size, frame: Size) -> Tensor:
    """Rows for `unpack`: boxes go from the network's input of `size` to a frame of size `frame`."""
    down, across = np.divide(frame, size, dtype=np.float32).tolist()
    sides = zip(found.regions.boxes.unbind(1), (across, down, across, down), strict=True)
    boxes = torch.stack([side * factor for side, factor in sides], dim=1)
    columns = (
        clip_boxes(boxes, frame),
        found.scores[:, None],
        found.labels.to(torch.int32)[:, None],
        found.regions.images.to(torch.int32)[:, None],
        # Rounded, so that a probability of 0.5 is the lowest that becomes 128.
        (masks * 255).round().to(torch.uint8).flatten(1),
    )
    return torch.cat([column.contiguous().view(torch.uint8) for column in columns], dim=1)
