"""ImageNet weights of the backbones, from which training can start."""

from torch import Tensor

from vidseg.errors import WeightsUnavailableError
from vidseg.models.checkpoint import load_state
from vidseg.models.download import OnDownload
from vidseg.models.torchvision_weights import IMAGENET_WEIGHTS, fetch_weights


def load_backbone(architecture: str, *, on_download: OnDownload | None = None) -> dict[str, Tensor]:
    """The state of ``backbone.body``, without the layers of the classifier.

    Raises:
        WeightsUnavailableError: torchvision has none for this architecture, or the download failed.
        ModelError: the file is damaged.
    """
    if architecture not in IMAGENET_WEIGHTS:
        raise WeightsUnavailableError(f"There are no ImageNet weights for {architecture}.")
    state = load_state(fetch_weights(IMAGENET_WEIGHTS[architecture], on_download=on_download))
    named = {name.removeprefix("features."): value for name, value in state.items()}
    classifier = ("fc.", "classifier.")
    return {name: value for name, value in named.items() if not name.startswith(classifier)}
