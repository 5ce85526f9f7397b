"""LabelMe 3.0: the XML of MIT's LabelMe, which CVAT writes too, one file per photo.

An object has a `polygon` of `<pt>`, or a `segm` whose mask image lies in `Masks/`.
"""

from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from vidseg.datasets._photo_finder import PhotoFinder
from vidseg.datasets.annotation_files import (
    MALFORMED_ERRORS,
    checked_name,
    checked_size,
    is_regular_file,
    read_xml,
    reason,
)
from vidseg.datasets.label_images import read_values
from vidseg.datasets.rasterize import polygon
from vidseg.datasets.records import Naming, Reading, Sample, Shape, Skipped
from vidseg.datasets.sample_builder import build_sample
from vidseg.errors import InputError
from vidseg.structures.masks import to_rle


def read(path: Path, naming: Naming) -> Reading:
    """`path` is one file or a folder of them."""
    files = sorted(path.glob("*.xml")) if path.is_dir() else [path]
    return Reading(found for file in files for found in _file(file))


def _file(path: Path) -> Iterator[Sample | Skipped]:
    try:
        root = read_xml(path)
        size = checked_size(root.findtext("imagesize/nrows"), root.findtext("imagesize/ncols"))
    except InputError as error:
        yield Skipped(str(path), "", str(error))
        return
    except MALFORMED_ERRORS as error:
        yield Skipped(str(path), "", f"it does not follow LabelMe's format: {reason(error)}")
        return
    objects = enumerate(root.iter("object"))
    drawn = [_drawn(path, n, each) for n, each in objects if not _is_deleted(each)]
    name = root.findtext("filename", "").strip()
    photo = PhotoFinder(path, path.parent, *_beside(path, "Images")).locate(name)
    yield from build_sample(photo, drawn, size=size)


def _is_deleted(thing: Element) -> bool:
    return thing.findtext("deleted", "0").strip() == "1"


def _drawn(path: Path, number: int, thing: Element) -> Shape | Skipped:
    item = f"object {number}"
    try:
        label = checked_name(thing.findtext("name"))
        mask = thing.findtext("segm/mask", "").strip()
        if mask:
            return Shape(label, to_rle(read_values(_mask_file(path, mask)) > 0), item)
        if thing.findtext("type", "").strip() == "bounding_box":
            return Skipped("", item, "a box without a mask")
        points = thing.findall("polygon/pt")
        pairs = [(float(p.findtext("x", "")), float(p.findtext("y", ""))) for p in points]
        return Shape(label, (polygon(pairs),), item)
    except (*MALFORMED_ERRORS, InputError) as error:
        return Skipped("", item, f"not a valid object: {error}")


def _beside(path: Path, name: str) -> list[Path]:
    """Where the photos or masks may be: `Images/FOLDER/` belongs to `Annotations/FOLDER/`."""
    home = path.parent
    folders = (home / name, home.parent / name, home.parent.parent / name / home.name, home.parent)
    return list(folders)


def _mask_file(path: Path, name: str) -> Path:
    plain = Path(name).name
    tries = [folder / plain for folder in (path.parent, *_beside(path, "Masks"))]
    return next((each for each in tries if is_regular_file(each)), tries[0])
