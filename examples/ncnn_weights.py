"""Read NanoDet-Plus-m's published weights, in ncnn's format, into vidseg's network.

The published weights are in half precision, with batch norm folded into the convolutions. They
expect BGR, 80 classes in COCO's order, and channels that are shuffled after each unit; the network
takes RGB, COCO's labels 1 to 90, and no shuffle.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vidseg.models.everyday._backbone import Run
from vidseg.models.everyday.box_head import SIDES
from vidseg.models.everyday.network import Everyday
from vidseg.models.names import COCO_CLASSES

HALF = 0x01306B47
"""ncnn's mark of weights in half precision."""

UNUSED = -12.0
"""Logit of the labels that COCO has no objects for: a score of 6e-6."""


def nanodet_plus(param: Path, binary: Path, image_size: tuple[int, int]) -> Everyday:
    """The network with the weights of the detector; the mask branch stays random."""
    network = Everyday(max(COCO_CLASSES) + 1, image_size)
    detector = nn.ModuleList([network.backbone, network.neck, network.box_head])
    # The convolutions are registered in the order in which ncnn runs them.
    layers: list[Any] = [one for one in detector.modules() if isinstance(one, nn.Conv2d)]
    for layer, (weight, bias) in zip(layers, read_convolutions(param, binary), strict=True):
        _fill(layer, weight, bias)
    layers[0].weight.data = layers[0].weight.data.flip(1)
    _unshuffle(network)
    return network


def read_convolutions(param: Path, binary: Path) -> list[tuple[Tensor, Tensor]]:
    """Flat weight and bias of each convolution, in the order in which they run."""
    data, at, found = binary.read_bytes(), 0, []
    for line in param.read_text().splitlines()[2:]:
        kind, _, inputs, outputs, *rest = line.split()
        if not kind.startswith("Convolution"):
            continue
        options = dict(item.split("=", 1) for item in rest[int(inputs) + int(outputs) :])
        channels, count = int(options["0"]), int(options["6"])
        if int.from_bytes(data[at : at + 4], "little") != HALF:
            raise SystemExit(f"{binary} has no weights in half precision at byte {at}.")
        weight = np.frombuffer(data, "<f2", count, at + 4).astype(np.float32)
        at += 4 + (2 * count + 3) // 4 * 4  # padded to whole words
        bias = np.frombuffer(data, "<f4", channels, at).copy()
        at += 4 * channels
        found.append((torch.from_numpy(weight), torch.from_numpy(bias)))
    if at != len(data):
        raise SystemExit(f"{binary} has {len(data) - at} bytes more than {param} tells of.")
    return found


def _fill(layer: Any, weight: Tensor, bias: Tensor) -> None:
    if layer.out_channels == max(COCO_CLASSES) + SIDES:
        classes = [label - 1 for label in sorted(COCO_CLASSES)]
        sides = range(max(COCO_CLASSES), layer.out_channels)
        rows = torch.tensor([*classes, *sides])
        layer.weight.data.zero_()[rows] = weight.view(len(rows), -1, 1, 1)
        layer.bias.data.fill_(UNUSED)[rows] = bias
    else:
        layer.weight.data.copy_(weight.view_as(layer.weight))
        layer.bias.data.copy_(bias)


def _unshuffle(network: Everyday) -> None:
    """Let weights that expect shuffled channels take them in the order of our `Stage`."""
    order: Sequence[int] = ()
    stages: Any = network.backbone.stages
    for stage, reduce in zip(stages, network.neck.reduce.children(), strict=True):
        if order:
            for layer in (stage.short[0], stage.short[1], stage.branch[0]):
                _reorder(layer, order)
        order = _unshuffle_stage(stage)
        _reorder(next(reduce.children()), order)


def _unshuffle_stage(stage: Any) -> list[int]:
    """Returns the place that each channel of the stage's output has in the published order."""
    half = stage.short[1].out_channels
    places = _shuffled([(0, i) for i in range(half)], [(1, i) for i in range(half)])
    for number, (runs, unit) in enumerate(zip(stage.taken, stage.units, strict=True)):
        passed, worked = places[:half], places[half:]
        _reorder(unit[0], [worked.index(channel) for channel in _listed(runs)])
        places = _shuffled(passed, [(number + 2, i) for i in range(half)])
    return [places.index(channel) for channel in _listed(stage.left)]


def _shuffled(passed: list, made: list) -> list:
    return [channel for pair in zip(passed, made, strict=True) for channel in pair]


def _listed(runs: list[Run]) -> list[tuple[int, int]]:
    return [(run.source, i) for run in runs for i in range(run.start, run.stop)]


def _reorder(layer: Any, order: Sequence[int]) -> None:
    """Let a convolution find at place i what it expected at ``order[i]``."""
    if layer.groups == 1:
        layer.weight.data = layer.weight.data[:, order]
    else:
        layer.weight.data, layer.bias.data = layer.weight.data[order], layer.bias.data[order]
