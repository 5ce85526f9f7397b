"""The weights that a run starts from: a whole model, a pretrained backbone, or none."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vidseg.errors import ModelError, OptionError, WeightsUnavailableError
from vidseg.models.architectures import ARCHITECTURES, Network, build_network
from vidseg.models.backbone_weights import load_backbone
from vidseg.models.catalog import DEFAULT_MODEL, MODELS, torchvision_architecture
from vidseg.models.checkpoint import load_weights, read_header
from vidseg.models.coco_models import load_coco
from vidseg.models.download import OnDownload
from vidseg.models.everyday.box_head import SIDES, OutputConv
from vidseg.models.everyday.network import Everyday
from vidseg.models.names import COCO_CLASSES, EVERYDAY
from vidseg.models.torchvision_weights import (
    COCO_WEIGHTS,
    IMAGENET_WEIGHTS,
    fetch_weights,
    weights_obtainable,
)
from vidseg.remote.fetch import local

log = logging.getLogger("vidseg")

BUNDLED_MODEL = "balloon_maskrcnn"
"""The Mask R-CNN of the package."""

SMALL_ARCHITECTURE = "maskrcnn_shufflenet_v2_x0_5_fpn"
"""The architecture of `BUNDLED_MODEL`."""

SMALL_IMAGE_SIZE = (384, 640)
"""Shorter and longest side of images for a small model without initial weights, in pixels."""

LARGE_IMAGE_SIZE = (800, 1333)
"""The same for the ResNet models, as in torchvision."""

ROWS_PER_CLASS = {
    "roi_heads.box_predictor.cls_score": 1,
    "roi_heads.box_predictor.bbox_pred": 4,
    "roi_heads.mask_predictor.mask_fcn_logits": 1,
}
"""The layers whose size depends on the classes, and their rows per class."""


UNUSED_LOGIT = -12.0
"""Score of a label without a class, such as those that COCO leaves out, in `everyday`."""


@dataclass(frozen=True, slots=True)
class InitialWeights:
    """Weights to start from, and what they were trained with."""

    architecture: str
    image_size: tuple[int, int]
    """Shorter and longest side of the images they were trained on."""
    state: Mapping[str, Tensor]
    """Of the whole model, or of its backbone, or empty."""
    classes: Mapping[int, str]
    """Classes of a whole model; empty for anything less."""
    frozen_norms: str | None
    """See `vidseg.training._learner.Learner`."""

    @property
    def pretrained(self) -> bool:
        """Whether it is a whole model."""
        return bool(self.classes)


def load_initial_weights(
    weights: str | Path, architecture: str | None = None, *, on_download: OnDownload | None = None
) -> InitialWeights:
    """Load the weights called `weights`; `architecture` is for those that do not determine it.

    Args:
        weights: ``auto``, ``coco``, ``imagenet`` (the backbone), ``everyday`` or ``bundled``,
            which are in the package, ``none``, or a model file. ``auto`` is ``coco``, or
            ``everyday`` where COCO's weights cannot be had and no architecture is given.
        on_download: called during a download with the bytes received and the total.

    Raises:
        OptionError: unknown architecture, or another than that of the weights.
        WeightsUnavailableError: torchvision has no such weights, or the download failed.
        ModelError: the file is missing, damaged, or no model.
    """
    if architecture is not None and architecture not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise OptionError(f"There is no architecture {architecture!r}; use {known}.")
    if weights == "none":
        name = architecture or SMALL_ARCHITECTURE
        return InitialWeights(name, _usual_size(name), {}, {}, None)
    if weights == "auto":
        weights = "coco" if architecture else _usual_weights()
    try:
        if weights == "coco":
            return _coco(architecture or DEFAULT_MODEL, on_download)
        if weights == "imagenet":
            return _imagenet(architecture or DEFAULT_MODEL, on_download)
    except WeightsUnavailableError as error:
        raise WeightsUnavailableError(f"{error} {_choices(architecture)}") from error
    return _from_file(_file(weights), str(weights), architecture)


def make_model(
    given: InitialWeights, classes: Mapping[int, str], image_size: tuple[int, int], *, seed: int
) -> Network:
    """A model for `classes` with the given weights where they fit; the rest is random by the seed.

    Classes of the same name keep their weights; new ones start with the mean of the box and mask
    weights of the known ones. Seeds torch's random numbers.

    Raises ModelError: the weights do not fit their architecture.
    """
    torch.manual_seed(seed)
    model = build_network(given.architecture, max(classes) + 1, image_size)
    if given.state:
        labels = _same_classes(classes, given.classes)
        if isinstance(model, Everyday):
            given = replace(given, state=_with_our_rows(model, given, classes, labels))
        _transfer(model, given, labels, "" if given.pretrained else "backbone.body.")
    return model


def _coco(architecture: str, on_download: OnDownload | None) -> InitialWeights:
    if architecture not in COCO_WEIGHTS:
        raise WeightsUnavailableError(f"There are no COCO weights for {architecture}.")
    model = load_coco(
        architecture, fetch_weights(COCO_WEIGHTS[architecture], on_download=on_download)
    )
    return InitialWeights(architecture, LARGE_IMAGE_SIZE, model.state_dict(), COCO_CLASSES, "")


def _imagenet(architecture: str, on_download: OnDownload | None) -> InitialWeights:
    state = load_backbone(architecture, on_download=on_download)
    return InitialWeights(architecture, _usual_size(architecture), state, {}, "backbone.body")


def _usual_weights() -> str:
    if weights_obtainable(DEFAULT_MODEL):
        return "coco"
    log.warning("Training starts from everyday, since COCO's larger models cannot be downloaded.")
    return "everyday"


def _file(weights: str | Path) -> Path:
    bundled = MODELS.get(BUNDLED_MODEL if weights == "bundled" else str(weights))
    if bundled is not None and bundled.file is not None:
        return bundled.file
    file = local(weights)
    if not file.suffix and not file.exists():
        raise OptionError(
            f"There are no weights {str(weights)!r}; use coco, imagenet, everyday, bundled, none, "
            "last or the path of a model file."
        )
    return file


def _from_file(file: Path, called: str, architecture: str | None) -> InitialWeights:
    if name := torchvision_architecture(file):
        given = InitialWeights(
            name, LARGE_IMAGE_SIZE, load_coco(name, file).state_dict(), COCO_CLASSES, ""
        )
    else:
        header = read_header(file)
        state = {name: _float(value) for name, value in load_weights(file).items()}
        size = header["image_size"]
        given = InitialWeights(header["architecture"], size, state, header["classes"], "")
    if given.architecture not in (*ARCHITECTURES, EVERYDAY):
        raise ModelError(
            f"{called} needs the architecture {given.architecture!r}, which is unknown."
        )
    if architecture not in (None, given.architecture):
        raise OptionError(
            f"The weights {called} are those of {given.architecture}, not of {architecture}; leave "
            f"out `arch`. {_choices(architecture)}"
        )
    return given


def _choices(architecture: str | None) -> str:
    """What else a run can start from."""
    able = ["none (random weights, which need many photos)", "a model file"]
    if architecture in IMAGENET_WEIGHTS:
        able.insert(0, "imagenet (the backbone alone; a download)")
    if architecture in (None, SMALL_ARCHITECTURE):
        able.insert(0, "bundled (a small Mask R-CNN; no network)")
    if architecture is None:
        able.insert(0, "everyday (small and fast; no network)")
    if architecture in COCO_WEIGHTS:
        able.insert(0, "coco (a download)")
    return f"`weights` also takes: {', '.join(able)}."


def _usual_size(architecture: str) -> tuple[int, int]:
    return LARGE_IMAGE_SIZE if "resnet" in architecture else SMALL_IMAGE_SIZE


def _same_classes(ours: Mapping[int, str], theirs: Mapping[int, str]) -> dict[int, int]:
    """Our label to theirs, for background and classes of the same name."""
    known = {name.casefold(): label for label, name in theirs.items()}
    same = {
        label: known[name.casefold()] for label, name in ours.items() if name.casefold() in known
    }
    return {0: 0, **same}


def _with_our_rows(
    model: Everyday, given: InitialWeights, classes: Mapping[int, str], labels: Mapping[int, int]
) -> dict[str, Tensor]:
    """The given state with a row for each of our classes, where `everyday` scores classes.

    It has no row for background: label 1 is in row 0, and behind the classes are sides' distances.
    """
    state = dict(given.state)
    known = [label - 1 for label in sorted(given.classes)]
    for layer, module in model.named_modules():
        if not isinstance(module, OutputConv):
            continue
        for part, unused in (("weight", 0.0), ("bias", UNUSED_LOGIT)):
            theirs = given.state[f"{layer}.{part}"]
            ours = theirs.new_full((max(classes), *theirs.shape[1:]), unused)
            for label in classes:
                ours[label - 1] = (
                    theirs[labels[label] - 1] if label in labels else theirs[known].mean(0)
                )
            state[f"{layer}.{part}"] = torch.cat((ours, theirs[-SIDES:]))
    return state


@torch.no_grad()
def _transfer(
    model: Network, given: InitialWeights, labels: Mapping[int, int], prefix: str
) -> None:
    """Copy the given weights into the part of the model whose names have this prefix."""
    wanting = []
    own: dict[str, Any] = model.state_dict()
    for name, value in own.items():
        theirs = given.state.get(name.removeprefix(prefix)) if name.startswith(prefix) else None
        rows = ROWS_PER_CLASS.get(name.rpartition(".")[0])
        if theirs is None:
            wanting += [name] if _should_have(name, prefix) else []
        elif rows is not None and not prefix:
            # Class scores of a new class start at random, its boxes and masks at the mean.
            alike = () if "cls_score" in name else sorted(given.classes)
            _copy_rows(value, theirs, rows, labels, alike)
        elif value.shape != theirs.shape:
            wanting.append(name)
        else:
            value.copy_(theirs)
    if wanting:
        raise ModelError(
            f"The weights do not fit their architecture: {_some(wanting)} missing, or of another "
            "size."
        )


def _should_have(name: str, prefix: str) -> bool:
    """Older files of torchvision lack the counters of batch norm, which do not matter."""
    return name.startswith(prefix) and not name.endswith("num_batches_tracked")


def _copy_rows(
    value: Tensor, given: Tensor, rows: int, labels: Mapping[int, int], alike: Sequence[int]
) -> None:
    """Copy by class; a class that is not in `labels` gets the mean of the classes in `alike`."""
    ours, theirs = (each.unflatten(0, (-1, rows)) for each in (value, given))
    if alike:
        ours[1:] = theirs[list(alike)].mean(0)
    for own, same in labels.items():
        ours[own] = theirs[same]


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:3]) + (f" and {len(listed) - 3} more" if len(listed) > 3 else "")


def _float(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value
