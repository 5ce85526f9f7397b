"""Mask R-CNN behind the `Predictor` protocol."""

from collections.abc import Collection

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.models.detection import MaskRCNN

from vidseg.errors import VidsegError, is_out_of_memory
from vidseg.models._batched_predictor import BatchedPredictor, PredictorOptions
from vidseg.models.inference.detections import BoxFilter, unpack
from vidseg.models.inference.forward import all_labels, max_proposals, run_network
from vidseg.models.inference.optimize import optimize
from vidseg.models.inference.preprocess import input_size, set_network_size
from vidseg.models.memory import auto_batch_size

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


def _optimized(model: MaskRCNN, device: torch.device, dtype: torch.dtype) -> MaskRCNN:
    try:
        return optimize(model, device, dtype)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise VidsegError(
            f"The memory of {device} does not hold the model; free some, or use `device='cpu'`."
        ) from error
