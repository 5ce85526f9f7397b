"""Large models with random weights that find as many objects in any picture as one likes.

Weights of COCO are not to be had everywhere, and random ones find nothing, or everything: here the
last layer of the box head is replaced by one that lets just so many boxes pass, in every image and
whoever calls the model, so that all the other layers work as they would on real objects.
"""

from threading import get_ident

import torch
from torch import Tensor, nn
from torchvision.models.detection import MaskRCNN
from torchvision.ops import FrozenBatchNorm2d

from vidseg.models.architectures import build

CLASSES = 91

SURE = 12.0
"""Logit of what passes: a score of 0.9998 beside 90 logits of 0."""


class PlantedBoxes(nn.Module):
    """The first boxes of each image as they are, each as an object of another class."""

    def __init__(self, model: MaskRCNN, objects: int, classes: int) -> None:
        super().__init__()
        self.objects, self.classes = objects, classes
        self.cls_score = nn.Linear(1, classes)  # read for its size alone
        self.images: dict[int, int] = {}  # by thread: each may have a batch of its own
        model.backbone.register_forward_pre_hook(self._count)

    def _count(self, _: nn.Module, inputs: tuple[Tensor]) -> None:
        self.images[get_ident()] = len(inputs[0])

    def forward(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        images = self.images[get_ident()]
        boxes = len(hidden) // images
        logits = hidden.new_zeros(images, boxes, self.classes)
        logits[..., 0] = SURE
        for row in range(min(self.objects, boxes)):
            logits[:, row, 0] = 0.0
            logits[:, row, 1 + row % (self.classes - 1)] = SURE
        moves = hidden.new_zeros(len(hidden), 4 * self.classes)
        return logits.flatten(0, 1), moves


def planted(
    architecture: str,
    objects: int,
    *,
    picture: Tensor | None = None,
    image_size: tuple[int, int] = (800, 1333),
    seed: int = 0,
) -> MaskRCNN:
    """A model in evaluation mode that finds `objects` objects in every image, 90 at most.

    Args:
        architecture: a key of `vidseg.models.architectures.ARCHITECTURES`.
        picture: (3, H, W) float in 0..1, by which the batch norms get their statistics.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build(architecture, CLASSES, image_size=image_size).eval()
        if picture is None:
            picture = torch.rand(3, 128, 192)
    calibrate(model, picture)
    heads = model.roi_heads
    heads.box_predictor = PlantedBoxes(model, objects, CLASSES)
    return model


@torch.no_grad()
def calibrate(model: MaskRCNN, picture: Tensor) -> None:
    """Give the layers the spread that training would, measured on `picture`.

    Batch norms get its statistics, objectness a spread of 1 and the shifts of anchors one of 0.1.
    """

    def measure(norm: nn.Module, inputs: tuple[Tensor]) -> None:
        norm.get_buffer("running_mean").copy_(inputs[0].mean((0, 2, 3)))
        norm.get_buffer("running_var").copy_(inputs[0].var((0, 2, 3)) + 1e-3)

    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d | FrozenBatchNorm2d)]
    hooks = [norm.register_forward_pre_hook(measure) for norm in norms]
    features = model.backbone((picture[None] - 0.45) / 0.225)
    logits, moves = model.get_submodule("rpn.head")([features["0"]])
    for hook in hooks:
        hook.remove()
    model.get_parameter("rpn.head.cls_logits.weight").div_(logits[0].std())
    model.get_parameter("rpn.head.bbox_pred.weight").mul_(0.1 / moves[0].std())
