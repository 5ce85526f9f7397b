"""Torchvision's COCO models from a file with their state_dict, published or trained further."""

import zipfile
from pathlib import Path
from typing import Any

import torch
from torchvision.models.detection import MaskRCNN, maskrcnn_resnet50_fpn_v2
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops import FrozenBatchNorm2d

from vidseg.errors import ModelError
from vidseg.models.checkpoint import check_finite, load_state
from vidseg.models.names import COCO_CATEGORIES


def load_coco(name: str, path: Path) -> MaskRCNN:
    """``maskrcnn_resnet50_fpn`` or ``..._v2`` with the weights in `path`, on the CPU.

    Raises:
        ModelError: the file is damaged, or holds the weights of another model.
    """
    # The meta device saves the time for random weights: 1.5 s on one core.
    with torch.device("meta"):
        model = _BUILDERS[name]()
    state = load_state(path) if zipfile.is_zipfile(path) else _load_legacy(path)
    try:
        model.load_state_dict(state, assign=True)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise ModelError(
            f"The weights in {path} do not fit {name} with {len(COCO_CATEGORIES)} classes."
        ) from error
    check_finite(model.state_dict(), path)
    return model.eval()


def _load_legacy(path: Path) -> dict[str, Any]:
    """Weights in the file format of torch before 1.6, as torchvision's older files have it."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds, from pickle's to RuntimeError
        raise ModelError(f"The weights in {path} are damaged; delete and fetch them.") from error


def _resnet50() -> MaskRCNN:
    # The published weights were trained with frozen batch norms that had no epsilon.
    backbone = resnet_fpn_backbone(
        backbone_name="resnet50", weights=None, norm_layer=FrozenBatchNorm2d
    )
    for module in backbone.modules():
        if isinstance(module, FrozenBatchNorm2d):
            module.eps = 0.0
    return MaskRCNN(backbone, len(COCO_CATEGORIES))


def _resnet50_v2() -> MaskRCNN:
    return maskrcnn_resnet50_fpn_v2(
        weights=None, weights_backbone=None, num_classes=len(COCO_CATEGORIES)
    )


_BUILDERS = {
    "maskrcnn_resnet50_fpn": _resnet50,
    "maskrcnn_resnet50_fpn_v2": _resnet50_v2,
}
