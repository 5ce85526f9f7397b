"""Predictors and networks by the name of a model.

Torchvision, which `everyday` does without, is imported where it is needed: it takes 1.2 s and
170 MB.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from vidseg.errors import WeightsUnavailableError
from vidseg.models._batched_predictor import (
    DEFAULT_KEEP_SCORE,
    BatchedPredictor,
    PredictorOptions,
)
from vidseg.models.catalog import (
    class_names,
    find_model,
    offline_models,
    torchvision_architecture,
)
from vidseg.models.checkpoint import load_model
from vidseg.models.device import resolve_device
from vidseg.models.download import OnDownload
from vidseg.models.everyday.network import Everyday
from vidseg.models.everyday.predictor import EverydayPredictor
from vidseg.models.precision import machine
from vidseg.models.torchvision_weights import COCO_WEIGHTS, fetch_weights

if TYPE_CHECKING:
    from vidseg.models.architectures import Network

log = logging.getLogger("vidseg")


def load_predictor(
    model: str | Path,
    *,
    device: str = "auto",
    precision: str = "auto",
    keep_score: float = DEFAULT_KEEP_SCORE,
    labels: Collection[int] | None = None,
    batch_size: int | None = None,
    size: int | None = None,
    on_download: OnDownload | None = None,
) -> BatchedPredictor:
    """A predictor by the name or the file of a model; missing weights are downloaded.

    Args:
        model: a key of `vidseg.models.catalog.MODELS`, or the path of a model file.
        device, precision, keep_score, labels, batch_size, size: see `PredictorOptions`.
        on_download: called with the number of bytes that are there and the total, None if unknown.

    Raises:
        OptionError: no such model or device, or as `PredictorOptions` raises it.
        ModelError: the model file is missing, damaged or of another program.
        WeightsUnavailableError: the weights are not on this machine and the download failed.
        VidsegError: this machine has no such device.
    """
    options = PredictorOptions(
        class_names(model),
        resolve_device(device),
        precision,
        keep_score=keep_score,
        labels=labels,
        batch_size=batch_size,
        size=size,
    )
    try:
        network = load_network(model, on_download=on_download)
    except WeightsUnavailableError as error:
        offline = offline_models([options.classes[label] for label in labels or ()])
        if not offline:
            raise
        raise WeightsUnavailableError(
            f"{error} Without a network, `model='{offline[0]}'` works."
        ) from error
    log.info("The model %s runs on %s.", model, machine(options.device, options.dtype))
    return make_predictor(network, options)


def make_predictor(network: Network, options: PredictorOptions) -> BatchedPredictor:
    """The predictor for a network, which it takes over; raises what its constructor does."""
    if isinstance(network, Everyday):
        return EverydayPredictor(network, options)
    from vidseg.models.inference.predictor import MaskRCNNPredictor

    return MaskRCNNPredictor(network, options)


def load_network(model: str | Path, *, on_download: OnDownload | None = None) -> Network:
    """The network alone, on the CPU, in evaluation mode; see `load_predictor`."""
    found = find_model(model)
    if found.file is None:
        file, architecture = _fetched(found.name, on_download), found.name
    else:
        file, architecture = found.file, torchvision_architecture(found.file)
    if architecture is None:
        return load_model(file)[0]
    from vidseg.models.coco_models import load_coco

    return load_coco(architecture, file)


def _fetched(name: str, on_download: OnDownload | None) -> Path:
    return fetch_weights(COCO_WEIGHTS[name], on_download=on_download)
