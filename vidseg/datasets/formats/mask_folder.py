"""A folder of photos and a folder of mask images, where each value but 0 is an object.

The folders are PNGImages and PedMasks (Penn-Fudan), JPEGImages and Annotations (DAVIS, one folder
per video), train and train_masks (Carvana), or images or imgs and masks. The mask of `a.jpg` is
`a.png`, `a_mask.gif`, `a_seg_mask.tif` or `a.jpg.png`. 255 and 254 are void where objects are
numbered from 1, and objects where they are not.
"""

from collections.abc import Iterator
from pathlib import Path

from vidseg.datasets._photo_finder import files_below, photos_below
from vidseg.datasets.annotation_files import is_regular_file
from vidseg.datasets.label_images import object_values, read_values
from vidseg.datasets.records import NO_CLASS, Naming, Reading, Sample, Shape, Skipped
from vidseg.datasets.sample_builder import build_sample
from vidseg.errors import InputError
from vidseg.structures.masks import to_rle

FOLDER_PAIRS = (
    ("PNGImages", "PedMasks"),
    ("JPEGImages", "Annotations"),
    *(
        (photos, masks)
        for photos in ("images", "imgs", "image", "img")
        for masks in ("masks", "mask")
    ),
    ("images", "train_masks"),
    ("imgs", "train_masks"),
    ("train", "train_masks"),
    ("train_images", "train_masks"),
)
"""Folders of photos and of their masks."""
CLASS_OF_FOLDER = {"PedMasks": "person"}
MASK_SUFFIXES = (".png", ".tif", ".tiff", ".gif", ".bmp", ".jpg", ".jpeg")
"""The likeliest first."""
MASK_ENDINGS = (
    "",
    "_mask",
    "_seg_mask",
    "_masks",
    "_seg",
    "_label",
    "_gt",
    "-mask",
    "_segmentation",
)


def read(path: Path, naming: Naming) -> Reading:
    """`path` holds one of the pairs of folders."""
    return Reading(_found(path, naming))


def pair_in(path: Path) -> tuple[Path, Path] | None:
    """The folders of photos and of mask images, if there are both."""
    for photos, masks in FOLDER_PAIRS:
        if (path / photos).is_dir() and (path / masks).is_dir() and _images(path / masks):
            return path / photos, path / masks
    return None


def _images(folder: Path) -> list[Path]:
    files = files_below(folder)
    named = (path for path in files if path.suffix.lower() in MASK_SUFFIXES)
    return [path for path in named if path.name[0] != "." and is_regular_file(path)]


def _found(path: Path, naming: Naming) -> Iterator[Sample | Skipped]:
    pair = pair_in(path)
    if pair is None:
        known = ", ".join(f"{photos} and {masks}" for photos, masks in FOLDER_PAIRS)
        raise InputError(f"{path} has no pair of folders of photos and masks: {known}.")
    photos, masks = pair
    label = naming.class_name
    label = CLASS_OF_FOLDER.get(masks.name, label) if label == NO_CLASS else label
    known = _by_name(masks)
    unused = {mask for several in known.values() for mask in several}
    for photo in photos_below(photos):
        mask = _mask_of(photo.relative_to(photos), known)
        if mask is None:
            yield Skipped(str(photo), "", "it has no mask image")
            continue
        unused.discard(mask)
        yield from photo_with_mask(photo, mask, label)
    yield from (Skipped(str(mask), "", "there is no photo of this name") for mask in sorted(unused))


def _by_name(masks: Path) -> dict[str, list[Path]]:
    """Path below the folder, without the suffix and in lower case, to the masks there."""
    found: dict[str, list[Path]] = {}
    for path in _images(masks):
        name = path.relative_to(masks).with_suffix("").as_posix().lower()
        found.setdefault(name, []).append(path)
    for several in found.values():
        several.sort(key=lambda path: MASK_SUFFIXES.index(path.suffix.lower()))
    return found


def _mask_of(photo: Path, known: dict[str, list[Path]]) -> Path | None:
    """The mask of the photo of this path below its folder."""
    stem, whole = photo.with_suffix("").as_posix().lower(), photo.as_posix().lower()
    names = [stem + end for end in MASK_ENDINGS] + [whole + end for end in MASK_ENDINGS]
    return next((known[name][0] for name in names if name in known), None)


def photo_with_mask(photo: Path, mask: Path, label: str) -> Iterator[Sample | Skipped]:
    """The photo with the objects of its mask image."""
    try:
        values = read_values(mask)
        found = object_values(values)
    except InputError as error:
        yield Skipped(str(mask), "", str(error))
        return
    except ValueError as error:
        yield Skipped(str(photo), "", str(error))
        return
    drawn = [Shape(label, to_rle(values == value), f"value {value}") for value in found]
    yield from build_sample(photo, drawn, size=(values.shape[0], values.shape[1]))
