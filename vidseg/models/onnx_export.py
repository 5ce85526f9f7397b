"""The networks of a model as ONNX files, for programs without torch.

Post-processing stays outside: what is chosen between the networks (anchors, NMS, regions of
interest) is the program's. A folder holds

    heads.onnx    `images`, (B, 3, H, W) float32, to the raw outputs for the whole picture
    boxes.onnx    Mask R-CNN alone: pooled regions to class logits and box deltas
    masks.onnx    to mask logits: `everyday`'s from the maps and boxes of one picture, Mask R-CNN's
                  from pooled regions
    model.json    classes, sizes, and how pixels become `images`

`everyday`'s boxes are decoded as in `vidseg.models.everyday.box_head.boxes_at`, Mask R-CNN's as in
`vidseg.models.inference`; `examples/onnx_everyday.py` has the former in numpy.
"""

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.export import Dim
from torchvision.models.detection import MaskRCNN

from vidseg.atomic_output import atomic_output, check_output
from vidseg.errors import VidsegError
from vidseg.models.architectures import Network
from vidseg.models.catalog import class_names
from vidseg.models.download import OnDownload
from vidseg.models.everyday.box_head import BINS, STRIDES
from vidseg.models.everyday.network import Everyday
from vidseg.models.predictor import load_network

NEEDED_MODULES = ("onnx", "onnxscript")
"""What torch's exporter imports."""
LONGEST_SIDE = 8192
"""Largest side, in pixels, that the networks are declared for."""
MOST_REGIONS = 1 << 16

Shapes = dict[str, dict[int, Any]]
"""Name of each input to its axes that may vary."""


class _Part(NamedTuple):
    """A network to write."""

    name: str
    network: nn.Module
    inputs: dict[str, Tensor]
    """By the names of the arguments of its `forward`: an example."""
    shapes: Shapes
    outputs: list[str]


def export_onnx(
    model: str | Path,
    target: str | Path,
    *,
    force: bool = False,
    on_download: OnDownload | None = None,
) -> list[str]:
    """Write the networks of a model, by its name or file, into the folder `target`.

    Returns the names of the files. They are float32, and take any number of images, of any size
    whose sides are multiples of `size_divisible` in `model.json`.

    Raises:
        OptionError, ModelError, WeightsUnavailableError: as `vidseg.load_predictor`.
        OutputExistsError, OutputError: the folder cannot be written.
        VidsegError: torch's exporter needs packages that are not installed.
    """
    classes = class_names(model)
    check_output(target, [], force=force, folder=True)
    missing = [name for name in NEEDED_MODULES if find_spec(name) is None]
    if missing:
        raise VidsegError(
            f"Writing ONNX needs {' and '.join(missing)}; pip install 'vidseg[onnx]' installs them."
        )
    network = load_network(model, on_download=on_download).eval().requires_grad_(False)
    parts = _everyday(network) if isinstance(network, Everyday) else _mask_rcnn(network)
    facts = {"classes": classes, **_input_facts(network)}
    with atomic_output(target, force=force, folder=True) as folder:
        for part in parts:
            _write(part, folder / f"{part.name}.onnx")
        (folder / "model.json").write_text(json.dumps(facts, indent=2), encoding="utf-8")
        return sorted(path.name for path in folder.iterdir())


class _Wrapped(nn.Module):
    """Holds the model whose parts it runs."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model


class _EverydayHeads(_Wrapped):
    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        maps = self.model(images)
        return (*maps.outputs, *self.model.mask_branch.maps(maps.backbone, maps.pyramid))


class _EverydayMasks(_Wrapped):
    def forward(self, fine: Tensor, coarse: Tensor, boxes: Tensor, labels: Tensor) -> Tensor:
        """Mask logits of the boxes of one image."""
        classes = self.model.box_head.class_vectors()[labels - 1]
        height, width = (4 * side for side in fine.shape[-2:])
        real = torch.ones_like(boxes[None, :, 0], dtype=torch.bool)
        maps = (fine, coarse)
        return self.model.mask_branch(maps, boxes[None], real, classes, (height, width))


class _RCNNHeads(_Wrapped):
    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        features = list(self.model.backbone(images).values())
        objectness, deltas = self.model.rpn.head(features)
        return (*features, *objectness, *deltas)


class _RCNNBoxes(_Wrapped):
    def forward(self, regions: Tensor) -> tuple[Tensor, Tensor]:
        heads = self.model.roi_heads
        return heads.box_predictor(heads.box_head(regions))


class _RCNNMasks(_Wrapped):
    def forward(self, regions: Tensor) -> Tensor:
        heads = self.model.roi_heads
        return heads.mask_predictor(heads.mask_head(regions))


def _everyday(model: Everyday) -> list[_Part]:
    images = torch.zeros(2, 3, 64, 96)
    levels = [f"stride{stride}" for stride in STRIDES]
    heads = _EverydayHeads(model)
    with torch.inference_mode():
        *_, fine, coarse = (value[:1].clone() for value in heads(images))
    inputs = {
        "fine": fine,
        "coarse": coarse,
        "boxes": torch.tensor([[0.0, 0.0, 20.0, 20.0], [5.0, 5.0, 30.0, 40.0]]),
        "labels": torch.tensor([1, 2]),
    }
    h, w, objects = _side("rows"), _side("columns"), Dim("objects", max=MOST_REGIONS)
    shapes: Shapes = {
        "fine": {2: 2 * h, 3: 2 * w},
        "coarse": {2: h, 3: w},
        "boxes": {0: objects},
        "labels": {0: objects},
    }
    return [
        _Part("heads", heads, {"images": images}, _images(model), [*levels, "fine", "coarse"]),
        _Part("masks", _EverydayMasks(model), inputs, shapes, ["logits"]),
    ]


def _mask_rcnn(model: MaskRCNN) -> list[_Part]:
    heads: Any = model.roi_heads
    images = torch.zeros(2, 3, 128, 192)
    with torch.inference_mode():
        features = model.backbone(images)
    names = list(features)
    channels = features[names[0]].shape[1]
    outputs = [f"{kind}{name}" for kind in ("features", "objectness", "deltas") for name in names]
    regions: Shapes = {"regions": {0: Dim("regions", max=MOST_REGIONS)}}

    def pooled(pool: Any) -> dict[str, Tensor]:
        return {"regions": torch.zeros(2, channels, *pool.output_size)}

    boxes, masks = pooled(heads.box_roi_pool), pooled(heads.mask_roi_pool)
    return [
        _Part("heads", _RCNNHeads(model), {"images": images}, _images(model), outputs),
        _Part("boxes", _RCNNBoxes(model), boxes, regions, ["logits", "deltas"]),
        _Part("masks", _RCNNMasks(model), masks, regions, ["logits"]),
    ]


def _images(model: Network) -> Shapes:
    transform: Any = model.transform
    multiple = transform.size_divisible
    sides = (multiple * _side(name, LONGEST_SIDE // multiple) for name in ("rows", "columns"))
    return {"images": dict(enumerate(sides, 2)) | {0: Dim("batch", max=MOST_REGIONS)}}


def _side(name: str, most: int = LONGEST_SIDE) -> Any:
    return Dim(name, min=2, max=most)


def _input_facts(model: Network) -> dict[str, Any]:
    """How a picture becomes `images`, as `vidseg.models.inference.preprocess` makes it."""
    transform: Any = model.transform
    facts = {
        "shorter_side": transform.min_size[-1],
        "longest_side": transform.max_size,
        "size_divisible": transform.size_divisible,
        "mean": [255 * value for value in transform.image_mean],
        "std": [255 * value for value in transform.image_std],
    }
    if isinstance(model, Everyday):
        facts |= {"strides": STRIDES, "bins": BINS}
    return facts


def _write(part: _Part, path: Path) -> None:
    with _quiet():
        torch.onnx.export(
            part.network,
            kwargs=part.inputs,
            f=str(path),
            input_names=list(part.inputs),
            output_names=part.outputs,
            dynamic_shapes=part.shapes,
            dynamo=True,
            external_data=False,
            verbose=False,
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter says to its authors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = logging.root.manager.disable
        logging.disable(max(before, logging.WARNING))
        try:
            yield
        finally:
            logging.disable(before)
