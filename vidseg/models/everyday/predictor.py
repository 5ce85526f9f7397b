"""`everyday` behind the `Predictor` protocol."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidseg.models._batched_predictor import BatchedPredictor, PredictorOptions
from vidseg.models.everyday.forward import optimize, run_network
from vidseg.models.everyday.network import Everyday
from vidseg.models.inference.detections import BoxFilter, unpack
from vidseg.models.inference.preprocess import input_size, set_network_size
from vidseg.models.memory import auto_batch_size

NO_PROPOSALS = 0
"""`everyday` finds its boxes in one step, without proposals."""


class EverydayPredictor(BatchedPredictor):
    """Finds objects with `Everyday`."""

    def __init__(self, model: Everyday, options: PredictorOptions) -> None:
        """Takes `model` over: changes it for prediction only, and moves it to the device."""
        if options.size is not None:
            set_network_size(model, options.size)
        batch_size = options.batch_size or auto_batch_size(model, options.device)
        super().__init__(options, batch_size=batch_size, input_size=input_size(model))
        self._model = optimize(model, self.device, self.precision)
        labels = range(1, model.num_classes) if options.labels is None else set(options.labels)
        wanted = torch.tensor(sorted(labels), device=self.device)
        self._filter = BoxFilter(self.keep_score, wanted, NO_PROPOSALS)

    def _detect(self, pixels: Tensor) -> NDArray[np.void]:
        return unpack(run_network(self._model, pixels, self._filter).cpu().numpy())
