"""Pascal VOC: JPEGImages, SegmentationObject, Annotations (XML), ImageSets/Segmentation.

Object n in the mask picture is the n-th `object` of the XML file, and 255 is void. Without XML the
class comes from SegmentationClass, whose values count the lines of class_names.txt or labelmap.txt
(as labelme2voc and CVAT write them), else VOC's own classes.
"""

from collections.abc import Iterator
from pathlib import Path

from vidseg.datasets.files import read_text, read_xml
from vidseg.datasets.photos import photos_below, sample
from vidseg.datasets.pixels import Values, class_palette_index, object_values, read_values
from vidseg.datasets.values import Drawn, Naming, Reading, Sample, Skipped
from vidseg.errors import InputError
from vidseg.masks import to_rle

# fmt: off
VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train",
    "tvmonitor",
)
# fmt: on


def read(path: Path, naming: Naming) -> Reading:
    """`path` holds SegmentationObject."""
    photos = {photo.stem: photo for photo in photos_below(path / "JPEGImages")}
    return Reading(_found(path, photos))


def _found(path: Path, photos: dict[str, Path]) -> Iterator[Sample | Skipped]:
    splits, names = _splits(path / "ImageSets" / "Segmentation"), _class_names(path)
    for mask in sorted((path / "SegmentationObject").glob("*.png")):
        if mask.stem not in photos:
            yield Skipped(str(mask), "", "no photo of this name")
            continue
        try:
            values = read_values(mask)
            drawn = list(_objects(path, mask.stem, values, names))
        except InputError as error:
            yield Skipped(str(mask), "", str(error))
            continue
        size = values.shape[0], values.shape[1]
        yield from sample(photos[mask.stem], drawn, size=size, split=splits.get(mask.stem))


def _objects(path: Path, stem: str, values: Values, names: list[str]) -> Iterator[Drawn | Skipped]:
    xml = path / "Annotations" / f"{stem}.xml"
    listed = _listed(xml) if xml.is_file() else None
    classes = None if listed is not None else _class_picture(path, stem)
    for value in object_values(values):
        item, pixels = f"object {value}", values == value
        if listed is not None:
            label = listed[value - 1] if value <= len(listed) else None
        else:
            index = 0 if classes is None else class_palette_index(classes, pixels)
            label = names[index - 1] if 0 < index <= len(names) else None
        if label is None:
            yield Skipped("", item, "nothing says what class it is")
        else:
            yield Drawn(label, to_rle(pixels), item)


def _listed(xml: Path) -> list[str]:
    return [each.findtext("name", "").strip() for each in read_xml(xml).iter("object")]


def _class_picture(path: Path, stem: str) -> Values | None:
    picture = path / "SegmentationClass" / f"{stem}.png"
    return read_values(picture) if picture.is_file() else None


def _class_names(path: Path) -> list[str]:
    """The classes from value 1 on."""
    for file in ("class_names.txt", "labelmap.txt"):
        if (path / file).is_file():
            lines = [line.strip() for line in read_text(path / file).splitlines()]
            names = [line.split(":")[0] for line in lines if line and not line.startswith("#")]
            return [name for name in names if name.strip("_") not in ("background", "ignore")]
    return list(VOC_CLASSES)


def _splits(folder: Path) -> dict[str, str]:
    """Photo to split, by the lists train.txt, val.txt and test.txt."""
    found = {}
    for split in ("train", "val", "test"):
        if (folder / f"{split}.txt").is_file():
            found |= {stem: split for stem in read_text(folder / f"{split}.txt").split()}
    return found
