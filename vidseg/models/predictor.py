"""Mask R-CNN behind the `Predictor` protocol, in batches that fit in memory."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.models.detection import MaskRCNN

from vidseg.cpu_budget import frames_at_once
from vidseg.errors import OptionError, VidsegError
from vidseg.models.catalog import class_names, find_model, torchvision_architecture
from vidseg.models.checkpoint import load_model
from vidseg.models.coco_models import load_coco
from vidseg.models.device import resolve_device
from vidseg.models.download import Progress
from vidseg.models.inference.cuda import Streams, convolutions, numbered, stacked
from vidseg.models.inference.forward import Wanted, detect, every_label, most_proposals, unpack
from vidseg.models.inference.optimize import optimize, resolve_precision
from vidseg.models.inference.preprocess import set_network_size
from vidseg.models.memory import auto_batch_size, is_out_of_memory
from vidseg.models.names import check_size
from vidseg.models.torchvision_weights import fetch_weights
from vidseg.structures.frame import Image, check_image
from vidseg.structures.instances import UNTRACKED, Instances

log = logging.getLogger("vidseg")

KEEP_SCORE = 0.1
"""Objects are kept from this score on, for a caller to show those above a higher one."""

FAST_PROPOSALS = 400
"""Boxes that the box head looks at in each frame, at most, where the precision is reduced.

Torchvision's 1000 fill the tail of low scores, which no one is shown; float32 keeps to them.
"""


class MaskRCNNPredictor:
    """A torchvision Mask R-CNN that finds the objects of frames.

    In float32 with all classes its boxes, labels and scores are those of ``model([image])`` but for
    rounding, each box held inside its frame. Only images of one size share a batch: torchvision
    pads a mixed batch to its largest image, which changes what it finds in the others.
    """

    def __init__(
        self,
        model: MaskRCNN,
        classes: Mapping[int, str],
        *,
        device: torch.device | str = "cpu",
        precision: str = "float32",
        keep_score: float = KEEP_SCORE,
        labels: Collection[int] | None = None,
        batch_size: int | None = None,
        size: int | None = None,
    ) -> None:
        """Takes `model` over: changes it for prediction alone, and moves it to `device`.

        Args:
            model: predicts masks; its label 0 is background.
            classes: label to class name, without background.
            precision: float32, bfloat16, float16, or auto: what is fastest on `device`.
            keep_score: objects at or below this score are dropped.
            labels: look for these alone; the others cost no mask.
            batch_size: images that run at once at most; chosen by device and free memory if None.
            size: shorter side that frames are resized to, in pixels; the model's own if None.

        Raises:
            OptionError: an unknown precision, a score outside 0..1, a label that `classes` lacks,
                a batch size below 1, a size below 32.
            VidsegError: the device's memory does not hold the model.
        """
        _check(classes, keep_score, labels, batch_size, size)
        self._device = numbered(torch.device(device))
        self._precision = resolve_precision(precision, self._device)
        if size is not None:
            set_network_size(model, size)
        self._model = _optimized(model, self._device, self._precision)
        self._classes = dict(classes)
        self._keep_score = keep_score
        self._wanted = self._what(labels)
        self._batch_size = batch_size or auto_batch_size(model, self._device)
        self._streams = Streams(self._device)

    @property
    def classes(self) -> Mapping[int, str]:
        """Label to class name of everything that the model knows."""
        return self._classes

    @property
    def keep_score(self) -> float:
        """Objects at or below this score are dropped."""
        return self._keep_score

    @property
    def batch_size(self) -> int:
        """Images that run at once at most; smaller after a batch that did not fit in memory."""
        return self._batch_size

    @property
    def batches_at_once(self) -> int:
        """From how many threads it pays to call `predict`: a GPU need not wait between batches, and
        on the CPU as many frames run as torch's number of threads leaves cores for."""
        if self._device.type == "cpu":
            return max(1, frames_at_once(torch.get_num_threads()) // self._batch_size)
        return 2 if self._device.type == "cuda" and self._batch_size > 1 else 1

    @property
    def device(self) -> torch.device:
        return self._device

    @property
    def precision(self) -> torch.dtype:
        """The number format of the network's layers; boxes and scores are float32 in any."""
        return self._precision

    def predict(self, images: Sequence[Image]) -> list[Instances]:
        """The objects of each image, best score first; (H, W, 3) uint8 RGB images of any sizes.

        Raises:
            FrameError: an image is not (H, W, 3) uint8 RGB.
            VidsegError: the device's memory does not hold one image.
        """
        for image in images:
            check_image(image)
        found: dict[int, Instances] = {}
        for places in _same_size(images):
            found.update(zip(places, self._predict_alike([images[i] for i in places]), strict=True))
        return [found[i] for i in range(len(images))]

    def _predict_alike(self, images: list[Image]) -> Iterator[Instances]:
        done = 0
        while done < len(images):
            batch = images[done : done + self._batch_size]
            found = self._try(batch)
            if found is None:
                self._halve(len(batch))
            else:
                yield from found
                done += len(batch)

    def _try(self, images: list[Image]) -> list[Instances] | None:
        """None where the batch does not fit in memory; by then no traceback holds its tensors."""
        try:
            return self._run(images)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if len(images) == 1:
                raise self._too_large(images[0]) from error
        return None

    def _run(self, images: list[Image]) -> list[Instances]:
        with (
            torch.inference_mode(),
            torch.cuda.stream(self._streams.own()),
            convolutions(self._precision, self._device),
        ):
            pixels = stacked(images, self._device).to(self._device, non_blocking=True)
            records = unpack(detect(self._model, pixels, self._wanted).cpu().numpy())
        counts = np.bincount(records["images"], minlength=len(images))
        parts = np.split(records, np.cumsum(counts)[:-1])
        height, width = images[0].shape[:2]
        return [_instances(part, (height, width), self.classes) for part in parts]

    def _what(self, labels: Collection[int] | None) -> Wanted:
        chosen = every_label(self._model) if labels is None else sorted(set(labels))
        proposals = most_proposals(self._model)
        if self._precision != torch.float32:
            proposals = min(proposals, FAST_PROPOSALS)
        return Wanted(self._keep_score, torch.tensor(chosen, device=self._device), proposals)

    def _halve(self, failed: int) -> None:
        self._batch_size = min(self._batch_size, failed // 2)
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        log.warning(
            "A batch of %d frames does not fit in the memory of %s; going on with %d.",
            failed,
            self._device,
            self._batch_size,
        )

    def _too_large(self, image: Image) -> VidsegError:
        height, width = image.shape[:2]
        instead = "free some memory, or use a smaller model (--model)"
        if self._device.type != "cpu":
            instead += " or the CPU (--device cpu)"
        return VidsegError(
            f"The memory of {self._device} does not hold the model's work on one frame of "
            f"{width}x{height}; {instead}."
        )


def load_predictor(
    model: str | Path,
    *,
    device: str = "auto",
    precision: str = "auto",
    keep_score: float = KEEP_SCORE,
    labels: Collection[int] | None = None,
    batch_size: int | None = None,
    size: int | None = None,
    on_download: Progress | None = None,
) -> MaskRCNNPredictor:
    """A predictor by the name or the file of a model; weights that are missing are downloaded.

    Args:
        model: a key of `vidseg.models.catalog.MODELS`, or the path of a model file.
        on_download: called with the bytes that are there and the whole number of bytes, if known.

    Raises:
        OptionError: no such model or device, or as `MaskRCNNPredictor` raises it.
        ModelError: a model file that is missing, damaged or foreign.
        WeightsUnavailableError: the weights are not on this machine and could not be fetched.
        VidsegError: this machine has no such device.
    """
    place = resolve_device(device)
    classes = class_names(model)
    _check(classes, keep_score, labels, batch_size, size)
    resolve_precision(precision, place)
    return MaskRCNNPredictor(
        load_network(model, on_download=on_download),
        classes,
        device=place,
        precision=precision,
        keep_score=keep_score,
        labels=labels,
        batch_size=batch_size,
        size=size,
    )


def load_network(model: str | Path, *, on_download: Progress | None = None) -> MaskRCNN:
    """The network alone, on the CPU, in evaluation mode; see `load_predictor`."""
    found = find_model(model)
    if found.file is None:
        return load_coco(found.name, fetch_weights(found.name, progress=on_download))
    if architecture := torchvision_architecture(found.file):
        return load_coco(architecture, found.file)
    return load_model(found.file)[0]


def _check(
    classes: Mapping[int, str],
    keep_score: float,
    labels: Collection[int] | None,
    batch_size: int | None,
    size: int | None,
) -> None:
    if not 0 <= keep_score <= 1:
        raise OptionError(f"The score {keep_score} is outside 0 to 1; use one between.")
    unknown = sorted(set(labels or ()) - set(classes))
    if unknown:
        raise OptionError(f"The model has no class with the label {unknown[0]}.")
    if batch_size is not None and batch_size < 1:
        raise OptionError(f"The batch size {batch_size} is too small; use 1 or more.")
    check_size(size)


def _optimized(model: MaskRCNN, device: torch.device, dtype: torch.dtype) -> MaskRCNN:
    try:
        return optimize(model, device, dtype)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise VidsegError(
            f"The memory of {device} does not hold the model; free some, or use --device cpu."
        ) from error


def _same_size(images: Sequence[Image]) -> list[list[int]]:
    """Places in `images`, grouped by the images' height and width."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for place, image in enumerate(images):
        groups.setdefault(image.shape, []).append(place)
    return list(groups.values())


def _instances(
    records: NDArray[np.void], size: tuple[int, int], names: Mapping[int, str]
) -> Instances:
    return Instances(
        boxes=np.ascontiguousarray(records["boxes"]),
        masks=np.ascontiguousarray(records["masks"]),
        scores=np.ascontiguousarray(records["scores"]),
        labels=records["labels"].astype(np.int64),
        ids=np.full(len(records), UNTRACKED, np.int64),
        size=size,
        names=names,
    )
