"""Annotated photos in any format: `open_dataset(path)` for torch, `read_dataset(path)` without it.

`format_detection` finds the format, one module of `formats/` reads it, `loading` joins the results.
`annotation_files` reads files in bounded time and memory, `_photo_finder` finds the photos in them,
`sample_builder` turns their shapes into masks of the upright photo (`rasterize`). `convert`
and `vectorize` lead back to files, `split` divides a dataset, `copies` finds photos that are there
twice, and `statistics` counts. This room may import every room above it; only `torch_dataset`
imports torch.

A new format is a module of `formats/` with `read(path, naming) -> Reading`, a name in
`format_names`, a line in `loading.READERS` and its marks in `format_detection`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vidseg.datasets.loading import read_dataset
    from vidseg.datasets.records import Annotation, Content, Sample, Skipped
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

_HOMES = {
    **dict.fromkeys(("Annotation", "Content", "Sample", "Skipped"), "records"),
    **dict.fromkeys(("Dataset", "open_dataset"), "torch_dataset"),
    "read_dataset": "loading",
}


def __getattr__(name: str) -> Any:
    """Import each name on first use: only some of them need torch or numpy."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
