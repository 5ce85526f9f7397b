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
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidseg.atomic_output import atomic_output
from vidseg.errors import ModelError, is_out_of_memory
from vidseg.models._checkpoint_header import MAX_HEADER_BYTES, parse_header
from vidseg.models.names import EVERYDAY

if TYPE_CHECKING:
    from torch import Tensor

    from vidseg.models.architectures import Network

HEADER_RECORD = "archive/vidseg.json"
"""Torch reads only its own folder, which is `archive` when it saves to a file object."""


def save_checkpoint(path: str | Path, state: dict[str, Any], header: dict[str, Any]) -> None:
    """Write `state`, anything that loads with `weights_only=True`, and `header`, atomically.

    Raises:
        ModelError: `read_header` would refuse the header.
        OutputError: the file cannot be written.
    """
    import torch

    path = Path(path)
    record = json.dumps(header, ensure_ascii=False, indent=1).encode(errors="surrogatepass")
    try:
        parse_header(record)
    except ValueError as error:
        raise ModelError(f"{path} cannot be saved: it {error}.") from error
    with atomic_output(path, force=True) as part:
        with part.open("xb") as file:
            torch.save(state, file)
        with zipfile.ZipFile(part, "a") as archive:
            archive.writestr(HEADER_RECORD, record)


def read_header(path: str | Path) -> dict[str, Any]:
    """The header of a checkpoint, checked by `parse_header`; imports no torch.

    Raises:
        ModelError: the file is missing, damaged, or not a checkpoint of vidseg.
    """
    path = Path(path)
    try:
        return parse_header(_header_record(path))
    except ValueError as error:
        raise ModelError(f"{path} {error}; save the model again.") from error


def load_state(path: str | Path) -> dict[str, Any]:
    """What `save_checkpoint` got as `state`, on the CPU.

    Raises:
        ModelError: the file is damaged.
    """
    import torch

    damaged = f"The weights in {path} are damaged; fetch or save the file again."
    try:
        with zipfile.ZipFile(path) as archive:
            # Torch stores records uncompressed and once each: anything larger is a bomb.
            bomb = sum(info.file_size for info in archive.infolist()) > os.path.getsize(path)
            broken = bomb or archive.testzip()  # the CRC of every record, which torch ignores
        state = None if broken else torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds, from pickle's to RuntimeError
        if is_out_of_memory(error):
            raise
        raise ModelError(damaged) from error
    if not isinstance(state, dict):
        raise ModelError(damaged)
    return state


def load_model(path: str | Path) -> tuple[Network, dict[str, Any]]:
    """The model of a checkpoint in float32, in evaluation mode, and its header.

    Raises:
        ModelError: the file is missing, damaged, or does not fit the architecture it names.
    """
    import torch

    header = read_header(path)
    architecture = header["architecture"]
    build = _builder(architecture, path)
    # The meta device holds no numbers: weights that do not fit take neither time nor memory.
    with torch.device("meta"):
        model = build(max(header["classes"]) + 1, header["image_size"])
    weights = load_weights(path)
    if {n: v.shape for n, v in weights.items()} != {
        n: v.shape for n, v in model.state_dict().items()
    }:
        raise ModelError(f"The weights in {path} do not fit its architecture {architecture}.")
    model.load_state_dict({name: _float(value) for name, value in weights.items()}, assign=True)
    return model.eval(), header


def _builder(architecture: str, path: str | Path) -> Callable[[int, tuple[int, int]], Network]:
    """Makes the network of a number of classes, background included, and an image size.

    Only Mask R-CNN needs torchvision, whose import takes 1.2 s and 170 MB.
    """
    if architecture == EVERYDAY:
        from vidseg.models.everyday.network import Everyday

        return Everyday
    from vidseg.models.architectures import ARCHITECTURES

    if architecture not in ARCHITECTURES:
        raise ModelError(
            f"{path} needs the architecture {architecture!r}, which is none of "
            f"{', '.join((*ARCHITECTURES, EVERYDAY))}; a newer vidseg may have it."
        )
    return ARCHITECTURES[architecture]


def load_weights(path: str | Path) -> dict[str, Tensor]:
    """The model's weights in a checkpoint, as they were saved.

    Raises:
        ModelError: the file is damaged, holds something else, or weights that are not finite.
    """
    weights = load_state(path).get("model")
    if not isinstance(weights, dict) or not all(map(_is_plain, weights.values())):
        raise ModelError(f"{path} holds no weights under 'model'; save the model again.")
    check_finite(weights, path)
    return weights


def check_finite(weights: Mapping[str, Tensor], path: str | Path) -> None:
    """Raises ModelError: some of the weights in `path` are infinite or NaN."""
    import torch

    if not all(torch.isfinite(value).all() for value in weights.values()):
        raise ModelError(
            f"The weights in {path} are not all finite numbers; use an earlier file, or train "
            "again at a lower learning rate."
        )


def _header_record(path: Path) -> bytes:
    if path.is_dir():
        raise ModelError(f"{path} is a folder; name the model file in it.")
    if not path.exists():
        raise ModelError(f"There is no model file {path}; check the path.")
    if not path.is_file():
        raise ModelError(f"{path} is not a regular file; name a model file.")
    if path.suffix == ".py":
        raise ModelError(f"{path} is Python code; name a predictor in it: {path}:MyPredictor.")
    try:
        with zipfile.ZipFile(path) as archive, archive.open(HEADER_RECORD) as record:
            data = record.read(MAX_HEADER_BYTES + 1)
    except KeyError as error:
        raise ModelError(
            f"{path} is not a vidseg checkpoint: it has no {HEADER_RECORD} record."
        ) from error
    except (OSError, ValueError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ModelError(f"{path} cannot be read as a model file: {error}.") from error
    if len(data) > MAX_HEADER_BYTES:
        raise ValueError(f"has a header of more than {MAX_HEADER_BYTES >> 20} MiB")
    return data


def _is_plain(value: object) -> bool:
    """Whether it is a dense tensor of real numbers, each of which the file holds."""
    import torch

    return (
        isinstance(value, torch.Tensor)
        and value.layout == torch.strided
        and not value.is_quantized
        and not value.is_complex()
        and value.device.type == "cpu"
        and value.numel() * value.element_size() <= value.untyped_storage().nbytes()
    )


def _float(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value
