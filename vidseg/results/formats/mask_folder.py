"""A folder of mask images with a JSON file: what `vidseg frames` writes.

    OUT/00000.png              one indexed PNG per frame, named by the frame's index in its source:
                               0 is background, other values are object numbers; DAVIS palette.
                               A frame with numbers over 255 has a 16-bit greyscale PNG instead.
    OUT/instances.json         every object of every frame, see below
    OUT/objects/00000_001.png  with `per_object`: frame 0, object 1, 0 or 255, even where hidden
    OUT/images/00000.png       with `image`: the frame itself

Where objects overlap, a mask image shows the one with the highest score; the JSON and the images
per object keep each one whole. The JSON holds one frame a line:

    {"format": "vidseg frames", "version": 1, "kept_score": 0.5, "classes": {"1": "balloon"},
     "frames": [
    {"index": 0, "time": "0", "seconds": 0.0, "duration": "1001/30000", "size": [720, 1280],
     "file": "00000.png", "objects": [{"object": 1, "class": "balloon", "label": 1, "score": 0.98,
      "box": [x0, y0, x1, y1], "id": 1, "filled": false,
      "segmentation": {"size": [720, 1280], "counts": "..."}}]}
    ]}

`time` and `duration` are exact fractions of a second. Objects below `kept_score` were not kept.
`box` is in pixels, x1 and y1 exclusive. `object` is the value in the PNG: the track `id`, or for an
untracked object (`null`) the lowest number that is free in its frame. `filled` objects were not
detected in their frame but interpolated from their track before and after. `segmentation` is COCO's
RLE. To read it all:

    import json, numpy as np
    from PIL import Image
    from pycocotools import mask
    for frame in json.load(open("OUT/instances.json"))["frames"]:
        numbers = np.array(Image.open("OUT/" + frame["file"]))  # (H, W)
        for found in frame["objects"]:
            visible = numbers == found["object"]
            whole = mask.decode(found["segmentation"]).astype(bool)
"""

import json
import logging
from collections.abc import Mapping
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from vidseg.results._output_folder import OutputFolder
from vidseg.results.formats._png_bytes import encode_indexed_png, encode_png
from vidseg.results.formats.context import ExportContext, shortest_decimal
from vidseg.structures.frame import Frame
from vidseg.structures.instances import UNTRACKED, Instances
from vidseg.structures.masks import full_mask, instance_rle, label_map

log = logging.getLogger("vidseg")

MAX_PNG_NUMBER = 65535
"""The largest object number that a 16-bit PNG can hold."""


class MaskFolder(OutputFolder):
    """Writes the masks frame by frame; the folder appears when the `with` block ends well."""

    def __init__(
        self,
        path: str | Path,
        names: Mapping[int, str],
        *,
        kept_score: float,
        per_object: bool = False,
        image: bool = False,
        frames: int | None = None,
        force: bool = False,
    ) -> None:
        """`frames` of the source, if known; more than 100000 need longer file names."""
        super().__init__(path, force=force)
        self._context, self._kept_score = ExportContext(names, frame_count=frames), kept_score
        self._per_object, self._image = per_object, image
        self._written = 0
        self._warned_of_depth = self._warned_of_ids = False
        self._json: TextIO

    def begin(self, stack: ExitStack) -> None:
        for name, wanted in (("objects", self._per_object), ("images", self._image)):
            if wanted:
                (self.folder / name).mkdir()
        file = (self.folder / "instances.json").open("w", encoding="utf-8", newline="\n")
        self._json = stack.enter_context(file)
        self._json.write(self._head())
        stack.push(self._finish)

    def write(self, frame: Frame, instances: Instances) -> None:
        """Add a frame; frames come in the order of their indexes."""
        numbers = object_numbers(instances)
        name = self._context.frame_name(frame.index)
        labels = label_map(instances, numbers)
        self._warn_if_deep(frame, labels)
        self._warn_of_large_ids(instances)
        (self.folder / f"{name}.png").write_bytes(encode_indexed_png(labels))
        if self._per_object:
            for row, number in enumerate(numbers):
                mask = full_mask(instances, row).view(np.uint8) * np.uint8(255)
                (self.folder / "objects" / f"{name}_{number:03d}.png").write_bytes(encode_png(mask))
        if self._image:
            (self.folder / "images" / f"{name}.png").write_bytes(encode_png(frame.image))
        record = self._record(frame, instances, numbers, f"{name}.png")
        self._json.write((",\n" if self._written else "\n") + json.dumps(record))
        self._written += 1

    def _head(self) -> str:
        head = {
            "format": "vidseg frames",
            "version": 1,
            "kept_score": self._kept_score,
            "classes": {str(label): name for label, name in self._context.class_names.items()},
        }
        return json.dumps(head)[:-1] + ', "frames": ['

    def _finish(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._json.write("\n]}\n")

    def _record(
        self, frame: Frame, instances: Instances, numbers: NDArray[np.int64], file: str
    ) -> dict[str, Any]:
        return {
            "index": frame.index,
            "time": str(frame.time),
            "seconds": float(frame.time),
            "duration": str(frame.duration),
            "size": list(instances.size),
            "file": file,
            "objects": [
                {"object": int(number), **self._object(instances, row)}
                for row, number in enumerate(numbers)
            ],
        }

    def _object(self, instances: Instances, row: int) -> dict[str, Any]:
        label, track_id = int(instances.labels[row]), int(instances.ids[row])
        return {
            "class": self._context.class_name(label),
            "label": label,
            "score": shortest_decimal(instances.scores[row]),
            "box": [shortest_decimal(value) for value in instances.boxes[row]],
            "id": None if track_id == UNTRACKED else track_id,
            "filled": bool(instances.filled[row]),
            "segmentation": instance_rle(instances, row),
        }

    def _warn_if_deep(self, frame: Frame, labels: NDArray[np.generic]) -> None:
        if labels.dtype != np.uint8 and not self._warned_of_depth:
            self._warned_of_depth = True
            log.warning(
                "Frame %d has object numbers over 255: such frames become 16-bit greyscale PNG.",
                frame.index,
            )

    def _warn_of_large_ids(self, instances: Instances) -> None:
        if instances.ids.max(initial=0) > MAX_PNG_NUMBER and not self._warned_of_ids:
            self._warned_of_ids = True
            log.warning(
                "Tracks with ids above %d have other numbers in the images; instances.json has "
                "their ids.",
                MAX_PNG_NUMBER,
            )


def object_numbers(instances: Instances) -> NDArray[np.int64]:
    """(N,) a number for each object: its track id, or the lowest one that is free in the frame.

    An id that a PNG cannot hold, or that occurs twice, counts as untracked.
    """
    taken: dict[int, int] = {}
    for row, track_id in enumerate(instances.ids.tolist()):
        if 1 <= track_id <= MAX_PNG_NUMBER and track_id not in taken:
            taken[track_id] = row
    tracked = {row: track_id for track_id, row in taken.items()}
    free = (number for number in count(1) if number not in taken)
    numbers = [tracked[row] if row in tracked else next(free) for row in range(len(instances))]
    return np.array(numbers, np.int64)
