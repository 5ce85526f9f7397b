"""The region proposal network, on a whole batch at once."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchvision.models.detection import MaskRCNN
from torchvision.ops import batched_nms, clip_boxes_to_image, remove_small_boxes

from vidseg.models.inference.detections import Regions
from vidseg.models.inference.preprocess import NetworkInput


def propose_regions(
    model: MaskRCNN, features: Sequence[Tensor], images: NetworkInput, *, max_proposals: int
) -> Regions:
    """As torchvision's `RegionProposalNetwork`: the best `max_proposals` boxes of each image.

    Decodes the best boxes of each level only; no other box can become a proposal.
    """
    rpn: Any = model.rpn
    logits, deltas = rpn.head(list(features))
    levels = [
        _best_of_level(rpn, images, level, *both)
        for level, both in enumerate(zip(logits, deltas, strict=True))
    ]
    scores, boxes = (torch.cat(parts, dim=1) for parts in zip(*levels, strict=True))
    groups = _groups(scores, levels=[part.shape[1] for part, _ in levels])
    boxes, scores = clip_boxes_to_image(boxes.flatten(0, 1), images.size), scores.flatten()
    good = remove_small_boxes(boxes, rpn.min_size)
    good = good[scores[good] >= rpn.score_thresh]
    boxes, scores, groups = boxes[good], scores[good], groups[good]
    kept = batched_nms(boxes, scores, groups, rpn.nms_thresh)
    owners = groups[kept] // len(levels)
    first = first_of_each(owners, len(images.tensors), max_proposals)
    return Regions(boxes[kept[first]], owners[first])


def first_of_each(owners: Tensor, count: int, limit: int) -> Tensor:
    """Indices of the first `limit` rows of each of `count` owners, owner after owner."""
    if count == 1:
        return torch.arange(min(len(owners), limit), device=owners.device)
    order = owners.argsort(stable=True)
    starts = torch.searchsorted(owners[order], torch.arange(count, device=owners.device))
    rank = torch.arange(len(owners), device=owners.device) - starts[owners[order]]
    return order[rank < limit]


def _best_of_level(
    rpn: Any, images: NetworkInput, level: int, logits: Tensor, deltas: Tensor
) -> tuple[Tensor, Tensor]:
    """(B, K) scores and (B, K, 4) boxes of one level's K best anchors."""
    batch, anchors, height, width = logits.shape
    flat = logits.permute(0, 2, 3, 1).reshape(batch, -1).float()
    best, indices = flat.topk(min(rpn.pre_nms_top_n(), flat.shape[1]), dim=1)
    deltas = deltas.permute(0, 2, 3, 1).reshape(batch, -1, 4)
    deltas = deltas.gather(1, indices[..., None].expand(-1, -1, 4)).float()
    cells = rpn.anchor_generator.cell_anchors[level].to(deltas)
    pixels = indices // anchors
    stride_y, stride_x = images.padded[0] // height, images.padded[1] // width
    x, y = pixels % width * stride_x, pixels // width * stride_y
    corners = cells[indices % anchors] + torch.stack((x, y, x, y), dim=-1)
    boxes = rpn.box_coder.decode_single(deltas.flatten(0, 1), corners.flatten(0, 1))
    return best.sigmoid(), boxes.reshape(batch, -1, 4)


def _groups(scores: Tensor, levels: Sequence[int]) -> Tensor:
    """(B * K,) int64: a number for each level of each image; NMS stays within a group.

    Args:
        scores: (B, K).
        levels: how many of the K boxes each level has.
    """
    images = torch.arange(len(scores), device=scores.device)[:, None] * len(levels)
    parts = [(images + level).expand(-1, count) for level, count in enumerate(levels)]
    return torch.cat(parts, dim=1).flatten()
