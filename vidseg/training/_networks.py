"""What the training loop must know of a network: its losses, and its backbone."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from vidseg.models.architectures import Network
from vidseg.models.everyday.network import Everyday
from vidseg.training._everyday_losses import everyday_losses
from vidseg.training._mask_rcnn_losses import mask_rcnn_losses
from vidseg.training.training_sample import Target


def losses_of(
    model: Network, images: list[Tensor], targets: list[Target], *, hard_negatives: int | None
) -> dict[str, Tensor]:
    """The losses of a batch by name, each beginning with ``loss_``.

    Args:
        images: (3, H, W) float in 0..1.
        hard_negatives: see `mask_rcnn_losses`; `everyday` has no such limit.
    """
    if isinstance(model, Everyday):
        return everyday_losses(model, images, targets)
    return mask_rcnn_losses(model, images, targets, hard_negatives=hard_negatives)


def backbone_of(model: Network) -> nn.Module:
    """The part that ``--layers heads`` freezes."""
    if isinstance(model, Everyday):
        return model.backbone
    body: Any = model.backbone.body
    return body
