"""The models that vidseg knows by name, the classes they know, and the choice among them.

Nothing here imports torch, except the question whether weights can be downloaded.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vidseg.errors import ModelError, OptionError
from vidseg.models.checkpoint import read_header
from vidseg.models.names import COCO
from vidseg.models.torchvision_weights import obtainable


@dataclass(frozen=True, slots=True)
class Model:
    """A model to choose."""

    name: str
    """A key of `MODELS`, or a path."""
    about: str
    file: Path | None
    """Its weights; None where torchvision's COCO weights are downloaded at first use."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The model for a run, and what it shall look for."""

    model: str
    labels: frozenset[int] | None
    """Labels of the classes asked for; None is all of them."""
    classes: dict[int, str]
    """Label to name of everything that the model knows."""
    message: str | None = None
    """One line for the user where the choice is not what they may expect."""


DEFAULT_MODEL = "maskrcnn_resnet50_fpn_v2"

MODELS = {
    model.name: model
    for model in (
        Model(DEFAULT_MODEL, "COCO, the best one; 177 MB are downloaded at first use", None),
        Model("maskrcnn_resnet50_fpn", "COCO, faster; 170 MB are downloaded at first use", None),
        Model("balloon", "small and fast; bundled", Path(__file__).with_name("balloon.pt")),
    )
}


def find_model(model: str | Path) -> Model:
    """The model of that name, or in that file.

    Raises:
        OptionError: neither a name nor a file.
        ModelError: a path with no file behind it.
    """
    name = os.fspath(model)
    if name in MODELS:
        return MODELS[name]
    path = Path(name)
    if path.exists():
        return Model(name, "a model file", path)
    if path.suffix or path.name != name:
        raise ModelError(f"There is no model file {name}; check the path.")
    raise OptionError(
        f"There is no model {name!r}{_did_you_mean(name, MODELS)}; "
        f"use {', '.join(MODELS)}, or the path of a model file."
    )


def class_names(model: str | Path = DEFAULT_MODEL) -> dict[int, str]:
    """Label to class name of what the model knows, without background.

    Raises:
        OptionError, ModelError: as `find_model` and `read_header` raise them.
    """
    file = find_model(model).file
    if file is None or torchvision_architecture(file):
        return dict(COCO)
    return read_header(file)["classes"]


def torchvision_architecture(file: Path) -> str | None:
    """The model whose torchvision weights, a bare state_dict, `file` seems to hold, if any.

    Recognised by the names of its tensors, which stand in plain text near the start of a file in
    either of torch's formats.
    """
    if not file.is_file():
        return None
    with file.open("rb") as stream:
        start = stream.read(_NAMES_WITHIN)
    if not all(name in start for name in _RESNET50_NAMES):
        return None
    return "maskrcnn_resnet50_fpn_v2" if _V2_NAME in start else "maskrcnn_resnet50_fpn"


_NAMES_WITHIN = 1 << 20
_RESNET50_NAMES = (
    b"\0\0\0backbone.body.layer4.2.conv3.weight",
    b"\0\0\0roi_heads.mask_predictor.mask_fcn_logits.weight",
)
_V2_NAME = b"rpn.head.conv.1.0.weight"


def choose_model(
    classes: Sequence[str] = (),
    model: str | Path | None = None,
    *,
    obtainable: Callable[[str], bool] = obtainable,
) -> Choice:
    """The model that shall look for `classes`, all that it knows if none are named.

    With no `model` asked for: the default one if it knows all the classes and its weights are
    there or can be had; else a bundled one that knows them all.

    Args:
        classes: names, in upper or lower case.
        obtainable: whether a model's weights are there or can be had; asked only if it matters.

    Raises:
        OptionError: no such model, or none that knows all the classes; says who knows what.
        ModelError: a model file that cannot be read.
    """
    if model is not None:
        return _choice(model, classes)
    known = _known()
    able = [name for name, names in known.items() if not _unknown(classes, names)]
    bundled = [name for name in able if MODELS[name].file]
    if DEFAULT_MODEL in able and not (classes and bundled and not obtainable(DEFAULT_MODEL)):
        return _choice(DEFAULT_MODEL, classes)
    if bundled:
        lacks = "cannot be downloaded now" if DEFAULT_MODEL in able else "does not know that class"
        message = f"Using the bundled model {bundled[0]}: {DEFAULT_MODEL} {lacks}."
        return _choice(bundled[0], classes, message)
    raise OptionError(_who_knows_what(classes, known))


def _choice(model: str | Path, classes: Sequence[str], message: str | None = None) -> Choice:
    names = class_names(model)
    return Choice(os.fspath(model), choose_labels(classes, model, names), names, message)


def choose_labels(
    classes: Sequence[str], model: str | Path, names: Mapping[int, str]
) -> frozenset[int] | None:
    """The labels of `classes` among the `names` of a model; None, which is all, for no classes.

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
    others = [name for name, known in _known().items() if not _unknown([wanted], known)]
    if others:
        does = f"{others[0]} does: --model {others[0]}"
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
    return f"No model knows all the classes asked for ({shares}); ask for them in separate runs."


CLOSE = 0.65
"""Likeness (`difflib`) from which a name is worth proposing: "phone" for "cell phone", 0.67."""


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    by_folded = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold(), by_folded, n=3, cutoff=CLOSE)
    return f" (did you mean {' or '.join(by_folded[name] for name in close)}?)" if close else ""


def _known() -> dict[str, dict[int, str]]:
    """Model to its classes, of those that are installed."""
    there = (name for name, model in MODELS.items() if model.file is None or model.file.exists())
    return {name: class_names(name) for name in there}
