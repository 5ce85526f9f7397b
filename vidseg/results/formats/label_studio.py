"""Label Studio: one task per image, with brush masks as predictions to correct.

For a project with this labelling interface, and one `Label` a class:

    <View>
      <Image name="image" value="$image" zoom="true"/>
      <BrushLabels name="tag" toName="image"> <Label value="balloon"/> </BrushLabels>
    </View>
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidseg.results.formats.context import ExportContext, WriteInstances, shortest_decimal
from vidseg.structures.frame import Instant
from vidseg.structures.instances import UNTRACKED, Instances
from vidseg.structures.masks import full_mask
from vidseg.version import __version__

LOCAL_FILES = "/data/local-files/?d="
"""How Label Studio names files in the folder of its local storage."""

MASK_CHANNELS = 4
"""Brush masks are RGBA."""
WORD_BITS = 8
RUN_BITS = (3, 4, 8, 16)
"""Widths of the four kinds of run lengths (github.com/thi-ng/umbrella, rle-pack)."""


@contextmanager
def open_label_studio(path: Path, context: ExportContext) -> Iterator[WriteInstances]:
    """A JSON file to import; images are photos under their names, or `00000.png` and so on, in the
    folder of the local storage. Tracked objects have `meta.track_id`."""
    between = chain(["[\n"], repeat(",\n"))
    with path.open("w", encoding="utf-8") as file:

        def write(moment: Instant, instances: Instances) -> None:
            result = [
                _brush(instances, row, context.class_name(label))
                for row, label in enumerate(instances.labels.tolist())
            ]
            prediction = {"model_version": f"vidseg {__version__}", "result": result}
            task = {
                "data": {"image": LOCAL_FILES + context.image_name(moment.index)},
                "predictions": [prediction],
            }
            file.write(next(between) + json.dumps(task))

        yield write
        file.write("[]\n" if next(between) == "[\n" else "\n]\n")


def _brush(instances: Instances, row: int, name: str) -> dict[str, Any]:
    height, width = instances.size
    track_id = int(instances.ids[row])
    value = {"format": "rle", "rle": brush_bytes(full_mask(instances, row)), "brushlabels": [name]}
    return {
        "id": f"object-{row + 1}",
        "type": "brushlabels",
        "from_name": "tag",
        "to_name": "image",
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": value,
        "score": shortest_decimal(instances.scores[row]),
        **({} if track_id == UNTRACKED else {"meta": {"track_id": [str(track_id)]}}),
    }


def brush_bytes(mask: NDArray[np.bool_]) -> list[int]:
    """Label Studio's packed form of a mask (H, W), 0 or 255 in all four channels.

    Bits: the number of bytes (32), the bits of a byte less one (5), those of each kind of run
    length less one (4 each); then runs: 1, the kind of length (2), the length less one, the byte.
    """
    sizes = "".join(f"{bits - 1:04b}" for bits in RUN_BITS)
    bits = [f"{mask.size * MASK_CHANNELS:032b}{WORD_BITS - 1:05b}{sizes}"]
    flat = mask.ravel()
    turns = np.flatnonzero(np.diff(flat)) + 1
    for start, stop in zip([0, *turns.tolist()], [*turns.tolist(), len(flat)], strict=True):
        word = f"{255 if flat[start] else 0:08b}"
        bits += (f"1{length}{word}" for length in _lengths((stop - start) * MASK_CHANNELS))
    text = "".join(bits)
    return list(int(text.ljust(-(-len(text) // 8) * 8, "0"), 2).to_bytes(-(-len(text) // 8), "big"))


def _lengths(count: int) -> Iterator[str]:
    """A run of `count` bytes as one or several lengths, each with its kind."""
    longest = 1 << RUN_BITS[-1]
    while count:
        part = min(count, longest)
        kind = next(kind for kind, bits in enumerate(RUN_BITS) if part <= 1 << bits)
        yield f"{kind:02b}{part - 1:0{RUN_BITS[kind]}b}"
        count -= part
