"""Torchvision's published weights: where they lie on this machine, and how they get there.

Imports no torch.
"""

import os
import shlex
import sys
from pathlib import Path

from vidseg.errors import WeightsUnavailableError
from vidseg.models.download import DownloadError, OnDownload, RemoteFile, download, is_offered

PUBLISHED_AT = "https://download.pytorch.org/models"
"""Where torchvision publishes its weights."""

MIRROR_VARIABLE = "VIDSEG_WEIGHTS_URL"
"""Environment variable with the address of a folder to download weights from instead."""

_MASKRCNN_V2 = RemoteFile(
    "maskrcnn_resnet50_fpn_v2_coco-73cbd019.pth",
    185_828_065,
    "73cbd0190fcbe3ba339921fbce2c3a0b6bb9126c9a133c85e43a2a8e060a109e",
)
_MASKRCNN = RemoteFile(
    "maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth",
    178_090_079,
    "bf2d0c1efbc936eeee2bc95a48e80ebc86b891f61b0106485937fc29f9315fc0",
)
_RESNET50 = RemoteFile(
    "resnet50-0676ba61.pth",
    102_530_333,
    "0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a",
)
_RESNET101 = RemoteFile(
    "resnet101-63fe2227.pth",
    178_793_939,
    "63fe2227b86e8f1f2063f43a75c84d195911b6a0eace650907dd3dc62dd49a0a",
)
_MOBILENET = RemoteFile(
    "mobilenet_v3_large-8738ca79.pth",
    22_139_423,
    "8738ca797c879b547d18bbd15da5736ff2557b2036a9af72225393ca61759a04",
)

COCO_WEIGHTS = {
    "maskrcnn_resnet50_fpn_v2": _MASKRCNN_V2,
    "maskrcnn_resnet50_fpn": _MASKRCNN,
}
"""Model to its weights, trained on COCO."""

IMAGENET_WEIGHTS = {
    "maskrcnn_resnet50_fpn_v2": _RESNET50,
    "maskrcnn_resnet50_fpn": _RESNET50,
    "maskrcnn_resnet101_fpn": _RESNET101,
    "maskrcnn_mobilenet_v3_large_fpn": _MOBILENET,
}
"""Architecture to the weights of its backbone as a classifier, from which torchvision trains."""


def weights_path(published: RemoteFile) -> Path:
    """Where the file lies, or will lie: where torchvision itself looks for it."""
    return _hub_folder() / "checkpoints" / published.name


def weights_obtainable(model: str) -> bool:
    """Whether the COCO weights of `model` are on this machine, or a server offers them now."""
    published = COCO_WEIGHTS[model]
    return weights_path(published).exists() or is_offered(weights_url(published))


def fetch_weights(
    published: RemoteFile, *, on_download: OnDownload | None = None, pause: float = 1.0
) -> Path:
    """The file, downloaded first if it is not on this machine.

    Args:
        on_download: called with the number of bytes that are there and the size of the file.
        pause: seconds before the second try after a broken connection; doubled for each further.

    Raises:
        WeightsUnavailableError: the file is not here and could not be downloaded.
    """
    path, url = weights_path(published), weights_url(published)
    if path.exists():
        return path
    try:
        download(url, path, published, on_download=on_download, pause=pause)
    except DownloadError as error:
        by_hand = f"curl -L --create-dirs -o {shlex.quote(str(path))} {shlex.quote(url)}"
        raise WeightsUnavailableError(
            f"The weights could not be downloaded: {error}. Set {MIRROR_VARIABLE} to use a mirror, "
            f"or fetch them with `{by_hand}`."
        ) from error
    return path


def weights_url(published: RemoteFile) -> str:
    """The address of the file, on the mirror if there is one."""
    folder = os.environ.get(MIRROR_VARIABLE) or PUBLISHED_AT
    return f"{folder.rstrip('/')}/{published.name}"


def _hub_folder() -> Path:
    """As `torch.hub.get_dir` tells, without importing torch."""
    if hub := sys.modules.get("torch.hub"):
        return Path(hub.get_dir())
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return Path(os.environ.get("TORCH_HOME") or f"{cache}/torch").expanduser() / "hub"
