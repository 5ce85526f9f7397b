"""Arrays for numpy, frame by frame."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np

from vidseg.results.formats.context import ExportContext, WriteInstances
from vidseg.results.formats.mask_folder import object_numbers
from vidseg.structures.frame import Instant
from vidseg.structures.instances import Instances
from vidseg.structures.masks import label_map


@contextmanager
def open_npz(path: Path, context: ExportContext) -> Iterator[WriteInstances]:
    """`numpy.load(path)` with `00000/boxes` (N, 4), `00000/masks` (N, M, M) soft in their boxes,
    `00000/scores`, `labels`, `ids`, `filled`, `numbers` (N,), `00000/map` (H, W) of those numbers,
    `00000/time` in seconds; and so on for each frame. Only the arrays asked for are loaded."""
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:

        def write(moment: Instant, instances: Instances) -> None:
            numbers = object_numbers(instances)
            arrays = {
                "time": np.float64(float(moment.time)),
                "boxes": instances.boxes,
                "masks": instances.masks,
                "scores": instances.scores,
                "labels": instances.labels,
                "ids": instances.ids,
                "filled": instances.filled,
                "numbers": numbers,
                "map": label_map(instances, numbers),
            }
            for name, array in arrays.items():
                with archive.open(f"{context.frame_name(moment.index)}/{name}.npy", "w") as file:
                    np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)

        yield write
