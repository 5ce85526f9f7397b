"""The models that vidseg has by name, their classes, and the choice of a model by classes.

Imports no torch.
"""

import difflib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vidseg.errors import ModelError, OptionError
from vidseg.models.checkpoint import read_header
from vidseg.models.names import COCO_CLASSES
from vidseg.models.torchvision_weights import weights_obtainable
from vidseg.remote.fetch import local


@dataclass(frozen=True, slots=True)
class Model:
    """A model that a user can name."""

    name: str
    """A key of `MODELS`, or a path."""
    about: str
    file: Path | None = None
    """Its checkpoint; None: torchvision's COCO weights, downloaded at first use."""
    general: bool = False
    """Whether it knows everyday things, so that it can stand in when no class is named."""


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """The model for a run, and the classes to find."""

    model: str
    labels: frozenset[int] | None
    """Labels of the wanted classes; None: all."""
    classes: dict[int, str]
    """Label to name of every class that the model knows."""
    message: str | None = None
    """One line for the user if the choice may surprise them."""
    file: Path | None = None
    """The model's own weights; None: torchvision's, or no file."""


DEFAULT_MODEL = "maskrcnn_resnet50_fpn_v2"

MODELS = {
    model.name: model
    for model in (
        Model(DEFAULT_MODEL, "COCO, the most accurate; downloads 186 MB at first use"),
        Model("maskrcnn_resnet50_fpn", "COCO, faster; downloads 178 MB at first use"),
        Model(
            "everyday",
            "COCO, small and fast; bundled",
            Path(__file__).with_name("everyday.pt"),
            general=True,
        ),
        Model("balloon", "small and fast; bundled", Path(__file__).with_name("balloon.pt")),
        Model(
            "balloon_maskrcnn",
            "a small Mask R-CNN; bundled",
            Path(__file__).with_name("balloon_maskrcnn.pt"),
        ),
    )
}


def find_model(model: str | Path) -> Model:
    """The model with that name, or in that file, which for a URL is fetched.

    Raises:
        OptionError: neither the name of a model nor a path.
        ModelError: a path where there is no file.
    """
    name = os.fspath(model)
    if name in MODELS:
        return MODELS[name]
    path = local(name)
    if path.exists():
        return Model(name, "a model file", path)
    if path.suffix or path.name != name:
        raise ModelError(f"There is no model file {name}; check the path.")
    raise OptionError(
        f"There is no model {name!r}{_did_you_mean(name, MODELS)}; "
        f"use {', '.join(MODELS)}, or the path of a model file."
    )


def class_names(model: str | Path = DEFAULT_MODEL) -> dict[int, str]:
    """Label to name of the classes that the model knows, without background.

    Raises:
        OptionError, ModelError: as `find_model` and `read_header` raise them.
    """
    file = find_model(model).file
    if file is None or torchvision_architecture(file):
        return dict(COCO_CLASSES)
    return read_header(file)["classes"]


def torchvision_architecture(file: Path) -> str | None:
    """The torchvision model whose bare state_dict `file` seems to hold, if any.

    Recognised by the names of tensors, which both of torch's file formats have in plain text near
    the start.
    """
    if not file.is_file():
        return None
    with file.open("rb") as stream:
        start = stream.read(_TENSOR_NAMES_BYTES)
    if not all(name in start for name in _RESNET50_NAMES):
        return None
    return "maskrcnn_resnet50_fpn_v2" if _V2_NAME in start else "maskrcnn_resnet50_fpn"


_TENSOR_NAMES_BYTES = 1 << 20
_RESNET50_NAMES = (
    b"\0\0\0backbone.body.layer4.2.conv3.weight",
    b"\0\0\0roi_heads.mask_predictor.mask_fcn_logits.weight",
)
_V2_NAME = b"rpn.head.conv.1.0.weight"


def choose_model(
    classes: Sequence[str] = (),
    model: str | Path | None = None,
    *,
    obtainable: Callable[[str], bool] = weights_obtainable,
) -> ModelChoice:
    """The model that finds `classes`; all classes that it knows if none are named.

    Without `model`: the default model if it knows all the classes and its weights are here or can
    be downloaded; else a bundled model that knows them all.

    Args:
        classes: names, in upper or lower case.
        obtainable: whether a model's weights are here or can be downloaded; asked only if there is
            an alternative.

    Raises:
        OptionError: there is no such model, or none that knows all the classes.
        ModelError: a model file that cannot be read.
    """
    if model is not None:
        return _choice(model, classes)
    known = _classes_by_model()
    able = [name for name, names in known.items() if not _unknown(classes, names)]
    bundled = offline_models(classes)
    if DEFAULT_MODEL in able and not (bundled and not obtainable(DEFAULT_MODEL)):
        return _choice(DEFAULT_MODEL, classes)
    if bundled:
        lacks = "cannot be downloaded now" if DEFAULT_MODEL in able else "does not know that class"
        message = f"Using the bundled model {bundled[0]}: {DEFAULT_MODEL} {lacks}."
        return _choice(bundled[0], classes, message)
    raise OptionError(_who_knows_what(classes, known))


def offline_models(classes: Sequence[str] = ()) -> list[str]:
    """The bundled models that know all the classes; if none are named, those of everyday things."""
    return [
        name
        for name, names in _classes_by_model().items()
        if MODELS[name].file and not _unknown(classes, names) and (classes or MODELS[name].general)
    ]


def _choice(model: str | Path, classes: Sequence[str], message: str | None = None) -> ModelChoice:
    names = class_names(model)
    labels = choose_labels(classes, model, names)
    return ModelChoice(os.fspath(model), labels, names, message, find_model(model).file)


def choose_labels(
    classes: Sequence[str], model: str | Path, names: Mapping[int, str]
) -> frozenset[int] | None:
    """The labels of `classes` among the `names` of a model; None, meaning all, for no classes.

    Raises:
        OptionError: a class that the model does not know.
    """
    if unknown := _unknown(classes, names):
        raise OptionError(_not_known(model, unknown[0], names))
    wanted = {name.casefold() for name in classes}
    labels = frozenset(label for label, name in names.items() if name.casefold() in wanted)
    return labels if classes else None


def _unknown(classes: Iterable[str], names: Mapping[int, str]) -> list[str]:
    folded = {name.casefold() for name in names.values()}
    return [name for name in classes if name.casefold() not in folded]


def _not_known(model: str | Path, wanted: str, names: Mapping[int, str]) -> str:
    others = [name for name, known in _classes_by_model().items() if not _unknown([wanted], known)]
    if others:
        does = f"{others[0]} does: `model='{others[0]}'`"
        return f"The model {model} knows no class {wanted!r}, but {does}."
    return (
        f"The model {model} knows no class {wanted!r}{_did_you_mean(wanted, names.values())}; "
        f"vidseg classes --model {model} lists what it knows."
    )


def _who_knows_what(classes: Sequence[str], known: Mapping[str, Mapping[int, str]]) -> str:
    everything = dict(enumerate(name for names in known.values() for name in names.values()))
    if unknown := _unknown(classes, everything):
        hint = _did_you_mean(unknown[0], everything.values())
        lists = "vidseg classes lists what a model knows"
        return f"No model knows the class {unknown[0]!r}{hint}; {lists}."
    shares = "; ".join(
        f"{model} knows {', '.join(share)}"
        for model, names in known.items()
        if (share := [name for name in classes if not _unknown([name], names)])
    )
    return f"No model knows all these classes ({shares}); find them in separate runs."


MIN_NAME_SIMILARITY = 0.65
"""`difflib` ratio at which a name is worth proposing; "phone" for "cell phone" has 0.67."""


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    by_folded = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold(), by_folded, n=3, cutoff=MIN_NAME_SIMILARITY)
    return f" (did you mean {' or '.join(by_folded[name] for name in close)}?)" if close else ""


def _classes_by_model() -> dict[str, dict[int, str]]:
    """Model to its classes, without bundled models whose file is missing."""
    there = (name for name, model in MODELS.items() if model.file is None or model.file.exists())
    return {name: class_names(name) for name in there}
