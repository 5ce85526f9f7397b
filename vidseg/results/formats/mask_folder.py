"""A folder of mask pictures with a JSON file: what `vidseg frames` writes.

    OUT/00000.png              one indexed PNG a frame, named by the frame's index in its source:
                               0 is background, other values are object numbers; DAVIS palette.
                               A frame with numbers over 255 has a 16-bit greyscale PNG instead.
    OUT/instances.json         every object of every frame, see below
    OUT/objects/00000_001.png  with `per_object`: frame 0, object 1, 0 or 255, also where hidden
    OUT/images/00000.png       with `image`: the frame itself

Where objects overlap, a mask picture shows the one with the highest score; the JSON and the
pictures per object keep each one whole. The JSON holds one frame a line:

    {"format": "vidseg frames", "version": 1, "kept_score": 0.5, "classes": {"1": "balloon"},
     "frames": [
    {"index": 0, "time": "0", "seconds": 0.0, "duration": "1001/30000", "size": [720, 1280],
     "file": "00000.png", "objects": [{"object": 1, "class": "balloon", "label": 1, "score": 0.98,
      "box": [x0, y0, x1, y1], "id": 1, "filled": false,
      "segmentation": {"size": [720, 1280], "counts": "..."}}]}
    ]}

`time` and `duration` are exact fractions of a second. Objects below `kept_score` were not kept.
`box` is in pixels, x1 and y1 exclusive. `object` is the value in the PNG: the track `id`, or for an
object without one (`null`) the lowest number that is free in its frame. `filled` objects were not
found in their frame, but put there from sightings of their track before and after. `segmentation`
is COCO's RLE. To read it all:

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
from types import TracebackType
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from vidseg.atomic_output import atomic_output
from vidseg.results.formats._png_bytes import indexed_png, png
from vidseg.results.formats.context import shortest
from vidseg.structures.frame import Frame
from vidseg.structures.instances import UNTRACKED, Instances
from vidseg.structures.masks import full_mask, instance_rle, label_map

log = logging.getLogger("vidseg")

LARGEST = 65535
"""The largest object number that a PNG can hold."""


class MaskFolder:
    """Writes the folder as the video goes; it gets its name when the `with` block ends well."""

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
        """`frames` is how many the source has, if known: more than 100000 take longer names.

        Raises OutputExistsError or OutputError on entering, for a folder that is not empty (unless
        `force`) or cannot be written.
        """
        self._path, self._force = Path(path), force
        self._names, self._kept_score = dict(names), kept_score
        self._per_object, self._image = per_object, image
        self._digits = max(5, len(str((frames or 1) - 1)))
        self._written = 0
        self._warned = False
        self._stack = ExitStack()
        self._folder: Path
        self._json: TextIO

    def __enter__(self) -> "MaskFolder":
        with ExitStack() as stack:
            landed = atomic_output(self._path, force=self._force, folder=True)
            self._folder = stack.enter_context(landed)
            for name, wanted in (("objects", self._per_object), ("images", self._image)):
                if wanted:
                    (self._folder / name).mkdir()
            file = (self._folder / "instances.json").open("w", encoding="utf-8", newline="\n")
            self._json = stack.enter_context(file)
            self._json.write(self._head())
            stack.push(self._finish)
            self._stack = stack.pop_all()
        return self

    def write(self, frame: Frame, instances: Instances) -> None:
        """Add a frame; frames come in the order of their indexes."""
        numbers = object_numbers(instances)
        name = f"{frame.index:0{self._digits}d}"
        labels = label_map(instances, numbers)
        self._warn_if_deep(frame, labels)
        (self._folder / f"{name}.png").write_bytes(indexed_png(labels))
        if self._per_object:
            for row, number in enumerate(numbers):
                mask = full_mask(instances, row).view(np.uint8) * np.uint8(255)
                (self._folder / "objects" / f"{name}_{number:03d}.png").write_bytes(png(mask))
        if self._image:
            (self._folder / "images" / f"{name}.png").write_bytes(png(frame.image))
        record = self._record(frame, instances, numbers, f"{name}.png")
        self._json.write((",\n" if self._written else "\n") + json.dumps(record))
        self._written += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def _head(self) -> str:
        head = {
            "format": "vidseg frames",
            "version": 1,
            "kept_score": self._kept_score,
            "classes": {str(label): name for label, name in self._names.items()},
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
        label, track = int(instances.labels[row]), int(instances.ids[row])
        return {
            "class": self._names.get(label, str(label)),
            "label": label,
            "score": shortest(instances.scores[row]),
            "box": [shortest(value) for value in instances.boxes[row]],
            "id": None if track == UNTRACKED else track,
            "filled": bool(instances.filled[row]),
            "segmentation": instance_rle(instances, row),
        }

    def _warn_if_deep(self, frame: Frame, labels: NDArray[np.generic]) -> None:
        if labels.dtype != np.uint8 and not self._warned:
            self._warned = True
            log.warning(
                "Frame %d has object numbers over 255: such frames become 16-bit greyscale PNG.",
                frame.index,
            )


def object_numbers(instances: Instances) -> NDArray[np.int64]:
    """(N,) a number for each object: its track id, else the lowest that is free in the frame.

    An id that a PNG cannot hold, or that occurs twice, counts as none.
    """
    taken: dict[int, int] = {}
    for row, track in enumerate(instances.ids.tolist()):
        if 1 <= track <= LARGEST and track not in taken:
            taken[track] = row
    tracked = {row: track for track, row in taken.items()}
    free = (number for number in count(1) if number not in taken)
    numbers = [tracked[row] if row in tracked else next(free) for row in range(len(instances))]
    return np.array(numbers, np.int64)
