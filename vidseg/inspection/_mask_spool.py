"""The masks of a video, kept in a temporary file until it is known which of them are drawn."""

from __future__ import annotations

import pickle
import tempfile
import zlib
from array import array
from collections.abc import Collection
from pathlib import Path
from typing import Protocol

import numpy as np

from vidseg.atomic_output import output_error
from vidseg.structures.instances import Instances
from vidseg.structures.masks import MASK_THRESHOLD, Crop, crop


class MaskSource(Protocol):
    """Where the masks of a frame are found again."""

    def crops(self, position: int, ids: Collection[int]) -> dict[int, Crop]:
        """The masks of the tracks `ids` that are in the frame at this position of the record."""
        ...


class MaskSpool:
    """Keeps the cells of masks as single bits, compressed; `close` removes the file."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  kept open
        self._starts = array("q", [0])

    def close(self) -> None:
        self._file.close()

    def add(self, instances: Instances) -> None:
        """The objects of the next frame.

        Raises OutputError: there is no room for temporary files.
        """
        bits = np.packbits(instances.masks >= MASK_THRESHOLD)
        facts = (instances.size, instances.masks.shape, instances.boxes, instances.ids, bits)
        packed = zlib.compress(pickle.dumps(facts), 1)
        try:
            self._file.write(packed)
        except OSError as error:
            raise output_error(Path(tempfile.gettempdir()), error) from error
        self._starts.append(self._starts[-1] + len(packed))

    def crops(self, position: int, ids: Collection[int]) -> dict[int, Crop]:
        """See `MaskSource`."""
        start, end = self._starts[position : position + 2]
        self._file.seek(start)
        packed = self._file.read(end - start)
        size, shape, boxes, numbers, bits = pickle.loads(zlib.decompress(packed))
        cells = np.unpackbits(bits, count=int(np.prod(shape))).reshape(shape) * np.uint8(255)
        count = len(boxes)
        instances = Instances(
            boxes, cells, np.ones(count, np.float32), np.ones(count, np.int64), numbers, size
        )
        rows = {int(number): row for row, number in enumerate(numbers.tolist())}
        return {number: crop(instances, rows[number]) for number in ids if number in rows}
