"""Torchvision's Mask R-CNN run piece by piece, so that only what is wanted is computed.

`model(images)` finds objects of every class and pastes every mask into a full frame. Here the same
public submodules run in the same order, but the boxes are chosen (score, class, NMS, count) before
the mask head sees them, and the masks stay in their boxes.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.transform import resize_boxes
from torchvision.ops import batched_nms, clip_boxes_to_image, remove_small_boxes

from vidseg.instances import MASK_SIDE

SMALLEST_BOX = 1e-2
"""Pixels of the network's input, as in torchvision's `RoIHeads.postprocess_detections`."""

Size = tuple[int, int]


class Wanted(NamedTuple):
    """Which objects are worth a mask."""

    score: float
    """Objects at or below this score are dropped."""
    labels: Tensor
    """(K,) int64, ascending, on the model's device."""


class Boxes(NamedTuple):
    """The objects chosen in one image, best score first, in pixels of the network's input."""

    boxes: Tensor
    scores: Tensor
    labels: Tensor


def detect(model: MaskRCNN, pixels: Tensor, wanted: Wanted) -> tuple[Tensor, list[int]]:
    """Objects of a batch of equally large images, packed for one copy to the host.

    Args:
        model: in evaluation mode, on the device of `pixels`.
        pixels: (B, H, W, 3) uint8 RGB.

    Returns:
        (N, bytes) uint8, one row an object as `unpack` reads it, image after image; and how many
        of the rows each image has.
    """
    images, _ = model.transform(_to_float(pixels))
    features = model.backbone(images.tensors)
    if isinstance(features, Tensor):
        features = {"0": features}
    proposals, _ = model.rpn(images, features)
    chosen = choose_boxes(model, features, proposals, images, wanted)
    masks = predict_masks(model, features, chosen, images)
    frame_size = (pixels.shape[1], pixels.shape[2])
    in_frame = [
        clip_boxes_to_image(resize_boxes(found.boxes, list(size), list(frame_size)), frame_size)
        for found, size in zip(chosen, images.image_sizes, strict=True)
    ]
    return _pack(in_frame, chosen, masks), [len(boxes) for boxes in in_frame]


def every_label(model: MaskRCNN) -> list[int]:
    """All labels but background, the nameless ones too, in torchvision's order."""
    return list(range(1, _heads(model).box_predictor.cls_score.out_features))


def choose_boxes(
    model: MaskRCNN,
    features: dict[str, Tensor],
    proposals: list[Tensor],
    images: ImageList,
    wanted: Wanted,
) -> list[Boxes]:
    """The box head, and `RoIHeads.postprocess_detections` on the wanted classes alone."""
    heads = _heads(model)
    pooled = heads.box_head(heads.box_roi_pool(features, proposals, _padded_sizes(images)))
    logits, regression = heads.box_predictor(pooled)
    counts = [len(boxes) for boxes in proposals]
    # Softmax over all classes: a class that nobody wants still takes its share of the probability.
    scores = logits.softmax(-1)[:, wanted.labels].split(counts)
    boxes = heads.box_coder.decode(regression, proposals)[:, wanted.labels].split(counts)
    return [
        _choose(boxes_, scores_, size, wanted, nms=heads.nms_thresh, most=heads.detections_per_img)
        for boxes_, scores_, size in zip(boxes, scores, images.image_sizes, strict=True)
    ]


def predict_masks(
    model: MaskRCNN, features: dict[str, Tensor], chosen: Sequence[Boxes], images: ImageList
) -> Tensor:
    """(N, M, M) float: the mask of each chosen box for its own label, image after image."""
    heads = _heads(model)
    labels = torch.cat([found.labels for found in chosen])
    if not len(labels):
        return images.tensors.new_zeros((0, MASK_SIDE, MASK_SIDE))
    boxes = [found.boxes for found in chosen]
    pooled = heads.mask_head(heads.mask_roi_pool(features, boxes, _padded_sizes(images)))
    logits = heads.mask_predictor(pooled)
    return logits[torch.arange(len(labels), device=labels.device), labels].sigmoid()


def unpack(rows: NDArray[np.uint8]) -> NDArray[np.void]:
    """(N,) records ``boxes scores labels masks`` from what `detect` packed."""
    side = round(max(rows.shape[1] - _PLAIN.itemsize, 0) ** 0.5)
    layout = np.dtype([*_PLAIN.descr, ("masks", "=u1", (side, side))])
    return np.ascontiguousarray(rows).view(layout)[:, 0]


_PLAIN = np.dtype([("boxes", "=f4", (4,)), ("scores", "=f4"), ("labels", "=i4")])


def _pack(boxes: Sequence[Tensor], chosen: Sequence[Boxes], masks: Tensor) -> Tensor:
    columns = (
        torch.cat(list(boxes)).float(),
        torch.cat([found.scores for found in chosen]).float()[:, None],
        torch.cat([found.labels for found in chosen]).to(torch.int32)[:, None],
        # Rounded, a probability of 0.5 and no lower one becomes 128.
        (masks.float() * 255).round().to(torch.uint8).flatten(1),
    )
    return torch.cat([column.contiguous().view(torch.uint8) for column in columns], dim=1)


def _heads(model: MaskRCNN) -> Any:
    """A `RoIHeads`; type checkers take each of its parts for a Tensor or a Module."""
    return model.roi_heads


def _to_float(pixels: Tensor) -> list[Tensor]:
    """(3, H, W) in 0..1 each, laid out and divided as by torchvision's `to_tensor`."""
    planes = pixels.permute(0, 3, 1, 2).contiguous()
    return [image.to(torch.float32).div_(255) for image in planes]


def _padded_sizes(images: ImageList) -> list[Size]:
    """What a RoI pool infers the strides from, once, at its first call.

    Torchvision gives it the sizes before padding; then a first picture thinner than about 1:58
    leaves wrong strides for every picture after it.
    """
    height, width = images.tensors.shape[-2:]
    return [(height, width)] * len(images.image_sizes)


def _choose(
    boxes: Tensor, scores: Tensor, size: Size, wanted: Wanted, *, nms: float, most: int
) -> Boxes:
    """Chosen of (R, K, 4) boxes and (R, K) scores, by torchvision's steps in their order."""
    labels = wanted.labels.expand_as(scores)
    good = scores > wanted.score
    boxes = clip_boxes_to_image(boxes[good], size)
    scores, labels = scores[good], labels[good]
    large = remove_small_boxes(boxes, min_size=SMALLEST_BOX)
    boxes, scores, labels = boxes[large], scores[large], labels[large]
    best = batched_nms(boxes, scores, labels, nms)[:most]
    return Boxes(boxes[best], scores[best], labels[best])
