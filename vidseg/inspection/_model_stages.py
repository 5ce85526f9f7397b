"""One photo followed through torchvision's Mask R-CNN, every step kept."""

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
    """What the region proposal network does; boxes are (N, 4) xyxy in pixels of the photo."""

    anchors: Tensor
    """The best-scored anchors as they lie."""
    refined: Tensor
    """The same ones moved to the objects."""
    scores: Tensor
    """(N,) 0..1, of the two above."""
    kept: Tensor
    """The proposals that are left of all anchors, best first, without those that others cover."""
    kept_scores: Tensor


class Judged(NamedTuple):
    """What the box head makes of the proposals."""

    boxes: Tensor
    """(N, 4) each proposal moved for its best class, in pixels of the photo."""
    labels: Tensor
    """(N,) the best class; 0 is background."""
    scores: Tensor
    """(N, C) of every class, background first."""


class Stages(NamedTuple):
    levels: dict[str, Tensor]
    """The pyramid's (C, h, w) feature maps by name, finest first."""
    seen: Size
    """Height and width at which the network looks."""
    padded: Size
    """The same with the padding below and on the right, which `levels` cover too."""
    proposed: Proposed
    judged: Judged
    found: Instances
    """The objects from the model's own lowest score on, after all suppression, best first."""
    class_scores: Tensor
    """(N, C) of the objects in `found`."""


@torch.inference_mode()
def follow(model: MaskRCNN, photo: Image, *, best: int = 40) -> Stages:
    """Every step of `model`, in evaluation mode and float32 on the CPU, for one photo.

    `best` anchors are kept of the first step.
    """
    pixels = torch.from_numpy(np.ascontiguousarray(photo)).permute(2, 0, 1).float() / 255
    images, _ = model.transform([pixels])
    features: Any = model.backbone(images.tensors)
    levels = {"0": features} if isinstance(features, Tensor) else dict(features)
    frame = _Scale(images.image_sizes[0], (photo.shape[0], photo.shape[1]))
    proposals, proposed = _propose(model, images, levels, frame, best)
    judged, found, class_scores = _judge(model, images, levels, proposals, frame)
    return Stages(
        {name: level[0] for name, level in levels.items()},
        frame.seen,
        (images.tensors.shape[-2], images.tensors.shape[-1]),
        proposed,
        judged,
        found,
        class_scores,
    )


class _Scale(NamedTuple):
    seen: Size
    photo: Size

    def back(self, boxes: Tensor) -> Tensor:
        """Boxes of the network's input in pixels of the photo."""
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


def _judge(
    model: MaskRCNN, images: Any, levels: dict[str, Tensor], proposals: list[Tensor], frame: _Scale
) -> tuple[Judged, Instances, Tensor]:
    heads: Any = model.roi_heads
    sizes = images.image_sizes
    logits, moves = _box_head(heads, levels, proposals, sizes)
    scores = logits.softmax(1)
    labels = scores.argmax(1)
    boxes = heads.box_coder.decode(moves, proposals)
    judged = Judged(frame.back(boxes[torch.arange(len(labels)), labels]), labels, scores)
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
    return judged, instances, class_scores


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
