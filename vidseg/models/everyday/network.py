"""The network of `everyday`: NanoDet-Plus's detector, and a mask branch on its feature maps."""

from typing import NamedTuple

from torch import Tensor, nn

from vidseg.models.everyday._backbone import WIDTHS, Backbone
from vidseg.models.everyday._mask_branch import MaskBranch
from vidseg.models.everyday._neck import CHANNELS, GhostPAN
from vidseg.models.everyday.box_head import BoxHead
from vidseg.models.inference.preprocess import Transform

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""Of ImageNet's RGB in 0..1; NanoDet-Plus has the same numbers times 255, rounded."""

DIVISIBLE = 8
"""Sides of the input are multiples of it, so that the mask branch's maps cover it exactly."""


class FeatureMaps(NamedTuple):
    """What the detector makes of B images."""

    backbone: list[Tensor]
    """Maps at strides 4, 8, 16 and 32."""
    pyramid: list[Tensor]
    """Levels at strides 8, 16, 32 and 64."""
    outputs: list[Tensor]
    """The box head's, level after level."""


class Everyday(nn.Module):
    """Finds objects of classes 1 to `num_classes` - 1, with masks."""

    def __init__(self, num_classes: int, image_size: tuple[int, int]) -> None:
        """`num_classes` counts background; `image_size` is the shorter and the longest side."""
        super().__init__()
        self.num_classes = num_classes
        shorter, longest = image_size
        self.transform = Transform((shorter,), longest, MEAN, STD, DIVISIBLE)
        self.backbone = Backbone()
        self.neck = GhostPAN(WIDTHS[1:])
        self.box_head = BoxHead(num_classes - 1)
        self.mask_branch = MaskBranch(WIDTHS, CHANNELS)

    def forward(self, images: Tensor) -> FeatureMaps:
        """The detector's maps of (B, 3, H, W) normalised RGB images."""
        backbone = self.backbone(images)
        pyramid = self.neck(backbone[1:])
        return FeatureMaps(backbone, pyramid, self.box_head(pyramid))
