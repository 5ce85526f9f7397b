"""Objects as pictures of their own with transparency: what `vidseg cutout` writes into a folder.

    OUT/balloon_1.png           of a photo: the object alone, cropped to it
    OUT/garden.jpg/person_2.png of a folder of photos: a folder for each
    OUT/balloon_001/00000.png   of a video: a folder for each object, with a picture of the whole
                                frame for every frame in which it is seen

The number is the object's track id, or the lowest that is free in its frame. A track keeps the
folder under the class that it had first. Built on `vidseg.effects.cutout`.
"""

import re
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import numpy as np

from vidseg.atomic_output import atomic_output
from vidseg.effects.cutout import cut_objects
from vidseg.results.formats._png_bytes import png
from vidseg.results.formats.context import About
from vidseg.results.formats.mask_folder import object_numbers
from vidseg.structures.frame import Frame
from vidseg.structures.instances import Instances
from vidseg.structures.masks import Crop
from vidseg.video.info import Kind

DIGITS = 3
"""Of an object's number in a video, whose number of objects is not known beforehand."""


class CutoutFolder:
    """Writes the folder as frames come; it gets its name when the `with` block ends well."""

    def __init__(
        self, path: str | Path, about: About, kind: Kind, *, refine: bool, force: bool = False
    ) -> None:
        """Raises OutputExistsError or OutputError on entering, for a folder that is not empty
        (unless `force`) or cannot be written."""
        self._path, self._about, self._kind = Path(path), about, kind
        self._refine, self._force = refine, force
        self._tracks: dict[int, Path] = {}
        self._stack = ExitStack()

    def __enter__(self) -> "CutoutFolder":
        landed = atomic_output(self._path, force=self._force, folder=True)
        self._folder = self._stack.enter_context(landed)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def write(self, frame: Frame, instances: Instances) -> None:
        """Add the objects of a frame; frames come in the order of their indexes."""
        numbers = object_numbers(instances).tolist()
        crops = cut_objects(frame.image, instances, refine=self._refine)
        if self._kind in ("photo", "folder"):
            self._write_photo(frame, instances, numbers, crops=list(crops))
            return
        for row, (number, crop) in enumerate(zip(numbers, crops, strict=True)):
            folder = self._track(number, self._name(instances, row, number, DIGITS))
            whole = np.zeros((*instances.size, 4), np.uint8)
            whole[crop.rows, crop.cols] = crop.mask
            (folder / f"{self._about.stem(frame.index)}.png").write_bytes(png(whole))

    def _write_photo(
        self, frame: Frame, instances: Instances, numbers: list[int], crops: list[Crop]
    ) -> None:
        folder = self._folder
        if self._kind == "folder":
            folder = folder / self._about.picture(frame.index)
            folder.mkdir()
        digits = len(str(max(numbers, default=0)))
        for row, (number, crop) in enumerate(zip(numbers, crops, strict=True)):
            if crop.mask.size:
                name = f"{self._name(instances, row, number, digits)}.png"
                (folder / name).write_bytes(png(crop.mask))

    def _track(self, number: int, name: str) -> Path:
        if number not in self._tracks:
            self._tracks[number] = self._folder / name
            self._tracks[number].mkdir()
        return self._tracks[number]

    def _name(self, instances: Instances, row: int, number: int, digits: int) -> str:
        """`balloon_1`, with zeros before the number so that names sort as numbers do."""
        name = re.sub(r"[^\w-]+", "_", self._about.name(int(instances.labels[row])))
        return f"{name}_{number:0{digits}d}"
