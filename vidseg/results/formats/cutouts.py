"""One image with transparency for each object: what `vidseg cutout` writes into a folder.

    OUT/balloon_1.png           of a photo: the object alone, cropped to it
    OUT/garden.jpg/person_2.png of a folder of photos: a folder for each
    OUT/balloon_001/00000.png   of a video: a folder for each object, with an image as large as
                                the frame for every frame in which it is seen

The number is the object's track id, or the lowest one that is free in its frame. A track's folder
is named by the first class it had. Built on `vidseg.effects.cutout`.
"""

import re
from pathlib import Path

import numpy as np

from vidseg.effects.cutout import cut_objects
from vidseg.results._output_folder import OutputFolder
from vidseg.results.formats._png_bytes import encode_png
from vidseg.results.formats.context import ExportContext
from vidseg.results.formats.mask_folder import object_numbers
from vidseg.structures.frame import Frame
from vidseg.structures.instances import Instances
from vidseg.structures.masks import Crop
from vidseg.video.info import Kind

MIN_VIDEO_DIGITS = 3
"""Digits of an object's number in a video, where the number of objects is not known beforehand."""


class CutoutFolder(OutputFolder):
    """Writes the images frame by frame; the folder appears when the `with` block ends well."""

    def __init__(
        self,
        path: str | Path,
        context: ExportContext,
        kind: Kind,
        *,
        refine: bool,
        force: bool = False,
    ) -> None:
        """`refine` mattes the edges, see `vidseg.effects.cutout`."""
        super().__init__(path, force=force)
        self._context, self._kind, self._refine = context, kind, refine
        self._tracks: dict[int, Path] = {}

    def write(self, frame: Frame, instances: Instances) -> None:
        """Add the objects of a frame; frames come in the order of their indexes."""
        numbers = object_numbers(instances).tolist()
        crops = cut_objects(frame.image, instances, refine=self._refine)
        if self._kind in ("photo", "folder"):
            self._write_photo(frame, instances, numbers, crops=list(crops))
            return
        for row, (number, crop) in enumerate(zip(numbers, crops, strict=True)):
            folder = self._track(number, self._name(instances, row, number, MIN_VIDEO_DIGITS))
            whole = np.zeros((*instances.size, 4), np.uint8)
            whole[crop.rows, crop.cols] = crop.mask
            (folder / f"{self._context.frame_name(frame.index)}.png").write_bytes(encode_png(whole))

    def _write_photo(
        self, frame: Frame, instances: Instances, numbers: list[int], crops: list[Crop]
    ) -> None:
        folder = self.folder
        if self._kind == "folder":
            folder = folder / self._context.image_name(frame.index)
            folder.mkdir()
        digits = len(str(max(numbers, default=0)))
        for row, (number, crop) in enumerate(zip(numbers, crops, strict=True)):
            if crop.mask.size:
                name = f"{self._name(instances, row, number, digits)}.png"
                (folder / name).write_bytes(encode_png(crop.mask))

    def _track(self, number: int, name: str) -> Path:
        if number not in self._tracks:
            self._tracks[number] = self.folder / name
            self._tracks[number].mkdir()
        return self._tracks[number]

    def _name(self, instances: Instances, row: int, number: int, digits: int) -> str:
        """`balloon_1`, with zeros before the number so that names sort as numbers do."""
        name = re.sub(r"[^\w-]+", "_", self._context.class_name(int(instances.labels[row])))
        return f"{name}_{number:0{digits}d}"
