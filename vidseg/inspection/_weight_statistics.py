"""Statistics of the weights of a model."""

from collections.abc import Iterator

import numpy as np
from torch import Tensor, nn

from vidseg.inspection._blocks import bars

HISTOGRAM_BINS = 31
COLUMNS = ("layer", "shape", "mean", "standard deviation", "smallest", "largest", "histogram", "")


def weight_rows(model: nn.Module) -> Iterator[list[object]]:
    """A table row (`COLUMNS`) for the weights of every convolution and linear layer."""
    for name, weight in model.named_parameters():
        if weight.dim() >= 2:
            yield _row(name, weight.detach().float())


def _row(name: str, weight: Tensor) -> list[object]:
    values = weight.flatten().numpy()
    finite = values[np.isfinite(values)]
    if not len(finite):
        return [name, _shape(weight), "", "", "", "", "", "not a number"]
    spread = float(finite.std())
    chart = bars(*np.histogram(finite, HISTOGRAM_BINS), width=155, height=30, axis=False)
    low, high = float(finite.min()), float(finite.max())
    numbers = [f"{value:.3g}" for value in (float(finite.mean()), spread, low, high)]
    return [name, _shape(weight), *numbers, chart, _doubt(values, spread)]


def _doubt(values: np.ndarray, spread: float) -> str:
    """What looks wrong with the layer, if anything."""
    if not np.isfinite(values).all():
        return "not a number"
    return "all alike" if spread < 1e-8 else ""


def _shape(weight: Tensor) -> str:
    return "x".join(map(str, weight.shape))
