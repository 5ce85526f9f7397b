"""Torchvision's Mask R-CNN run step by step, so that only what is wanted is computed.

`model(images)` finds objects of every class and pastes every mask into a full frame. Here the same
layers run in the same order, but boxes are selected (score, class, NMS, count) before the mask head
sees them, masks stay in their boxes, and each step takes a whole batch at once.
"""

from typing import Any

import torch
from torch import Tensor
from torchvision.models.detection import MaskRCNN
from torchvision.ops import batched_nms, clip_boxes_to_image, remove_small_boxes

from vidseg.models.inference._roi_align import pool_regions
from vidseg.models.inference.detections import BoxDetections, BoxFilter, Regions, pack
from vidseg.models.inference.preprocess import NetworkInput, precision_of, preprocess
from vidseg.models.inference.proposals import first_of_each, propose_regions
from vidseg.structures.instances import MASK_SIDE

MIN_BOX_SIDE = 1e-2
"""Pixels of the network's input, as in torchvision's `RoIHeads.postprocess_detections`."""

Features = dict[str, Tensor]
"""Feature maps by name, finest first."""


def run_network(model: MaskRCNN, pixels: Tensor, box_filter: BoxFilter) -> Tensor:
    """The objects of a batch of images of one size, packed for a single copy to the host.

    Args:
        model: as `optimize` leaves it, on the device of `pixels`.
        pixels: (B, H, W, 3) uint8 RGB.

    Returns:
        (N, bytes) uint8, one row per object as `detections.unpack` reads it, image after image.
    """
    images = preprocess(model, pixels, precision_of(model))
    features = extract_features(model, images)
    maps = list(features.values())
    regions = propose_regions(model, maps, images, max_proposals=box_filter.max_proposals)
    found = detect_boxes(model, features, regions, images, box_filter)
    masks = predict_masks(model, features, found, images)
    return pack(found, masks, images.size, (pixels.shape[1], pixels.shape[2]))


def all_labels(model: MaskRCNN) -> list[int]:
    """All labels but background, unused ones included, in ascending order."""
    return list(range(1, _heads(model).box_predictor.cls_score.out_features))


def max_proposals(model: MaskRCNN) -> int:
    """How many boxes of an image torchvision gives to the box head."""
    rpn: Any = model.rpn
    return rpn.post_nms_top_n()


def extract_features(model: MaskRCNN, images: NetworkInput) -> Features:
    """The feature maps of the backbone with its pyramid."""
    features = model.backbone(images.tensors)
    return {"0": features} if isinstance(features, Tensor) else features


def detect_boxes(
    model: MaskRCNN,
    features: Features,
    regions: Regions,
    images: NetworkInput,
    box_filter: BoxFilter,
) -> BoxDetections:
    """The box head, and `RoIHeads.postprocess_detections` for the wanted classes only."""
    heads = _heads(model)
    pooled = heads.box_head(pool_regions(heads.box_roi_pool, features, regions, images))
    logits, deltas = heads.box_predictor(pooled.float())
    # Softmax over all classes: a class that is not wanted still takes its share of probability.
    scores = logits.softmax(-1)[:, box_filter.labels]
    rows, columns = torch.nonzero(scores > box_filter.score, as_tuple=True)
    scores, labels = scores[rows, columns], box_filter.labels[columns]
    owners = regions.images[rows]
    deltas = deltas.unflatten(1, (-1, 4))[rows, labels]
    boxes = heads.box_coder.decode_single(deltas, regions.boxes[rows])
    boxes = clip_boxes_to_image(boxes, images.size)
    large = remove_small_boxes(boxes, min_size=MIN_BOX_SIDE)
    groups = owners * logits.shape[1] + labels
    best = large[batched_nms(boxes[large], scores[large], groups[large], heads.nms_thresh)]
    best = best[first_of_each(owners[best], len(images.tensors), heads.detections_per_img)]
    return BoxDetections(Regions(boxes[best], owners[best]), scores[best], labels[best])


def predict_masks(
    model: MaskRCNN, features: Features, found: BoxDetections, images: NetworkInput
) -> Tensor:
    """(N, M, M) float32 in 0..1: the mask of each object for its own label."""
    heads, labels = _heads(model), found.labels
    if not len(labels):
        return found.scores.new_zeros((0, MASK_SIDE, MASK_SIDE))
    pooled = heads.mask_head(pool_regions(heads.mask_roi_pool, features, found.regions, images))
    logits = heads.mask_predictor(pooled)
    return logits[torch.arange(len(labels), device=labels.device), labels].float().sigmoid()


def _heads(model: MaskRCNN) -> Any:
    """The model's `RoIHeads`, as Any: its parts are declared as Tensor or Module."""
    return model.roi_heads
