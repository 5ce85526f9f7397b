"""Torchvision's ImageNet weights of the trunks, for training to start from."""

import re
from pathlib import Path

from torch import Tensor
from torch.hub import get_dir
from torchvision.models import get_weight

from vidseg.errors import WeightsUnavailableError
from vidseg.models.checkpoint import load_state
from vidseg.models.download import DownloadError, Progress, download

TRUNKS = {
    "maskrcnn_resnet50_fpn_v2": "ResNet50_Weights.IMAGENET1K_V1",
    "maskrcnn_resnet50_fpn": "ResNet50_Weights.IMAGENET1K_V1",
    "maskrcnn_resnet101_fpn": "ResNet101_Weights.IMAGENET1K_V1",
    "maskrcnn_mobilenet_v3_large_fpn": "MobileNet_V3_Large_Weights.IMAGENET1K_V1",
}
"""Architecture to the weights that torchvision trained, or would train, its detectors from."""


def load_trunk(architecture: str, *, progress: Progress | None = None) -> dict[str, Tensor]:
    """State of ``backbone.body``, with the classifier's that belong to no detector left out.

    Raises:
        WeightsUnavailableError: torchvision has none for it, or they could not be fetched.
        ModelError: the file is damaged.
    """
    path = _fetched(architecture, progress)
    state = load_state(path)
    named = {name.removeprefix("features."): value for name, value in state.items()}
    others = ("fc.", "classifier.")
    return {name: value for name, value in named.items() if not name.startswith(others)}


def _fetched(architecture: str, progress: Progress | None) -> Path:
    if architecture not in TRUNKS:
        raise WeightsUnavailableError(f"There are no ImageNet weights for {architecture}.")
    url = get_weight(TRUNKS[architecture]).url
    path = Path(get_dir(), "checkpoints", url.rsplit("/", 1)[-1])
    named = re.search(r"-([0-9a-f]+)\.", path.name)
    try:
        if not path.exists():
            download(url, path, sha256=named[1] if named else "", progress=progress)
    except DownloadError as error:
        raise WeightsUnavailableError(
            f"The ImageNet weights for {architecture} could not be fetched ({error}); put the file "
            f"{path.name} into {path.parent} by hand, or try again later."
        ) from error
    return path
