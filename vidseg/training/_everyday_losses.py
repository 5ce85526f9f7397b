"""The losses of `everyday`: NanoDet-Plus's for scores and boxes, and one for the mask branch.

Which places learn which object is decided anew in each step by what the network finds there, as in
NanoDet-Plus's dynamic soft label assigner, a kind of SimOTA (Ge et al. 2021, "YOLOX").
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy_of_logits
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.ops import box_iou, generalized_box_iou_loss, roi_align

from vidseg.models.everyday.box_head import BINS, SIDES, boxes_at, by_place, positions
from vidseg.models.everyday.network import Everyday, FeatureMaps
from vidseg.structures.instances import MASK_SIDE
from vidseg.training.training_sample import Target

GIOU_WEIGHT, DISTANCE_WEIGHT = 2.0, 0.25
"""Of the box losses relative to that of scores, as in NanoDet-Plus."""

DICE_WEIGHT = 0.5
"""Of dice relative to cross-entropy in the loss of masks."""

MAX_PLACES = 13
"""The most places that learn one object, as in NanoDet-Plus."""

IOU_COST = 3.0
"""Cost of a box that does not fit relative to that of a wrong score, as in NanoDet-Plus."""

MAX_MASKS = 16
"""Boxes per image that the mask branch learns from."""

MASK_IOU = 0.5
"""IoU with its object from which on a box that was found is among them."""

JITTER = 0.06
"""Standard deviation of the sides of true boxes that are among them, in lengths of the box."""

UNTOLD_SHARE = 0.1
"""Share of the boxes whose class the mask branch is not told."""


class Found(NamedTuple):
    """What the box head says at the P places of B images."""

    logits: Tensor
    """(B, P, classes) float32."""
    distances: Tensor
    """(B, P, SIDES) float32 logits."""
    boxes: Tensor
    """(B, P, 4) xyxy in pixels of the network's input."""


class Matches(NamedTuple):
    """N places that learn an object each."""

    images: Tensor
    """(N,) index of the image."""
    places: Tensor
    """(N,)"""
    objects: Tensor
    """(N,) row of the object among those of its image."""


def _batch(model: Everyday, images: list[Tensor]) -> Tensor:
    """(B, 3, H, W): the images, which the sampler has resized, normalised and padded."""
    wanted = model.transform
    transform = GeneralizedRCNNTransform(
        wanted.min_size[-1],
        wanted.max_size,
        list(wanted.image_mean),
        list(wanted.image_std),
        size_divisible=wanted.size_divisible,
        _skip_resize=True,
    )
    return transform(images)[0].tensors


def everyday_losses(
    model: Everyday, images: list[Tensor], targets: list[Target]
) -> dict[str, Tensor]:
    """``loss_`` + ``classifier``, ``box_reg``, ``box_distance`` and ``mask``, in float32.

    Args:
        images: (3, H, W) float in 0..1.
    """
    maps = model(_batch(model, images).contiguous(memory_format=torch.channels_last))
    found = _found(maps)
    x, y, strides = positions(
        torch.arange(found.logits.shape[1], device=found.logits.device),
        [level.shape[-2:] for level in maps.outputs],
    )
    points = torch.stack((x, y), 1).float()
    matches = _match(found, points, targets)
    boxes, labels = _truth(matches, targets)
    at = (matches.images, matches.places)
    fits = ious_of_pairs(found.boxes[at].detach(), boxes)
    away = _distances(boxes, points[matches.places], strides[matches.places])
    giou = generalized_box_iou_loss(found.boxes[at], boxes, reduction="sum")
    count = max(len(boxes), 1)
    return {
        "loss_classifier": quality_focal_loss(found.logits, (*at, labels - 1), fits) / count,
        "loss_box_reg": GIOU_WEIGHT * giou / count,
        "loss_box_distance": DISTANCE_WEIGHT * distance_loss(found.distances[at], away) / count,
        "loss_mask": _mask_loss(model, maps, _boxes_to_mask(found, matches, targets), targets),
    }


def _found(maps: FeatureMaps) -> Found:
    outputs = by_place(maps.outputs).float()
    logits, distances = outputs[..., :-SIDES], outputs[..., -SIDES:]
    places = torch.arange(outputs.shape[1], device=outputs.device)
    boxes = torch.stack([boxes_at(one, places, maps.outputs) for one in distances])
    return Found(logits, distances, boxes)


def _match(found: Found, points: Tensor, targets: list[Target]) -> Matches:
    """The places of all images that learn an object."""
    rows = []
    for image, target in enumerate(targets):
        logits = found.logits[image].detach()[:, target["labels"] - 1]
        places, objects = assign(logits, found.boxes[image].detach(), points, target["boxes"])
        rows.append(Matches(torch.full_like(places, image), places, objects))
    return Matches(*(torch.cat(column) for column in zip(*rows, strict=True)))


def assign(logits: Tensor, boxes: Tensor, points: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """The places that learn an object, and which: (N,) both.

    An object takes as many of the places in its box as the sum of their best IoUs with it says, the
    cheapest first. A place that several objects take goes to the one for which it costs least.

    Args:
        logits: (P, G) by which each place scores the class of each of G objects.
        boxes: (P, 4) xyxy that the places find.
        points: (P, 2) where they are.
        truth: (G, 4) xyxy of the objects.
    """
    lower, upper = points[:, None] - truth[:, :2], truth[:, 2:] - points[:, None]
    inside = torch.cat((lower, upper), 2).amin(2) > 0
    candidates = torch.nonzero(inside.any(1))[:, 0]
    if not len(candidates):
        return candidates, candidates
    inside, logits = inside[candidates], logits[candidates]
    ious = box_iou(boxes[candidates], truth) * inside
    wrong = cross_entropy_of_logits(logits, ious, reduction="none")
    wrong = wrong * (ious - logits.sigmoid()).square()
    cost = (wrong - IOU_COST * (ious + 1e-7).log()).masked_fill(~inside, torch.inf)
    best = ious.topk(min(MAX_PLACES, len(ious)), 0).values
    counts = best.sum(0).int().clamp(min=1)
    ranks = cost.argsort(0).argsort(0)
    taken = (ranks < counts) & inside
    least, owners = cost.masked_fill(~taken, torch.inf).min(1)
    matched = torch.isfinite(least)
    return candidates[matched], owners[matched]


def _truth(matches: Matches, targets: list[Target]) -> tuple[Tensor, Tensor]:
    """(N, 4) true boxes and (N,) labels of the matches."""
    counts = [len(target["boxes"]) for target in targets]
    starts = torch.tensor([0, *counts], device=matches.images.device).cumsum(0)
    rows = starts[matches.images] + matches.objects
    boxes = torch.cat([target["boxes"] for target in targets])
    labels = torch.cat([target["labels"] for target in targets])
    return boxes[rows], labels[rows]


def quality_focal_loss(logits: Tensor, at: tuple[Tensor, ...], quality: Tensor) -> Tensor:
    """Sum over all places and classes (Li et al. 2020, "Generalized focal loss", equation 3).

    Args:
        logits: (B, P, classes).
        at: images, places and columns, (N,) each, whose score shall be `quality`, (N,); all others
            shall be 0.
    """
    wanted = torch.zeros_like(logits).index_put(at, quality)
    losses = cross_entropy_of_logits(logits, wanted, reduction="none")
    return (losses * (wanted - logits.sigmoid()).square()).sum()


def distance_loss(logits: Tensor, wanted: Tensor) -> Tensor:
    """Distribution focal loss (equation 6 there), a mean over sides and a sum over N places.

    Args:
        logits: (N, SIDES).
        wanted: (N, 4) distances in strides.
    """
    wanted = wanted.clamp(0, BINS - 1 - 0.1).flatten()
    below = wanted.long()
    share = wanted - below
    rows = logits.view(-1, BINS)
    left, right = (cross_entropy(rows, bins, reduction="none") for bins in (below, below + 1))
    return (left * (1 - share) + right * share).sum() / 4


def _distances(boxes: Tensor, points: Tensor, strides: Tensor) -> Tensor:
    """(N, 4): how far the left, upper, right and lower sides lie from the points, in strides."""
    return torch.cat((points - boxes[:, :2], boxes[:, 2:] - points), 1) / strides[:, None]


def ious_of_pairs(boxes: Tensor, others: Tensor) -> Tensor:
    """(N,) of row i of both, (N, 4) xyxy each."""
    ends = torch.minimum(boxes[:, 2:], others[:, 2:])
    starts = torch.maximum(boxes[:, :2], others[:, :2])
    shared = (ends - starts).clamp(min=0).prod(1)
    areas = [(each[:, 2:] - each[:, :2]).clamp(min=0).prod(1) for each in (boxes, others)]
    return shared / (areas[0] + areas[1] - shared).clamp(min=1e-7)


# --- masks ---------------------------------------------------------------------------------------


class ToMask(NamedTuple):
    """Boxes of one image whose masks are learned."""

    boxes: Tensor
    """(R, 4) xyxy."""
    objects: Tensor
    """(R,) rows of the objects in them."""


@torch.no_grad()
def _boxes_to_mask(found: Found, matches: Matches, targets: list[Target]) -> list[ToMask]:
    """For each image some of the boxes found at places that fit, and of the true ones, moved."""
    chosen = []
    for image, target in enumerate(targets):
        here = matches.images == image
        boxes, objects = found.boxes[image, matches.places[here]], matches.objects[here]
        good = ious_of_pairs(boxes, target["boxes"][objects]) > MASK_IOU
        rows = torch.arange(len(target["boxes"]), device=boxes.device)
        boxes = torch.cat((boxes[good], _moved(target["boxes"])))
        objects = torch.cat((objects[good], rows))
        some = torch.randperm(len(boxes))[:MAX_MASKS].to(boxes.device)
        chosen.append(ToMask(boxes[some], objects[some]))
    return chosen


def _moved(boxes: Tensor) -> Tensor:
    """Each side by a random part of the box's length."""
    lengths = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    moves = torch.randn(boxes.shape).clamp(-3, 3).to(boxes.device)
    return boxes + JITTER * moves * lengths


def _mask_loss(
    model: Everyday, maps: FeatureMaps, chosen: list[ToMask], targets: list[Target]
) -> Tensor:
    counts = torch.tensor([len(each.boxes) for each in chosen])
    branch_maps = model.mask_branch.maps(maps.backbone, maps.pyramid)
    if not counts.any():
        return 0.0 * (branch_maps[0].float().sum() + branch_maps[1].float().sum())
    boxes = pad_sequence([each.boxes for each in chosen], batch_first=True)
    real = (torch.arange(boxes.shape[1]) < counts[:, None]).to(boxes.device)
    pairs = list(zip(targets, chosen, strict=True))
    labels = torch.cat([target["labels"][each.objects] for target, each in pairs])
    wanted = torch.cat([_masks_in(target["masks"], each) for target, each in pairs])
    classes = model.box_head.class_vectors().detach()[labels - 1]
    told = (torch.rand(len(classes)) > UNTOLD_SHARE).to(classes.device)
    size = (8 * maps.pyramid[0].shape[-2], 8 * maps.pyramid[0].shape[-1])
    logits = model.mask_branch(branch_maps, boxes, real, classes * told[:, None], size).float()
    return mask_loss(logits, wanted)


def _masks_in(masks: Tensor, chosen: ToMask) -> Tensor:
    """(R, MASK_SIDE, MASK_SIDE) in 0..1: how much of each cell of a box its object covers."""
    regions = torch.cat((chosen.objects[:, None].float(), chosen.boxes), 1)
    side = (MASK_SIDE, MASK_SIDE)
    return roi_align(masks[:, None].float(), regions, side, aligned=True)[:, 0]


def mask_loss(logits: Tensor, wanted: Tensor) -> Tensor:
    """Cross-entropy and a part of dice, a mean over (N, side, side) masks in 0..1."""
    found = logits.sigmoid()
    shared = (found * wanted).sum((1, 2))
    sizes = found.square().sum((1, 2)) + wanted.square().sum((1, 2))
    dice = 1 - (2 * shared + 1) / (sizes + 1)
    return cross_entropy_of_logits(logits, wanted) + DICE_WEIGHT * dice.mean()
