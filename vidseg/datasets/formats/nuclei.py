"""Data Science Bowl 2018: a folder per photo, with `images/ID.png` and one mask image per object.

In a file of `masks/`, the pixels from half of its greatest value on are its object.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vidseg.datasets._photo_finder import photos_in
from vidseg.datasets.formats.mask_folder import MASK_ENDINGS
from vidseg.datasets.label_images import read_values
from vidseg.datasets.records import Naming, Reading, Sample, Shape, Skipped
from vidseg.datasets.sample_builder import build_sample
from vidseg.errors import InputError
from vidseg.structures.masks import to_rle


def read(path: Path, naming: Naming) -> Reading:
    """`path` holds the folders of the photos."""
    folders = sorted(folder for folder in path.iterdir() if is_photo_folder(folder))
    return Reading(found for folder in folders for found in _photo(folder, naming.class_name))


def is_nuclei(path: Path) -> bool:
    """Whether a folder below `path` is one of a photo."""
    return any(is_photo_folder(folder) for folder in sorted(path.iterdir()))


def is_photo_folder(folder: Path) -> bool:
    """Whether there is one photo in images/, and masks/ does not hold just one of its name."""
    images, masks = folder / "images", folder / "masks"
    if not (images.is_dir() and masks.is_dir()):
        return False
    photos = photos_in(images)
    if len(photos) != 1:
        return False
    usual = {photos[0].stem + ending for ending in MASK_ENDINGS}
    return not any(mask.stem in usual for mask in photos_in(masks))


def _photo(folder: Path, label: str) -> Iterator[Sample | Skipped]:
    (photo,) = photos_in(folder / "images")
    drawn: list[Shape | Skipped] = []
    for mask in photos_in(folder / "masks"):
        try:
            drawn.append(Shape(label, to_rle(_pixels(mask)), mask.name))
        except InputError as error:
            drawn.append(Skipped("", mask.name, str(error)))
    yield from build_sample(photo, drawn)


def _pixels(mask: Path) -> np.ndarray:
    """(H, W) bool."""
    values = read_values(mask)
    return values > values.max() // 2 if values.max() > 1 else values > 0
