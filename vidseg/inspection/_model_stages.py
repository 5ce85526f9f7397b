"""Trace one photo through torchvision's Mask R-CNN, keeping every step."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.rpn import concat_box_prediction_layers
from torchvision.models.detection.transform import resize_boxes

from vidseg.structures.frame import Image
from vidseg.structures.instances import UNTRACKED, Instances

Size = tuple[int, int]


class Proposed(NamedTuple):
    """Results of the region proposal network; boxes are (N, 4) xyxy in pixels of the photo."""

    anchors: Tensor
    """The anchors with the highest scores."""
    refined: Tensor
    """The same anchors after box regression."""
    scores: Tensor
    """(N,) 0..1, of the two above."""
    kept: Tensor
    """The proposals after non-maximum suppression, best first."""
    kept_scores: Tensor


class Classified(NamedTuple):
    """Results of the box head."""

    boxes: Tensor
    """(N, 4) xyxy in pixels of the photo, after box regression for the best class."""
    labels: Tensor
    """(N,) the best class; 0 is background."""
    scores: Tensor
    """(N, C) of every class, background first."""


class Stages(NamedTuple):
    levels: dict[str, Tensor]
    """The pyramid's (C, h, w) feature maps by name, finest first."""
    seen: Size
    """Height and width of the network's input."""
    padded: Size
    """The same with the padding at the bottom and right, which `levels` include."""
    proposed: Proposed
    classified: Classified
    found: Instances
    """The objects above the model's own score threshold, after suppression, best first."""
    class_scores: Tensor
    """(N, C) of the objects in `found`."""


@torch.inference_mode()
def trace(model: MaskRCNN, photo: Image, *, best: int = 40) -> Stages:
    """Every step of `model`, in evaluation mode and float32 on the CPU, for one photo.

    Of the first step, the `best` anchors are kept.
    """
    pixels = torch.from_numpy(np.ascontiguousarray(photo)).permute(2, 0, 1).float() / 255
    images, _ = model.transform([pixels])
    features: Any = model.backbone(images.tensors)
    levels = {"0": features} if isinstance(features, Tensor) else dict(features)
    frame = _Scale(images.image_sizes[0], (photo.shape[0], photo.shape[1]))
    proposals, proposed = _propose(model, images, levels, frame, best)
    classified, found, class_scores = _classify(model, images, levels, proposals, frame)
    return Stages(
        {name: level[0] for name, level in levels.items()},
        frame.seen,
        (images.tensors.shape[-2], images.tensors.shape[-1]),
        proposed,
        classified,
        found,
        class_scores,
    )


class _Scale(NamedTuple):
    seen: Size
    photo: Size

    def back(self, boxes: Tensor) -> Tensor:
        """Convert boxes from pixels of the network's input to pixels of the photo."""
        return resize_boxes(boxes, list(self.seen), list(self.photo))


def _propose(
    model: MaskRCNN, images: Any, levels: dict[str, Tensor], frame: _Scale, best: int
) -> tuple[list[Tensor], Proposed]:
    rpn: Any = model.rpn
    maps = list(levels.values())
    logits, moves = rpn.head(maps)
    counts = [level[0].numel() for level in logits]
    anchors = rpn.anchor_generator(images, maps)
    flat, flat_moves = concat_box_prediction_layers(logits, moves)
    refined = rpn.box_coder.decode(flat_moves, anchors).view(1, -1, 4)
    kept, kept_scores = rpn.filter_proposals(refined, flat, images.image_sizes, counts)
    top = flat.flatten().topk(min(best, flat.numel())).indices
    proposed = Proposed(
        frame.back(anchors[0][top]),
        frame.back(refined[0][top]),
        flat.flatten()[top].sigmoid(),
        frame.back(kept[0]),
        kept_scores[0],
    )
    return kept, proposed


def _classify(
    model: MaskRCNN, images: Any, levels: dict[str, Tensor], proposals: list[Tensor], frame: _Scale
) -> tuple[Classified, Instances, Tensor]:
    heads: Any = model.roi_heads
    sizes = images.image_sizes
    logits, moves = _box_head(heads, levels, proposals, sizes)
    scores = logits.softmax(1)
    labels = scores.argmax(1)
    boxes = heads.box_coder.decode(moves, proposals)
    classified = Classified(frame.back(boxes[torch.arange(len(labels)), labels]), labels, scores)
    found, found_scores, found_labels = (
        part[0] for part in heads.postprocess_detections(logits, moves, proposals, sizes)
    )
    class_scores = _box_head(heads, levels, [found], sizes)[0].softmax(1)
    masks = _masks(heads, levels, found, found_labels, sizes)
    instances = Instances(
        boxes=frame.back(found).clamp(min=0).numpy(),
        masks=(masks * 255).round().to(torch.uint8).numpy(),
        scores=found_scores.numpy(),
        labels=found_labels.numpy(),
        ids=np.full(len(found), UNTRACKED, np.int64),
        size=frame.photo,
    )
    return classified, instances, class_scores


def _box_head(
    heads: Any, levels: dict[str, Tensor], boxes: list[Tensor], sizes: list[Size]
) -> tuple[Tensor, Tensor]:
    return heads.box_predictor(heads.box_head(heads.box_roi_pool(levels, boxes, sizes)))


def _masks(
    heads: Any, levels: dict[str, Tensor], boxes: Tensor, labels: Tensor, sizes: list[Size]
) -> Tensor:
    """(N, M, M) probabilities, each for its own label."""
    pooled = heads.mask_roi_pool(levels, [boxes], sizes)
    logits = heads.mask_predictor(heads.mask_head(pooled))
    return logits[torch.arange(len(labels)), labels].sigmoid()
