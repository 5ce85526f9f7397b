"""Non-maximum suppression in plain torch: torchvision, imported for it alone, takes a second."""

import torch
from torch import Tensor


def best_boxes(boxes: Tensor, scores: Tensor, labels: Tensor, max_iou: float) -> Tensor:
    """Indices, best score first, of the boxes that no better one of their class suppresses.

    A box that is kept suppresses those of its class whose IoU with it is above `max_iou`. All boxes
    are decided at once, from what was kept the time before, until nothing changes: the best one is
    right from the start, and with each round at least the next one, so the answer is exact.

    Args:
        boxes: (N, 4) xyxy.
        scores, labels: (N,).
    """
    order = scores.argsort(descending=True, stable=True)
    rivals = (pairwise_iou(boxes[order]) > max_iou) & (labels[order] == labels[order, None])
    rivals = rivals.triu(1)
    kept, before = ~rivals.any(0), None
    while before is None or not torch.equal(kept, before):
        kept, before = ~(rivals & kept[:, None]).any(0), kept
    return order[kept]


def pairwise_iou(boxes: Tensor) -> Tensor:
    """(N, N) IoU of each of (N, 4) xyxy boxes with each; 0 for boxes without area."""
    corners, ends = boxes[:, :2], boxes[:, 2:]
    area = (ends - corners).prod(1)
    overlap = torch.minimum(ends, ends[:, None]) - torch.maximum(corners, corners[:, None])
    shared = overlap.clamp(min=0).prod(2)
    return shared / (area + area[:, None] - shared).clamp(min=torch.finfo(boxes.dtype).tiny)
