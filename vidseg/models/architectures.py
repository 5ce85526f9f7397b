"""Mask R-CNN architectures by name: torchvision's ResNet ones, and two small ones of our own."""

from collections.abc import Callable
from functools import partial

from torch import nn
from torchvision.models import mobilenet_v3_large
from torchvision.models.detection import (
    MaskRCNN,
    maskrcnn_resnet50_fpn,
    maskrcnn_resnet50_fpn_v2,
)
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN, resnet_fpn_backbone
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.rpn import RPNHead
from torchvision.ops import MultiScaleRoIAlign

from vidseg.models.shufflenet import CHANNELS as SHUFFLENET_CHANNELS
from vidseg.models.shufflenet import shufflenet_v2_x0_5_trunk

WIDTH = 128
"""Channels of the small models' pyramid and heads; ResNet-50's have 256."""

HIDDEN = 512
"""Units of the small models' box head; ResNet-50's has 1024."""

LEVELS = ["0", "1", "2"]
"""Names of the pyramid's levels that objects are pooled from: strides 8, 16 and 32.

One sample a bin instead of torchvision's four: training is a quarter faster.
"""

ANCHOR_SIZES = ((16, 24), (40, 64), (96, 144), (224, 320))
"""Pixels, at strides 8, 16, 32 and 64 of the small models."""


def build(
    architecture: str, num_classes: int, *, image_size: tuple[int, int] = (800, 1333)
) -> MaskRCNN:
    """An untrained model.

    Args:
        architecture: a key of `ARCHITECTURES`.
        num_classes: classes including background.
        image_size: shorter and longest side that frames are resized to, in pixels.
    """
    return ARCHITECTURES[architecture](num_classes, image_size)


def _mobilenet(num_classes: int, image_size: tuple[int, int]) -> MaskRCNN:
    trunk = mobilenet_v3_large(weights=None).features
    # Blocks 6, 12 and 15 are the last ones at strides 8, 16 and 32 (Howard et al. 2019, table 1).
    layers = {"6": "0", "12": "1", "15": "2"}
    return _small(BackboneWithFPN(trunk, layers, [40, 112, 160], WIDTH), num_classes, image_size)


def _shufflenet(num_classes: int, image_size: tuple[int, int]) -> MaskRCNN:
    layers = {"stage2": "0", "stage3": "1", "stage4": "2"}
    backbone = BackboneWithFPN(shufflenet_v2_x0_5_trunk(), layers, list(SHUFFLENET_CHANNELS), WIDTH)
    return _small(backbone, num_classes, image_size)


def _small(backbone: nn.Module, num_classes: int, image_size: tuple[int, int]) -> MaskRCNN:
    ratios = ((0.5, 1.0, 2.0),) * len(ANCHOR_SIZES)
    anchors = AnchorGenerator(ANCHOR_SIZES, ratios)
    return MaskRCNN(
        backbone,
        min_size=image_size[0],
        max_size=image_size[1],
        rpn_anchor_generator=anchors,
        rpn_head=RPNHead(WIDTH, anchors.num_anchors_per_location()[0]),
        rpn_pre_nms_top_n_train=600,
        rpn_post_nms_top_n_train=300,
        rpn_pre_nms_top_n_test=400,
        rpn_post_nms_top_n_test=200,
        box_roi_pool=MultiScaleRoIAlign(LEVELS, 7, sampling_ratio=1),
        mask_roi_pool=MultiScaleRoIAlign(LEVELS, 14, sampling_ratio=1),
        box_batch_size_per_image=128,
        box_head=TwoMLPHead(WIDTH * 7 * 7, HIDDEN),
        box_predictor=FastRCNNPredictor(HIDDEN, num_classes),
        mask_head=MaskRCNNHeads(WIDTH, (WIDTH,) * 4, 1),
        mask_predictor=MaskRCNNPredictor(WIDTH, WIDTH, num_classes),
    )


def _resnet50(
    make: Callable[..., MaskRCNN], num_classes: int, image_size: tuple[int, int]
) -> MaskRCNN:
    """One of torchvision's own."""
    return make(
        weights=None,
        weights_backbone=None,
        num_classes=num_classes,
        min_size=image_size[0],
        max_size=image_size[1],
    )


def _resnet101(num_classes: int, image_size: tuple[int, int]) -> MaskRCNN:
    """As torchvision's with ResNet-50, first version; Matterport's trunk."""
    backbone = resnet_fpn_backbone(
        backbone_name="resnet101", weights=None, norm_layer=nn.BatchNorm2d, trainable_layers=5
    )
    return MaskRCNN(backbone, num_classes, min_size=image_size[0], max_size=image_size[1])


ARCHITECTURES: dict[str, Callable[[int, tuple[int, int]], MaskRCNN]] = {
    "maskrcnn_resnet50_fpn_v2": partial(_resnet50, maskrcnn_resnet50_fpn_v2),
    "maskrcnn_resnet50_fpn": partial(_resnet50, maskrcnn_resnet50_fpn),
    "maskrcnn_resnet101_fpn": _resnet101,
    "maskrcnn_mobilenet_v3_large_fpn": _mobilenet,
    "maskrcnn_shufflenet_v2_x0_5_fpn": _shufflenet,
}
