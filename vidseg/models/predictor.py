"""Mask R-CNN behind the `Predictor` protocol, and predictors by the name of a model."""

from __future__ import annotations

import logging
from collections.abc import Collection
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.models.detection import MaskRCNN

from vidseg.errors import VidsegError, WeightsUnavailableError, is_out_of_memory
from vidseg.models._batched_predictor import (
    DEFAULT_KEEP_SCORE,
    BatchedPredictor,
    PredictorOptions,
)
from vidseg.models.architectures import Network
from vidseg.models.catalog import (
    class_names,
    find_model,
    offline_models,
    torchvision_architecture,
)
from vidseg.models.checkpoint import load_model
from vidseg.models.coco_models import load_coco
from vidseg.models.device import resolve_device
from vidseg.models.download import OnDownload
from vidseg.models.everyday.network import Everyday
from vidseg.models.everyday.predictor import EverydayPredictor
from vidseg.models.inference.forward import (
    BoxFilter,
    all_labels,
    max_proposals,
    run_network,
    unpack,
)
from vidseg.models.inference.optimize import optimize
from vidseg.models.inference.preprocess import input_size, set_network_size
from vidseg.models.memory import auto_batch_size
from vidseg.models.precision import machine
from vidseg.models.torchvision_weights import COCO_WEIGHTS, fetch_weights

log = logging.getLogger("vidseg")

MAX_PROPOSALS_REDUCED_PRECISION = 400
"""The most boxes per image that go through the box head in a reduced precision.

The rest of torchvision's 1000 only adds low scores, which are not shown; float32 keeps them.
"""


class MaskRCNNPredictor(BatchedPredictor):
    """Finds objects with a torchvision Mask R-CNN.

    In float32 and with all classes, its boxes, labels and scores are those of ``model([image])``
    up to rounding; only, each box is clipped to its frame.
    """

    def __init__(self, model: MaskRCNN, options: PredictorOptions) -> None:
        """Takes `model` over: changes it for prediction only, and moves it to the device.

        Args:
            model: predicts masks; its label 0 is background.

        Raises:
            VidsegError: the device's memory does not hold the model.
        """
        if options.size is not None:
            set_network_size(model, options.size)
        batch_size = options.batch_size or auto_batch_size(model, options.device)
        super().__init__(options, batch_size=batch_size, input_size=input_size(model))
        self._model = _optimized(model, self.device, self.precision)
        self._filter = self._box_filter(options.labels)

    def _detect(self, pixels: Tensor) -> NDArray[np.void]:
        return unpack(run_network(self._model, pixels, self._filter).cpu().numpy())

    def _box_filter(self, labels: Collection[int] | None) -> BoxFilter:
        wanted = all_labels(self._model) if labels is None else sorted(set(labels))
        proposals = max_proposals(self._model)
        if self.precision != torch.float32:
            proposals = min(proposals, MAX_PROPOSALS_REDUCED_PRECISION)
        return BoxFilter(self.keep_score, torch.tensor(wanted, device=self.device), proposals)


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
            f"{error} Without a network, --model {offline[0]} works."
        ) from error
    log.info("The model %s runs on %s.", model, machine(options.device, options.dtype))
    return make_predictor(network, options)


def make_predictor(network: Network, options: PredictorOptions) -> BatchedPredictor:
    """The predictor for a network, which it takes over; raises what its constructor does."""
    if isinstance(network, Everyday):
        return EverydayPredictor(network, options)
    return MaskRCNNPredictor(network, options)


def load_network(model: str | Path, *, on_download: OnDownload | None = None) -> Network:
    """The network alone, on the CPU, in evaluation mode; see `load_predictor`."""
    found = find_model(model)
    if found.file is None:
        return load_coco(
            found.name, fetch_weights(COCO_WEIGHTS[found.name], on_download=on_download)
        )
    if architecture := torchvision_architecture(found.file):
        return load_coco(architecture, found.file)
    return load_model(found.file)[0]


def _optimized(model: MaskRCNN, device: torch.device, dtype: torch.dtype) -> MaskRCNN:
    try:
        return optimize(model, device, dtype)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise VidsegError(
            f"The memory of {device} does not hold the model; free some, or use --device cpu."
        ) from error
