"""Mask R-CNN's five losses, step by step as torchvision's, in float32 under any autocast."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.roi_heads import fastrcnn_loss, maskrcnn_loss

from vidseg.training.training_sample import Target


def mask_rcnn_losses(
    model: MaskRCNN, images: list[Tensor], targets: list[Target], *, hard_negatives: int | None
) -> dict[str, Tensor]:
    """``loss_`` + ``objectness``, ``rpn_box_reg``, ``classifier``, ``box_reg`` and ``mask``.

    In float32 and with all negatives, they equal those of `model(images, targets)` up to rounding.

    Args:
        images: (3, H, W) float in 0..1.
        hard_negatives: use only the N hardest negative boxes per image in the loss of the box
            head; None: all. A few boxes of 300 may look like an object, and would hardly count in a
            mean over all (Shrivastava et al. 2016, "Training region-based object detectors with
            online hard example mining").
    """
    parts: Any = model
    batch, targets = parts.transform(images, targets)
    tensors = batch.tensors.contiguous(memory_format=torch.channels_last)
    features = parts.backbone(tensors)
    # The pools derive their scales from the first batch that they see. With the padded size these
    # are those of the strides, whatever batch a run, or a resumed run, begins with.
    padded = [tuple(tensors.shape[-2:])] * len(images)
    regions, losses = parts.rpn(batch, features, targets)
    heads = parts.roi_heads
    regions, matched, labels, moves = heads.select_training_samples(regions, targets)
    pooled = heads.box_head(heads.box_roi_pool(features, regions, padded))
    logits, deltas = heads.box_predictor(pooled)
    flat, wanted = torch.cat(labels), torch.cat(moves)
    if hard_negatives is not None:
        chosen = hardest(logits, labels, hard_negatives)
        logits, deltas, flat, wanted = logits[chosen], deltas[chosen], flat[chosen], wanted[chosen]
    classifier, box_reg = fastrcnn_loss(logits.float(), deltas.float(), [flat], [wanted])
    found = [torch.where(label > 0)[0] for label in labels]
    inside = [boxes[rows] for boxes, rows in zip(regions, found, strict=True)]
    pooled = heads.mask_head(heads.mask_roi_pool(features, inside, padded))
    mask = maskrcnn_loss(
        heads.mask_predictor(pooled).float(),
        inside,
        [target["masks"] for target in targets],
        [target["labels"] for target in targets],
        [rows[kept] for rows, kept in zip(matched, found, strict=True)],
    )
    return {**losses, "loss_classifier": classifier, "loss_box_reg": box_reg, "loss_mask": mask}


def hardest(logits: Tensor, labels: list[Tensor], most: int) -> Tensor:
    """Rows of all positive boxes, and of the `most` hardest negative boxes of each image."""
    certain = logits.detach().float().log_softmax(1)[:, 0]  # log probability of background
    rows, first = [], 0
    for label in labels:
        here = torch.arange(first, first + len(label), device=label.device)
        others = here[label == 0]
        rows += [here[label > 0], others[certain[others].argsort()[:most]]]
        first += len(label)
    return torch.cat(rows)
