"""Torchvision's Mask R-CNN run piece by piece, so that only what is wanted is computed.

`model(images)` finds objects of every class and pastes every mask into a full frame. Here the same
layers run in the same order, but the boxes are chosen (score, class, NMS, count) before the mask
head sees them, the masks stay in their boxes, and each step takes a whole batch at once.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.models.detection import MaskRCNN
from torchvision.ops import clip_boxes_to_image, remove_small_boxes

from vidseg.models.inference._proposals import Regions, decode, first_of_each, propose, suppress
from vidseg.models.inference._roi_align import pool_regions
from vidseg.models.inference.preprocess import Input, Size, prepare
from vidseg.structures.instances import MASK_SIDE

SMALLEST_BOX = 1e-2
"""Pixels of the network's input, as in torchvision's `RoIHeads.postprocess_detections`."""

Features = dict[str, Tensor]


class Wanted(NamedTuple):
    """Which objects are worth a mask."""

    score: float
    """Objects at or below this score are dropped."""
    labels: Tensor
    """(K,) int64, ascending, on the model's device."""
    proposals: int
    """Boxes that the box head looks at in each image, at most."""


class Found(NamedTuple):
    """Objects of a batch, image after image, best score first."""

    regions: Regions
    scores: Tensor
    labels: Tensor


def detect(model: MaskRCNN, pixels: Tensor, wanted: Wanted) -> Tensor:
    """Objects of a batch of equally large images, packed for one copy to the host.

    Args:
        model: as `optimize` leaves it, on the device of `pixels`.
        pixels: (B, H, W, 3) uint8 RGB.

    Returns:
        (N, bytes) uint8, one row an object as `unpack` reads it, image after image.
    """
    images = prepare(model, pixels, precision_of(model))
    features = extract(model, images)
    regions = propose(model, list(features.values()), images, most=wanted.proposals)
    found = choose_boxes(model, features, regions, images, wanted)
    masks = predict_masks(model, features, found, images)
    return _pack(found, masks, images.size, (pixels.shape[1], pixels.shape[2]))


def precision_of(model: MaskRCNN) -> torch.dtype:
    """The number format in which the model takes images."""
    return next(model.backbone.parameters()).dtype


def every_label(model: MaskRCNN) -> list[int]:
    """All labels but background, the nameless ones too, in torchvision's order."""
    return list(range(1, _heads(model).box_predictor.cls_score.out_features))


def most_proposals(model: MaskRCNN) -> int:
    """How many boxes of an image torchvision gives to the box head."""
    rpn: Any = model.rpn
    return rpn.post_nms_top_n()


def extract(model: MaskRCNN, images: Input) -> Features:
    """The backbone's feature maps by name, finest first."""
    features = model.backbone(images.tensors)
    return {"0": features} if isinstance(features, Tensor) else features


def choose_boxes(
    model: MaskRCNN, features: Features, regions: Regions, images: Input, wanted: Wanted
) -> Found:
    """The box head, and `RoIHeads.postprocess_detections` on the wanted classes alone."""
    heads = _heads(model)
    pooled = heads.box_head(pool_regions(heads.box_roi_pool, features, regions, images))
    logits, moves = heads.box_predictor(pooled.float())
    # Softmax over all classes: a class that nobody wants still takes its share of the probability.
    scores = logits.softmax(-1)[:, wanted.labels]
    rows, columns = torch.nonzero(scores > wanted.score, as_tuple=True)
    scores, labels, owners = scores[rows, columns], wanted.labels[columns], regions.images[rows]
    moves = moves.unflatten(1, (-1, 4))[rows, labels]
    boxes = decode(heads.box_coder, moves, regions.boxes[rows])
    boxes = clip_boxes_to_image(boxes, images.size)
    large = remove_small_boxes(boxes, min_size=SMALLEST_BOX)
    groups = owners * logits.shape[1] + labels
    best = large[suppress(boxes[large], scores[large], groups[large], heads.nms_thresh)]
    best = best[first_of_each(owners[best], len(images.tensors), heads.detections_per_img)]
    return Found(Regions(boxes[best], owners[best]), scores[best], labels[best])


def predict_masks(model: MaskRCNN, features: Features, found: Found, images: Input) -> Tensor:
    """(N, M, M) float32: the mask of each object for its own label."""
    heads, labels = _heads(model), found.labels
    if not len(labels):
        return found.scores.new_zeros((0, MASK_SIDE, MASK_SIDE))
    pooled = heads.mask_head(pool_regions(heads.mask_roi_pool, features, found.regions, images))
    logits = heads.mask_predictor(pooled)
    return logits[torch.arange(len(labels), device=labels.device), labels].float().sigmoid()


def unpack(rows: NDArray[np.uint8]) -> NDArray[np.void]:
    """(N,) records ``boxes scores labels images masks`` from what `detect` packed."""
    side = round(max(rows.shape[1] - _PLAIN.itemsize, 0) ** 0.5)
    layout = np.dtype([*_PLAIN.descr, ("masks", "=u1", (side, side))])
    return np.ascontiguousarray(rows).view(layout)[:, 0]


_PLAIN = np.dtype([("boxes", "=f4", (4,)), ("scores", "=f4"), ("labels", "=i4"), ("images", "=i4")])


def _pack(found: Found, masks: Tensor, size: Size, frame: Size) -> Tensor:
    down, across = np.divide(frame, size, dtype=np.float32).tolist()
    sides = zip(found.regions.boxes.unbind(1), (across, down, across, down), strict=True)
    boxes = torch.stack([side * factor for side, factor in sides], dim=1)
    columns = (
        clip_boxes_to_image(boxes, frame),
        found.scores[:, None],
        found.labels.to(torch.int32)[:, None],
        found.regions.images.to(torch.int32)[:, None],
        # Rounded, a probability of 0.5 and no lower one becomes 128.
        (masks * 255).round().to(torch.uint8).flatten(1),
    )
    return torch.cat([column.contiguous().view(torch.uint8) for column in columns], dim=1)


def _heads(model: MaskRCNN) -> Any:
    """A `RoIHeads`; type checkers take each of its parts for a Tensor or a Module."""
    return model.roi_heads
