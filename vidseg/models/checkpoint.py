"""Model files: weights, and a header that says what they are.

A checkpoint is an ordinary `torch.save` file (a zip archive) with one more record in it,
`vidseg.json`. So the class names of any checkpoint can be read without importing torch, and the
weights load with `weights_only=True`. The header holds ``architecture`` (a key of `ARCHITECTURES`),
``classes`` (label to name), ``image_size`` ([shorter, longest] side in pixels) and ``provenance``
(facts for people: data, licence, figures).
"""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidseg.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor
    from torchvision.models.detection import MaskRCNN

HEADER = "archive/vidseg.json"
"""Torch reads only below its own folder, which is `archive` when it saves to a file object."""

REQUIRED = ("architecture", "classes", "image_size")


def save_checkpoint(path: str | Path, state: dict[str, Any], header: dict[str, Any]) -> None:
    """Write `state`, anything that loads with `weights_only=True`, and `header`, atomically."""
    import torch

    path = Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            torch.save(state, file)
        with zipfile.ZipFile(part, "a") as archive:
            archive.writestr(HEADER, json.dumps(header, ensure_ascii=False, indent=1))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_header(path: str | Path) -> dict[str, Any]:
    """The header of a checkpoint, with ``classes`` keyed by integer label; imports no torch.

    Raises:
        ModelError: the file is missing, damaged, or not a checkpoint of vidseg's.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            header = json.loads(archive.read(HEADER))
    except FileNotFoundError as error:
        raise ModelError(f"There is no model file {path}; check the path.") from error
    except IsADirectoryError as error:
        raise ModelError(f"{path} is a folder; name the model file in it.") from error
    except KeyError as error:
        raise ModelError(
            f"{path} is not a vidseg checkpoint: it has no {HEADER} record."
        ) from error
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path} cannot be read as a model file: {error}.") from error
    missing = [key for key in REQUIRED if key not in header]
    if missing:
        raise ModelError(f"The header of {path} lacks {', '.join(missing)}; save the model again.")
    header["classes"] = {int(label): name for label, name in header["classes"].items()}
    return header


def load_state(path: str | Path) -> dict[str, Any]:
    """What `save_checkpoint` was given as `state`, on the CPU.

    Raises:
        ModelError: the file is damaged.
    """
    import torch

    damaged = f"The weights in {path} are damaged; fetch or save the file again."
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()  # the CRC of every record, which torch does not check
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds, from pickle's to RuntimeError
        raise ModelError(damaged) from error
    if broken is not None:
        raise ModelError(damaged)
    return state


def load_model(path: str | Path) -> tuple[MaskRCNN, dict[str, Any]]:
    """The model of a checkpoint in float32, in evaluation mode, and its header.

    Raises:
        ModelError: the file is missing, damaged, or does not fit the architecture it names.
    """
    from vidseg.models.architectures import ARCHITECTURES, build

    header = read_header(path)
    if header["architecture"] not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise ModelError(
            f"{path} needs the architecture {header['architecture']!r}, which is none of {known}; "
            "a newer vidseg may have it."
        )
    shorter, longest = header["image_size"]
    model = build(
        header["architecture"], max(header["classes"]) + 1, image_size=(int(shorter), int(longest))
    )
    weights: dict[str, Tensor] = load_state(path)["model"]
    try:
        model.load_state_dict({name: _float(value) for name, value in weights.items()})
    except RuntimeError as error:
        raise ModelError(
            f"The weights in {path} do not fit its architecture {header['architecture']}."
        ) from error
    return model.eval(), header


def _float(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value
