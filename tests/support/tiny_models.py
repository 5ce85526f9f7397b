"""A Mask R-CNN small enough for tests, whose random weights find things."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor

WIDTH = 16


def tiny_maskrcnn(
    *,
    num_classes: int = 6,
    seed: int = 0,
    image_size: tuple[int, int] = (96, 160),
    score_thresh: float = 0.0,
    detections: int = 100,
    proposals: int = 60,
) -> MaskRCNN:
    """Random weights, with class scores far enough apart that rounding does not reorder them."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = MaskRCNN(
            _backbone(),
            min_size=image_size[0],
            max_size=image_size[1],
            rpn_anchor_generator=AnchorGenerator(
                tuple((size,) for size in (8, 16, 32, 64, 128)), ((0.5, 1.0, 2.0),) * 5
            ),
            rpn_pre_nms_top_n_test=200,
            rpn_post_nms_top_n_test=proposals,
            box_score_thresh=score_thresh,
            box_detections_per_img=detections,
            box_head=TwoMLPHead(WIDTH * 49, 32),
            box_predictor=FastRCNNPredictor(32, num_classes),
            mask_head=MaskRCNNHeads(WIDTH, (WIDTH, WIDTH), 1),
            mask_predictor=MaskRCNNPredictor(WIDTH, WIDTH, num_classes),
        )
        _liven(model)
    return model.eval()


def random_images(*sizes: tuple[int, int], seed: int = 0) -> list[NDArray[np.uint8]]:
    """Blocky noise, one (H, W, 3) picture for each (height, width)."""
    random = np.random.default_rng(seed)
    pictures = []
    for height, width in sizes:
        blocks = random.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), np.uint8)
        pictures.append(blocks.repeat(8, 0).repeat(8, 1)[:height, :width].copy())
    return pictures


def torchvision_finds(
    model: MaskRCNN, images: Sequence[NDArray[np.uint8]]
) -> list[dict[str, NDArray]]:
    """What `model(images)` gives, as numpy arrays."""
    from torchvision.transforms.functional import to_tensor

    with torch.inference_mode():
        found = model([to_tensor(image) for image in images])
    return [{name: value.numpy() for name, value in one.items()} for one in found]


def _backbone() -> BackboneWithFPN:
    def stage(before: int, after: int, stride: int) -> nn.Sequential:
        conv = nn.Conv2d(before, after, stride + 1, stride, padding=1)
        return nn.Sequential(conv, nn.BatchNorm2d(after), nn.ReLU(inplace=True))

    body = nn.Sequential(stage(3, 8, 4), stage(8, 12, 2), stage(12, 16, 2), stage(16, 24, 2))
    layers = {str(i): str(i) for i in range(4)}
    return BackboneWithFPN(body, layers, [8, 12, 16, 24], WIDTH)


def _liven(model: MaskRCNN) -> None:
    """Spread what fresh weights leave near zero: objectness, class scores, box shifts, masks."""
    spread = {
        "rpn.head.cls_logits": 1.0,
        "rpn.head.bbox_pred": 0.1,
        "roi_heads.box_predictor.cls_score": 3.0,
        "roi_heads.box_predictor.bbox_pred": 0.5,
        "roi_heads.mask_predictor.mask_fcn_logits": 1.0,
    }
    for name, std in spread.items():
        model.get_parameter(f"{name}.weight").data.normal_(std=std)
    for norm in (module for module in model.modules() if isinstance(module, nn.BatchNorm2d)):
        for values in (norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var):
            if values is not None:
                values += torch.rand_like(values) / 4
