"""Where objects may be: the region proposal network, on a whole batch at once."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torchvision.models.detection import MaskRCNN
from torchvision.ops import batched_nms, clip_boxes_to_image, nms, remove_small_boxes

from vidseg.models.device import constant
from vidseg.models.inference.preprocess import Input, Size

ROUNDS = 4
"""Rounds of `uncovered` between two looks at whether it is done, which wait for a GPU."""


class Regions(NamedTuple):
    """Boxes of all images of a batch, image after image."""

    boxes: Tensor
    """(R, 4) float32, in pixels of the network's input."""
    images: Tensor
    """(R,) int64: the image that each box lies in, ascending."""


def propose(model: MaskRCNN, features: Sequence[Tensor], images: Input, *, most: int) -> Regions:
    """Torchvision's `RegionProposalNetwork`, with the best `most` boxes of each image.

    Only boxes that may become a proposal, the best of each level, are decoded.
    """
    rpn: Any = model.rpn
    logits, deltas = rpn.head(list(features))
    levels = [
        _best_of_level(rpn, images, level, *both)
        for level, both in enumerate(zip(logits, deltas, strict=True))
    ]
    if logits[0].is_cuda:
        return best_apart(rpn, levels, images.size, most)
    scores, boxes = (torch.cat(parts, dim=1) for parts in zip(*levels, strict=True))
    groups = _groups(scores, levels=[part.shape[1] for part, _ in levels])
    boxes, scores = clip_boxes_to_image(boxes.flatten(0, 1), images.size), scores.flatten()
    good = remove_small_boxes(boxes, rpn.min_size)
    good = good[scores[good] >= rpn.score_thresh]
    boxes, scores, groups = boxes[good], scores[good], groups[good]
    kept = suppress(boxes, scores, groups, rpn.nms_thresh)
    owners = groups[kept] // len(levels)
    first = first_of_each(owners, len(images.tensors), most)
    return Regions(boxes[kept[first]], owners[first])


def best_apart(rpn: Any, levels: Sequence[tuple[Tensor, Tensor]], size: Size, most: int) -> Regions:
    """As on the CPU, of (B, K) scores and (B, K, 4) boxes of each level, but all images at once.

    Small boxes and low scores go last: neither can have covered a box that stays.
    """
    scores, boxes = (torch.cat(parts, dim=1) for parts in zip(*levels, strict=True))
    boxes = clip_boxes_to_image(boxes, size)
    parts = boxes.split([part.shape[1] for part, _ in levels], dim=1)
    good = torch.cat([uncovered(part, rpn.nms_thresh) for part in parts], dim=1)
    good &= (boxes[..., 2:] - boxes[..., :2] >= rpn.min_size).all(dim=-1)
    good &= scores >= rpn.score_thresh
    best, places = scores.masked_fill(~good, -1).topk(min(most, scores.shape[1]), dim=1)
    owners, ranks = torch.nonzero(best >= 0, as_tuple=True)
    return Regions(boxes[owners, places[owners, ranks]], owners)


def uncovered(boxes: Tensor, threshold: float) -> Tensor:
    """(G, K) bool: NMS of (G, K, 4) boxes, best first, each of the G groups by itself.

    A round settles every box whose better ones are settled, so some ten rounds do for thousands of
    boxes; torchvision's kernel takes one box after the other, and compares all groups' boxes.
    """
    near, far = boxes[..., :2], boxes[..., 2:]
    areas = (far - near).prod(dim=-1)
    lows = torch.maximum(near[:, :, None], near[:, None])
    shared = (torch.minimum(far[:, :, None], far[:, None]) - lows).clamp(min=0).prod(dim=-1)
    covers = shared / (areas[:, :, None] + areas[:, None] - shared) > threshold
    covers = covers.triu(diagonal=1)
    before = kept = torch.ones_like(areas, dtype=torch.bool)
    while True:
        for _ in range(ROUNDS):
            before, kept = kept, ~(covers & kept[:, :, None]).any(dim=1)
        if torch.equal(before, kept):
            return kept


def suppress(boxes: Tensor, scores: Tensor, groups: Tensor, threshold: float) -> Tensor:
    """Places of the boxes that no better one of their group covers, best score first.

    In one call on CUDA, where torchvision goes group by group with a wait for each; the groups are
    moved apart in float64, which costs no box its precision.
    """
    if not boxes.is_cuda or not len(boxes):
        return batched_nms(boxes, scores, groups, threshold)
    apart = groups * (boxes.max().double() + 1)
    return nms(boxes.double() + apart[:, None], scores.double(), threshold)


def first_of_each(owners: Tensor, count: int, most: int) -> Tensor:
    """Places of the first `most` of each of `count` owners, owner after owner, in their order."""
    if count == 1:
        return torch.arange(min(len(owners), most), device=owners.device)
    order = owners.argsort(stable=True)
    before = torch.searchsorted(owners[order], torch.arange(count, device=owners.device))
    rank = torch.arange(len(owners), device=owners.device) - before[owners[order]]
    return order[rank < most]


def decode(coder: Any, moves: Tensor, boxes: Tensor) -> Tensor:
    """(N, 4) what the moves make of the boxes: ``coder.decode_single``, which waits for a GPU."""
    weights = constant(tuple(coder.weights), torch.float32, moves.device)
    (shifts, grows), sizes = (moves / weights).split(2, dim=1), boxes[:, 2:] - boxes[:, :2]
    centers = shifts * sizes + (boxes[:, :2] + 0.5 * sizes)
    halves = 0.5 * (grows.clamp(max=coder.bbox_xform_clip).exp() * sizes)
    return torch.cat((centers - halves, centers + halves), dim=1)


def _best_of_level(
    rpn: Any, images: Input, level: int, logits: Tensor, deltas: Tensor
) -> tuple[Tensor, Tensor]:
    """(B, K) scores and (B, K, 4) boxes."""
    batch, anchors, height, width = logits.shape
    flat = logits.permute(0, 2, 3, 1).reshape(batch, -1).float()
    best, places = flat.topk(min(rpn.pre_nms_top_n(), flat.shape[1]), dim=1)
    moves = deltas.permute(0, 2, 3, 1).reshape(batch, -1, 4)
    moves = moves.gather(1, places[..., None].expand(-1, -1, 4)).float()
    cells = rpn.anchor_generator.cell_anchors[level].to(moves)
    spots = places // anchors
    stride_y, stride_x = images.padded[0] // height, images.padded[1] // width
    x, y = spots % width * stride_x, spots // width * stride_y
    corners = cells[places % anchors] + torch.stack((x, y, x, y), dim=-1)
    boxes = decode(rpn.box_coder, moves.flatten(0, 1), corners.flatten(0, 1))
    return best.sigmoid(), boxes.reshape(batch, -1, 4)


def _groups(scores: Tensor, levels: Sequence[int]) -> Tensor:
    """(B * K,) int64: a number for each level, of so many boxes, of each image."""
    images = torch.arange(len(scores), device=scores.device)[:, None] * len(levels)
    parts = [(images + level).expand(-1, count) for level, count in enumerate(levels)]
    return torch.cat(parts, dim=1).flatten()
