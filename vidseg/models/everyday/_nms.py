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
    if not len(order):
        return order
    # Far from each other, boxes of different classes do not overlap, as in torchvision.
    apart = labels.to(boxes.dtype) * (boxes.max() + 1)
    beats = overlapping((boxes + apart[:, None])[order], max_iou).to(boxes.dtype).triu_(1)
    kept, before = beats.sum(0) == 0, None
    while before is None or not torch.equal(kept, before):
        kept, before = kept.to(beats.dtype) @ beats == 0, kept
    return order[kept]


def overlapping(boxes: Tensor, max_iou: float) -> Tensor:
    """(N, N) bool: whether the IoU of two of (N, 4) xyxy boxes is above `max_iou`.

    With s shared and the areas a and b, s > i (a + b - s) where s > (a + b) i / (1 + i).
    """
    left, top, right, bottom = boxes.unbind(1)
    across = torch.minimum(right, right[:, None]).sub_(torch.maximum(left, left[:, None]))
    down = torch.minimum(bottom, bottom[:, None]).sub_(torch.maximum(top, top[:, None]))
    shared = across.clamp_(min=0).mul_(down)
    share = (right - left) * (bottom - top) * (max_iou / (1 + max_iou))
    return shared > share + share[:, None]
