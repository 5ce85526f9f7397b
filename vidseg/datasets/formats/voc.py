"""Pascal VOC: JPEGImages, SegmentationObject, Annotations (XML), ImageSets/Segmentation.

Object n in the mask image is the n-th `object` of the XML file, and 255 is void. Without XML the
class comes from SegmentationClass, whose values are the numbers of the classes in class_names.txt
or the colours in labelmap.txt (as labelme2voc and CVAT write them), else VOC's own numbers.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidseg.datasets._photo_finder import photos_below
from vidseg.datasets.annotation_files import read_text, read_xml
from vidseg.datasets.label_images import (
    Values,
    most_frequent,
    object_values,
    palette_indexes,
    read_values,
)
from vidseg.datasets.records import Naming, Reading, Sample, Shape, Skipped
from vidseg.datasets.sample_builder import build_sample
from vidseg.errors import InputError
from vidseg.structures.masks import to_rle

# fmt: off
VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train",
    "tvmonitor",
)
# fmt: on
NON_CLASSES = ("background", "_background_", "__ignore__")
"""Lines of class lists that are not classes; `_background_` is value 0."""


def read(path: Path, naming: Naming) -> Reading:
    """`path` holds SegmentationObject."""
    photos = {photo.stem: photo for photo in photos_below(path / "JPEGImages")}
    return Reading(_found(path, photos))


def _found(path: Path, photos: dict[str, Path]) -> Iterator[Sample | Skipped]:
    splits, names = _splits(path / "ImageSets" / "Segmentation"), _class_names(path)
    for mask in sorted((path / "SegmentationObject").glob("*.png")):
        if mask.stem not in photos:
            yield Skipped(str(mask), "", "there is no photo of this name")
            continue
        try:
            values = palette_indexes(read_values(mask))
            drawn = list(_objects(path, mask.stem, values, names))
        except (InputError, ValueError) as error:
            yield Skipped(str(mask), "", str(error))
            continue
        size = values.shape[0], values.shape[1]
        yield from build_sample(photos[mask.stem], drawn, size=size, split=splits.get(mask.stem))


def _objects(
    path: Path, stem: str, values: Values, names: dict[int, str]
) -> Iterator[Shape | Skipped]:
    xml = path / "Annotations" / f"{stem}.xml"
    listed = _listed(xml) if xml.is_file() else {}
    classes = None if listed else _class_picture(path, stem)
    for value in object_values(values):
        item, pixels = f"object {value}", values == value
        label = listed.get(value) if classes is None else _class_of(classes, pixels, names)
        if label is None:
            yield Skipped("", item, "its class is unknown")
        else:
            yield Shape(label, to_rle(pixels), item)


def _listed(xml: Path) -> dict[int, str]:
    names = (each.findtext("name", "").strip() for each in read_xml(xml).iter("object"))
    return dict(enumerate(names, 1))


def _class_picture(path: Path, stem: str) -> Values | None:
    picture = path / "SegmentationClass" / f"{stem}.png"
    return read_values(picture) if picture.is_file() else None


def _class_of(classes: Values, pixels: NDArray[np.bool_], names: dict[int, str]) -> str | None:
    """By the colour, if the classes have their own, else by its index in VOC's palette."""
    value = most_frequent(classes, pixels)
    index = int(palette_indexes(np.array(value, classes.dtype)))
    return names.get(value) or names.get(index)


def _class_names(path: Path) -> dict[int, str]:
    """Index, or RGB colour as one number, to class name."""
    for file in ("class_names.txt", "labelmap.txt"):
        if (path / file).is_file():
            lines = (line.strip() for line in read_text(path / file).splitlines())
            parts = [[*line.split(":"), ""] for line in lines if line and line[0] != "#"]
            named = [part for part in parts if part[0] not in NON_CLASSES]
            return {_color(part[1]) or index: part[0] for index, part in enumerate(named, 1)}
    return dict(enumerate(VOC_CLASSES, 1))


def _color(text: str) -> int:
    """RGB as one number from `r,g,b`; 0 if there is none."""
    try:
        red, green, blue = (int(value) for value in text.split(","))
    except ValueError:
        return 0
    return red << 16 | green << 8 | blue


def _splits(folder: Path) -> dict[str, str]:
    """Photo to split, from the lists train.txt, val.txt and test.txt."""
    found = {}
    for split in ("train", "val", "test"):
        if (folder / f"{split}.txt").is_file():
            found |= {stem: split for stem in read_text(folder / f"{split}.txt").split()}
    return found
