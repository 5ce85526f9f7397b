"""One door for annotated photos: `open_dataset(path)` for torch, `read_dataset(path)` without it.

`look` finds the format, one module a format reads it, `door` joins what was found. Photos come
through `vidseg.video.decoding.image_reader`, upright.
"""

from typing import TYPE_CHECKING, Any

from vidseg.datasets.loading import read_dataset
from vidseg.datasets.records import Annotation, Content, Sample, Skipped

if TYPE_CHECKING:
    from vidseg.datasets.torch_dataset import Dataset, open_dataset

__all__ = [
    "Annotation",
    "Content",
    "Dataset",
    "Sample",
    "Skipped",
    "open_dataset",
    "read_dataset",
]


def __getattr__(name: str) -> Any:
    """What needs torch is imported when it is first asked for."""
    if name in ("Dataset", "open_dataset"):
        from vidseg.datasets import torch_dataset as dataset

        return getattr(dataset, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
