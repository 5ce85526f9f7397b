"""Annotated photos in any format: `open_dataset(path)` for torch, `read_dataset(path)` without it.

`format_detection` finds the format, one module of `formats/` reads it, `loading` joins the results.
`sample_builder` turns the shapes of a file into masks of the upright photo (`rasterize`), `convert`
and `vectorize` lead back to files, `split` divides a dataset, and `statistics` counts it. This room
imports `structures`, `video` and `atomic_output`; only `torch_dataset` imports torch.
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
    """Import what needs torch on first use."""
    if name in ("Dataset", "open_dataset"):
        from vidseg.datasets import torch_dataset as dataset

        return getattr(dataset, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
