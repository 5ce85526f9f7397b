"""`everyday` run step by step, from a batch of frames to its objects."""

import math

import torch
from torch import Tensor

from vidseg.models.everyday._nms import best_boxes
from vidseg.models.everyday.box_head import SIDES, OutputConv, boxes_at, by_place
from vidseg.models.everyday.network import Everyday, FeatureMaps
from vidseg.models.inference.detections import (
    BoxDetections,
    BoxFilter,
    Regions,
    clip_boxes,
    pack,
)
from vidseg.models.inference.preprocess import NetworkInput, precision_of, preprocess
from vidseg.structures.instances import MASK_SIDE

MAX_CANDIDATES = 1000
"""The most boxes per image that NMS sees, as in NanoDet."""

MAX_OBJECTS = 100
"""The most objects per image, as in NanoDet."""

NMS_IOU = 0.6
"""IoU above which a box suppresses a worse one of its class, as in NanoDet."""

MIN_BOX_SIDE = 1.0
"""Pixels of the network's input."""


def optimize(model: Everyday, device: torch.device, dtype: torch.dtype) -> Everyday:
    """`model` itself, prepared for prediction: its memory layout, device and number format.

    The layers that predict boxes and scores stay float32 in any precision.
    """
    model.eval().requires_grad_(False)
    model.to(device, dtype)
    model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    for layer in model.modules():
        if isinstance(layer, OutputConv):
            layer.float()
    return model


def run_network(model: Everyday, pixels: Tensor, box_filter: BoxFilter) -> Tensor:
    """The objects of a batch, packed as `vidseg.models.inference.forward.run_network` does."""
    images = preprocess(model, pixels, precision_of(model))
    maps = model(images.tensors)
    found = detect_boxes(maps, images, box_filter)
    masks = predict_masks(model, maps, found, images)
    return pack(found, masks, images.size, (pixels.shape[1], pixels.shape[2]))


def detect_boxes(maps: FeatureMaps, images: NetworkInput, box_filter: BoxFilter) -> BoxDetections:
    """Boxes of the wanted classes, after NMS within each class."""
    outputs = by_place(maps.outputs)
    owners, places, labels, scores = _candidates(outputs[..., :-SIDES], box_filter)
    boxes = boxes_at(outputs[owners, places, -SIDES:], places, maps.outputs)
    boxes = clip_boxes(boxes, images.size)
    large = (boxes[:, 2:] - boxes[:, :2] >= MIN_BOX_SIDE).all(1)
    found = BoxDetections(Regions(boxes, owners), scores, labels)
    best = [_best(found, large & (owners == image)) for image in range(len(outputs))]
    best = torch.cat(best)
    return BoxDetections(Regions(boxes[best], owners[best]), scores[best], labels[best])


def _best(found: BoxDetections, which: Tensor) -> Tensor:
    """Indices of the objects among those of one image, (N,) bool, best score first."""
    indices = which.nonzero()[:, 0]
    boxes, scores = found.regions.boxes[indices], found.scores[indices]
    return indices[best_boxes(boxes, scores, found.labels[indices], NMS_IOU)[:MAX_OBJECTS]]


def predict_masks(
    model: Everyday, maps: FeatureMaps, found: BoxDetections, images: NetworkInput
) -> Tensor:
    """(N, MASK_SIDE, MASK_SIDE) float32 in 0..1."""
    boxes, owners = found.regions
    if not len(boxes):
        return boxes.new_zeros((0, MASK_SIDE, MASK_SIDE))
    counts = torch.bincount(owners, minlength=len(images.tensors))
    real = torch.arange(int(counts.max()), device=boxes.device) < counts[:, None]
    padded = boxes.new_zeros((*real.shape, 4))
    padded[real] = boxes
    images_maps = model.mask_branch.maps(maps.backbone, maps.pyramid)
    classes = model.box_head.class_vectors()[found.labels - 1].to(images.tensors.dtype)
    logits = model.mask_branch(images_maps, padded, real, classes, images.padded)
    return logits.float().sigmoid()


def _candidates(logits: Tensor, box_filter: BoxFilter) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Image, place, label and score of the best of (B, P, classes) logits; all are (N,)."""
    if len(box_filter.labels) < logits.shape[-1]:
        logits = logits[..., box_filter.labels - 1]
    lowest = _logit(box_filter.score)
    owners, places = torch.nonzero(logits.amax(-1) > lowest, as_tuple=True)
    likely = logits[owners, places]
    rows, columns = torch.nonzero(likely > lowest, as_tuple=True)
    scores = likely[rows, columns].float().sigmoid()
    limit = MAX_CANDIDATES * len(logits)
    if len(scores) > limit:
        best = scores.topk(limit).indices
        rows, columns, scores = rows[best], columns[best], scores[best]
    return owners[rows], places[rows], box_filter.labels[columns], scores


def _logit(score: float) -> float:
    if score <= 0:
        return -math.inf
    return math.log(score / (1 - score)) if score < 1 else math.inf
