"""Masks as PNG files: DAVIS' indexed images, 16-bit numbers, one bilevel file per object."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from vidseg.errors import OutputError
from vidseg.results.formats._png_bytes import encode_indexed_png, encode_png
from vidseg.results.formats.context import ExportContext, WriteInstances
from vidseg.results.formats.mask_folder import MAX_PNG_NUMBER, object_numbers
from vidseg.structures.frame import Instant
from vidseg.structures.instances import Instances
from vidseg.structures.masks import full_mask, label_map

MAX_DAVIS_NUMBER = 253
"""DAVIS reserves 254 for void in its unsupervised task, and 255 in the older one."""


@contextmanager
def open_davis(folder: Path, context: ExportContext) -> Iterator[WriteInstances]:
    """`00000.png` and so on: 8-bit indexed, 0 background, else the object's number, the highest
    score on top. The number is the track id, or the lowest one that is free in the frame.

    Raises:
        OutputError: a number above 253.
    """

    def write(moment: Instant, instances: Instances) -> None:
        _check_ids(instances, moment)
        numbers = object_numbers(instances)
        if numbers.max(initial=0) > MAX_DAVIS_NUMBER:
            raise OutputError(
                f"Object {numbers.max()} of frame {moment.index} does not fit DAVIS' 8-bit "
                f"images, which end at {MAX_DAVIS_NUMBER}; use `format='png16'`."
            )
        image = encode_indexed_png(label_map(instances, numbers))
        (folder / f"{context.frame_name(moment.index)}.png").write_bytes(image)

    yield write


@contextmanager
def open_png16(folder: Path, context: ExportContext) -> Iterator[WriteInstances]:
    """As `open_davis`, in 16-bit greyscale: numbers up to 65535.

    Raises:
        OutputError: a track id above that.
    """

    def write(moment: Instant, instances: Instances) -> None:
        _check_ids(instances, moment)
        labels = label_map(instances, object_numbers(instances)).astype(np.uint16)
        (folder / f"{context.frame_name(moment.index)}.png").write_bytes(encode_png(labels))

    yield write


@contextmanager
def open_object_masks(folder: Path, context: ExportContext) -> Iterator[WriteInstances]:
    """`001/00000.png`: object 1 in frame 0, 255 on 0, whole even where another object
    hides it; as SAM 2's `--per_obj_png_file`."""

    def write(moment: Instant, instances: Instances) -> None:
        for row, number in enumerate(object_numbers(instances).tolist()):
            below = folder / f"{number:03d}"
            below.mkdir(exist_ok=True)
            mask = full_mask(instances, row).view(np.uint8) * np.uint8(255)
            (below / f"{context.frame_name(moment.index)}.png").write_bytes(encode_png(mask))

    yield write


def _check_ids(instances: Instances, moment: Instant) -> None:
    """A track whose id does not fit would have another number in every frame."""
    if instances.ids.max(initial=0) > MAX_PNG_NUMBER:
        raise OutputError(
            f"Track {instances.ids.max()} of frame {moment.index} does not fit a 16-bit image; use "
            "`format='coco'`."
        )
