"""A folder of photos and a folder of mask images, where each value but 0 is an object.

The folders are PNGImages and PedMasks (Penn-Fudan, `a.png` and `a_mask.png`), JPEGImages and
Annotations (DAVIS, one folder per video), or images and masks. 255 and 254 are void where objects
are numbered from 1, and the object where there is no other value.
"""

from collections.abc import Iterator
from pathlib import Path

from vidseg.datasets.label_images import object_values, read_values
from vidseg.datasets.records import NO_CLASS, Naming, Reading, Sample, Shape, Skipped
from vidseg.datasets.sample_builder import build_sample, files_below, photos_below
from vidseg.errors import InputError
from vidseg.structures.masks import to_rle

FOLDER_PAIRS = {"PNGImages": "PedMasks", "JPEGImages": "Annotations", "images": "masks"}
"""Folder of the photos to folder of the masks."""
CLASS_OF_FOLDER = {"PedMasks": "person"}


def read(path: Path, naming: Naming) -> Reading:
    """`path` holds one of the pairs of folders."""
    return Reading(_found(path, naming))


def pair_in(path: Path) -> tuple[Path, Path] | None:
    """The folders of photos and of mask images, if there are both."""
    for photos, masks in FOLDER_PAIRS.items():
        if (path / photos).is_dir() and _pictures(path / masks):
            return path / photos, path / masks
    return None


def _pictures(folder: Path) -> list[Path]:
    return [path for path in files_below(folder) if path.suffix.lower() == ".png"]


def _found(path: Path, naming: Naming) -> Iterator[Sample | Skipped]:
    pair = pair_in(path)
    if pair is None:
        known = ", ".join(f"{photos} and {masks}" for photos, masks in FOLDER_PAIRS.items())
        raise InputError(f"{path} has no pair of folders of photos and masks: {known}.")
    photos, masks = pair
    label = naming.class_name
    label = CLASS_OF_FOLDER.get(masks.name, label) if label == NO_CLASS else label
    unused = set(_pictures(masks))
    for photo in photos_below(photos):
        mask = _mask_of(photo.relative_to(photos), masks)
        if mask is None:
            yield Skipped(str(photo), "", "it has no mask image")
            continue
        unused.discard(mask)
        yield from _photo(photo, mask, label)
    yield from (Skipped(str(mask), "", "there is no photo of this name") for mask in sorted(unused))


def _mask_of(name: Path, masks: Path) -> Path | None:
    named = (masks / name.parent / f"{name.stem}{end}.png" for end in ("", "_mask"))
    return next((path for path in named if path.is_file()), None)


def _photo(photo: Path, mask: Path, label: str) -> Iterator[Sample | Skipped]:
    try:
        values = read_values(mask)
    except InputError as error:
        yield Skipped(str(mask), "", str(error))
        return
    drawn = [
        Shape(label, to_rle(values == value), f"value {value}") for value in object_values(values)
    ]
    yield from build_sample(photo, drawn, size=(values.shape[0], values.shape[1]))
