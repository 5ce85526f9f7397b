"""Torchvision's COCO weights: where they lie, and how they get there."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from vidseg.errors import WeightsUnavailableError
from vidseg.models.download import DownloadError, Progress, answers, download

if TYPE_CHECKING:
    from torchvision.models import WeightsEnum

WEIGHTS = {
    "maskrcnn_resnet50_fpn_v2": "MaskRCNN_ResNet50_FPN_V2_Weights",
    "maskrcnn_resnet50_fpn": "MaskRCNN_ResNet50_FPN_Weights",
}
"""Model to the name of its weights in `torchvision.models.detection`."""

INSTEAD = "without a network, --model balloon works"


def weights_url(name: str) -> str:
    """Where torchvision publishes the weights of the model `name`, a key of `WEIGHTS`."""
    return _entry(name).url


def weights_path(name: str) -> Path:
    """Where the weights lie, or will lie: where torchvision itself looks for them."""
    return _cached(weights_url(name))


def obtainable(name: str) -> bool:
    """Whether the weights are on this machine, or a server offers them right now."""
    url = weights_url(name)
    return _cached(url).exists() or answers(url)


def fetch_weights(
    name: str, *, url: str | None = None, progress: Progress | None = None, pause: float = 1.0
) -> Path:
    """The file of the weights, downloaded first if it is not there.

    Args:
        name: a key of `WEIGHTS`.
        url: a mirror to fetch from; torchvision's own server if None.
        progress: called with the bytes that are there and the whole number of bytes, if known.
        pause: seconds before the second try after a broken connection, doubled at each further one.

    Raises:
        WeightsUnavailableError: the weights are not there and could not be fetched.
    """
    source = url or weights_url(name)
    path = _cached(source)
    if path.exists():
        return path
    # torch.hub reads the hash from the name in the same way.
    named = re.search(r"-([0-9a-f]+)\.", path.name)
    try:
        download(source, path, sha256=named[1] if named else "", progress=progress, pause=pause)
    except DownloadError as error:
        raise WeightsUnavailableError(
            f"The weights of {name} could not be fetched ({error}); put the file {path.name} "
            f"into {path.parent} by hand, or try again later: {INSTEAD}."
        ) from error
    return path


def _entry(name: str) -> "WeightsEnum":
    from torchvision.models import get_weight

    return get_weight(f"{WEIGHTS[name]}.COCO_V1")


def _cached(url: str) -> Path:
    from torch import hub

    return Path(hub.get_dir(), "checkpoints", url.rsplit("/", 1)[-1])
