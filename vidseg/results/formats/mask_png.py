"""Masks as PNG files: DAVIS' indexed pictures, 16-bit numbers, one black-and-white per object."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from vidseg.errors import OutputError
from vidseg.results.formats._png_bytes import indexed_png, png
from vidseg.results.formats.context import About, Write
from vidseg.results.formats.mask_folder import object_numbers
from vidseg.structures.frame import Instant
from vidseg.structures.instances import Instances
from vidseg.structures.masks import full_mask, label_map

DAVIS_LARGEST = 253
"""DAVIS' unsupervised form keeps 254 for void, and the older one 255."""


@contextmanager
def davis(folder: Path, about: About) -> Iterator[Write]:
    """`00000.png` and so on: 8-bit indexed, 0 background, else the object's number, the best score
    on top. The number is the track's id, or the lowest that is free in the frame.

    Raises:
        OutputError: a number from 254 on.
    """

    def write(moment: Instant, instances: Instances) -> None:
        numbers = object_numbers(instances)
        if numbers.max(initial=0) > DAVIS_LARGEST:
            raise OutputError(
                f"Object {numbers.max()} of frame {moment.index} does not fit DAVIS' 8-bit "
                f"pictures, which end at {DAVIS_LARGEST}; use --format png16."
            )
        picture = indexed_png(label_map(instances, numbers))
        (folder / f"{about.stem(moment.index)}.png").write_bytes(picture)

    yield write


@contextmanager
def png16(folder: Path, about: About) -> Iterator[Write]:
    """As `davis`, in 16-bit greyscale: numbers up to 65535."""

    def write(moment: Instant, instances: Instances) -> None:
        labels = label_map(instances, object_numbers(instances)).astype(np.uint16)
        (folder / f"{about.stem(moment.index)}.png").write_bytes(png(labels))

    yield write


@contextmanager
def objects(folder: Path, about: About) -> Iterator[Write]:
    """`001/00000.png`: object 1 in frame 0, 255 on 0, whole where another hides it; as SAM 2's
    `--per_obj_png_file`."""

    def write(moment: Instant, instances: Instances) -> None:
        for row, number in enumerate(object_numbers(instances).tolist()):
            below = folder / f"{number:03d}"
            below.mkdir(exist_ok=True)
            mask = full_mask(instances, row).view(np.uint8) * np.uint8(255)
            (below / f"{about.stem(moment.index)}.png").write_bytes(png(mask))

    yield write
