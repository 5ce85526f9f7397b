"""The architectures of Mask R-CNN by name: five backbones."""

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

from vidseg.models.everyday.network import Everyday
from vidseg.models.names import EVERYDAY
from vidseg.models.shufflenet import STAGE_CHANNELS, shufflenet_v2_x0_5_backbone

Network = MaskRCNN | Everyday
"""What a model file may hold."""

SMALL_CHANNELS = 128
"""Channels of the feature pyramid and the heads in the small models; ResNet-50's have 256."""

SMALL_BOX_HEAD_UNITS = 512
"""Hidden units of the box head in the small models; ResNet-50's has 1024."""

SMALL_ROI_LEVELS = ["0", "1", "2"]
"""Pyramid levels, at strides 8, 16 and 32, from which the small models pool regions."""

SMALL_ROI_SAMPLES = 1
"""Samples per bin and axis of the small models' RoI align. Torchvision takes 2, that is four a bin;
with one, training is a quarter faster."""

SMALL_PROPOSALS_PER_LEVEL = 200
"""Proposals of each pyramid level before NMS, in prediction."""

SMALL_PROPOSALS = 100
"""Boxes per image that go through the box head, in prediction. `balloon_maskrcnn` finds as much
with them as with twice as many: mask AP 0.753 and 0.748 on the 13 `val` photos of balloons."""

SMALL_ANCHOR_SIZES = ((16, 24), (40, 64), (96, 144), (224, 320))
"""Sides of the small models' anchors in pixels, at strides 8, 16, 32 and 64."""


def build(
    architecture: str, num_classes: int, *, image_size: tuple[int, int] = (800, 1333)
) -> MaskRCNN:
    """A model with random weights.

    Args:
        architecture: a key of `ARCHITECTURES`.
        num_classes: number of classes, background included.
        image_size: shorter and longest side in pixels to which frames are resized.
    """
    return ARCHITECTURES[architecture](num_classes, image_size)


def build_network(architecture: str, num_classes: int, image_size: tuple[int, int]) -> Network:
    """As `build`, or an `Everyday` with random weights."""
    if architecture == EVERYDAY:
        return Everyday(num_classes, image_size)
    return build(architecture, num_classes, image_size=image_size)


def _mobilenet(num_classes: int, image_size: tuple[int, int]) -> MaskRCNN:
    body = mobilenet_v3_large(weights=None).features
    # Blocks 6, 12 and 15 are the last ones at strides 8, 16 and 32 (Howard et al. 2019, table 1).
    layers = {"6": "0", "12": "1", "15": "2"}
    return _small(
        BackboneWithFPN(body, layers, [40, 112, 160], SMALL_CHANNELS), num_classes, image_size
    )


def _shufflenet(num_classes: int, image_size: tuple[int, int]) -> MaskRCNN:
    layers = {"stage2": "0", "stage3": "1", "stage4": "2"}
    body = shufflenet_v2_x0_5_backbone()
    backbone = BackboneWithFPN(body, layers, list(STAGE_CHANNELS), SMALL_CHANNELS)
    return _small(backbone, num_classes, image_size)


def _small(backbone: nn.Module, num_classes: int, image_size: tuple[int, int]) -> MaskRCNN:
    ratios = ((0.5, 1.0, 2.0),) * len(SMALL_ANCHOR_SIZES)
    anchors = AnchorGenerator(SMALL_ANCHOR_SIZES, ratios)
    return MaskRCNN(
        backbone,
        min_size=image_size[0],
        max_size=image_size[1],
        rpn_anchor_generator=anchors,
        rpn_head=RPNHead(SMALL_CHANNELS, anchors.num_anchors_per_location()[0]),
        rpn_pre_nms_top_n_train=600,
        rpn_post_nms_top_n_train=300,
        rpn_pre_nms_top_n_test=SMALL_PROPOSALS_PER_LEVEL,
        rpn_post_nms_top_n_test=SMALL_PROPOSALS,
        box_roi_pool=MultiScaleRoIAlign(SMALL_ROI_LEVELS, 7, sampling_ratio=SMALL_ROI_SAMPLES),
        mask_roi_pool=MultiScaleRoIAlign(SMALL_ROI_LEVELS, 14, sampling_ratio=SMALL_ROI_SAMPLES),
        box_batch_size_per_image=128,
        box_head=TwoMLPHead(SMALL_CHANNELS * 7 * 7, SMALL_BOX_HEAD_UNITS),
        box_predictor=FastRCNNPredictor(SMALL_BOX_HEAD_UNITS, num_classes),
        mask_head=MaskRCNNHeads(SMALL_CHANNELS, (SMALL_CHANNELS,) * 4, 1),
        mask_predictor=MaskRCNNPredictor(SMALL_CHANNELS, SMALL_CHANNELS, num_classes),
    )


def _resnet50(
    make: Callable[..., MaskRCNN], num_classes: int, image_size: tuple[int, int]
) -> MaskRCNN:
    """One that torchvision defines."""
    return make(
        weights=None,
        weights_backbone=None,
        num_classes=num_classes,
        min_size=image_size[0],
        max_size=image_size[1],
    )


def _resnet101(num_classes: int, image_size: tuple[int, int]) -> MaskRCNN:
    """Torchvision's `maskrcnn_resnet50_fpn` with Matterport's backbone in place of ResNet-50."""
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
