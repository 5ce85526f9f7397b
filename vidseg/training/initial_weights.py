"""What a run starts from: a whole model, a pretrained trunk, or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torchvision.models.detection import MaskRCNN

from vidseg.errors import ModelError, OptionError, WeightsUnavailableError
from vidseg.models.architectures import ARCHITECTURES, build
from vidseg.models.backbone_weights import TRUNKS, load_trunk
from vidseg.models.catalog import DEFAULT_MODEL, MODELS, torchvision_architecture
from vidseg.models.checkpoint import load_state, read_header
from vidseg.models.coco_models import load_coco
from vidseg.models.download import Progress
from vidseg.models.names import COCO
from vidseg.models.torchvision_weights import WEIGHTS, fetch_weights

BUNDLED = "balloon"
"""The model of the package that training starts from."""

SMALL = "maskrcnn_shufflenet_v2_x0_5_fpn"
"""The bundled model's architecture."""

SMALL_SIZE = (384, 640)
"""Shorter and longest side of pictures for a small model that starts from nothing, in pixels."""

LARGE_SIZE = (800, 1333)
"""The same for the ResNet models: torchvision's."""

PER_CLASS = {
    "roi_heads.box_predictor.cls_score": 1,
    "roi_heads.box_predictor.bbox_pred": 4,
    "roi_heads.mask_predictor.mask_fcn_logits": 1,
}
"""The layers whose size follows the classes, and their rows for each class."""


@dataclass(frozen=True, slots=True)
class Given:
    """Weights to start from."""

    architecture: str
    image_size: tuple[int, int]
    """Shorter and longest side of the pictures they were trained on."""
    state: Mapping[str, Tensor]
    """Of the whole model, or of its trunk, or empty."""
    classes: Mapping[int, str]
    """What a whole model knows; empty for anything less."""
    frozen_norms: str | None
    """See `vidseg.training._learner.Learner`."""

    @property
    def pretrained(self) -> bool:
        """Whether it is a whole model."""
        return bool(self.classes)


def load_start(
    weights: str | Path, architecture: str | None = None, *, progress: Progress | None = None
) -> Given:
    """The weights called `weights`, for an architecture if that is not theirs to say.

    Args:
        weights: ``coco``, ``imagenet`` (the trunk alone), ``bundled``, ``none``, or a model file.
        progress: called during a download with the bytes that are there and the whole number.

    Raises:
        OptionError: no such architecture, or not the one of the weights.
        WeightsUnavailableError: torchvision has no such weights, or they could not be fetched.
        ModelError: a file that is missing, damaged, or no model.
    """
    if architecture is not None and architecture not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise OptionError(f"There is no architecture {architecture!r}; use {known}.")
    if weights == "none":
        name = architecture or SMALL
        return Given(name, _usual_size(name), {}, {}, None)
    try:
        if weights == "coco":
            return _coco(architecture or DEFAULT_MODEL, progress)
        if weights == "imagenet":
            return _imagenet(architecture or DEFAULT_MODEL, progress)
    except WeightsUnavailableError as error:
        sentence = str(error).split(": without a network")[0].rstrip(".")
        raise WeightsUnavailableError(f"{sentence}. {_choices(architecture)}") from error
    return _from_file(_file(weights), str(weights), architecture)


def make_model(
    given: Given, classes: Mapping[int, str], image_size: tuple[int, int], *, seed: int
) -> MaskRCNN:
    """A model for `classes` with all that fits of the weights given, the rest random by the seed.

    Classes that both know, by their names, keep what was learned of them; new ones begin with the
    mean box and mask of those known. To be called where torch's random numbers are the caller's own
    to seed.

    Raises ModelError: the weights do not fit their architecture.
    """
    torch.manual_seed(seed)
    model = build(given.architecture, max(classes) + 1, image_size=image_size)
    if given.state:
        labels = _same_classes(classes, given.classes)
        _transfer(model, given, labels, "" if given.pretrained else "backbone.body.")
    return model


def _coco(architecture: str, progress: Progress | None) -> Given:
    if architecture not in WEIGHTS:
        raise WeightsUnavailableError(f"There are no COCO weights for {architecture}.")
    model = load_coco(architecture, fetch_weights(architecture, progress=progress))
    return Given(architecture, LARGE_SIZE, model.state_dict(), COCO, "")


def _imagenet(architecture: str, progress: Progress | None) -> Given:
    state = load_trunk(architecture, progress=progress)
    return Given(architecture, _usual_size(architecture), state, {}, "backbone.body")


def _file(weights: str | Path) -> Path:
    bundled = MODELS.get(BUNDLED if weights == "bundled" else str(weights))
    if bundled is not None and bundled.file is not None:
        return bundled.file
    file = Path(weights)
    if not file.suffix and not file.exists():
        raise OptionError(
            f"There are no weights {str(weights)!r}; use coco, imagenet, bundled, none, last or "
            "the path of a model file."
        )
    return file


def _from_file(file: Path, called: str, architecture: str | None) -> Given:
    if name := torchvision_architecture(file):
        given = Given(name, LARGE_SIZE, load_coco(name, file).state_dict(), COCO, "")
    else:
        header = read_header(file)
        shorter, longest = header["image_size"]
        size = int(shorter), int(longest)
        state = {name: _float(value) for name, value in load_state(file)["model"].items()}
        given = Given(header["architecture"], size, state, header["classes"], "")
    if given.architecture not in ARCHITECTURES:
        raise ModelError(f"{called} needs the architecture {given.architecture!r}, not known here.")
    if architecture not in (None, given.architecture):
        raise OptionError(
            f"The weights {called} are those of {given.architecture}, not of {architecture}; leave "
            f"--arch out. {_choices(architecture)}"
        )
    return given


def _choices(architecture: str | None) -> str:
    """What else to start from."""
    able = ["none (from nothing, which takes many photos)", "a model file"]
    if architecture in TRUNKS:
        able.insert(0, "imagenet (the trunk alone; a download)")
    if architecture in (None, SMALL):
        able.insert(0, "bundled (the small model of the package; no network)")
    if architecture in WEIGHTS:
        able.insert(0, "coco (a download)")
    return f"--weights also takes: {', '.join(able)}."


def _usual_size(architecture: str) -> tuple[int, int]:
    return LARGE_SIZE if "resnet" in architecture else SMALL_SIZE


def _same_classes(ours: Mapping[int, str], theirs: Mapping[int, str]) -> dict[int, int]:
    """Our label to theirs, for background and classes of the same name."""
    known = {name.casefold(): label for label, name in theirs.items()}
    same = {
        label: known[name.casefold()] for label, name in ours.items() if name.casefold() in known
    }
    return {0: 0, **same}


@torch.no_grad()
def _transfer(model: MaskRCNN, given: Given, labels: Mapping[int, int], prefix: str) -> None:
    """Copy into the model what is given for the part of it whose names start with `prefix`."""
    wanting = []
    own: dict[str, Any] = model.state_dict()
    for name, value in own.items():
        theirs = given.state.get(name.removeprefix(prefix)) if name.startswith(prefix) else None
        rows = PER_CLASS.get(name.rpartition(".")[0])
        if theirs is None:
            wanting += [name] if _should_have(name, prefix) else []
        elif rows is not None and not prefix:
            # What tells classes apart starts anew for a new one, its box and mask do not.
            alike = () if "cls_score" in name else sorted(given.classes)
            _copy_rows(value, theirs, rows, labels, alike)
        elif value.shape != theirs.shape:
            wanting.append(name)
        else:
            value.copy_(theirs)
    if wanting:
        raise ModelError(
            f"The weights do not fit their architecture: {_some(wanting)} missing or of another "
            "size."
        )


def _should_have(name: str, prefix: str) -> bool:
    """Counters of batch norm are in none of torchvision's older files, and do not matter."""
    return name.startswith(prefix) and not name.endswith("num_batches_tracked")


def _copy_rows(
    value: Tensor, given: Tensor, rows: int, labels: Mapping[int, int], alike: Sequence[int]
) -> None:
    """By class; a class that is not in `labels` gets the mean of the given ones in `alike`."""
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
