"""RectLabel's own files: XML as in VOC, with outlines.

`polygon` has x1, y1, x2, y2 and so on, `cubic_bezier` also the control points after (`x1_c1`) and
before (`x1_c2`) each point, and `pixels` refers to the image `NAME_pixelsID.png` beside the file.
RectLabel's exports as COCO, YOLO or LabelMe go through those readers. The same files without
outlines, as LabelImg writes them, hold boxes only, which are skipped.
Format: the examples and templates in github.com/ryouchinsa/Rectlabel-support.
"""

from collections.abc import Iterator
from itertools import count, takewhile
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from vidseg.datasets._photo_finder import PhotoFinder
from vidseg.datasets.annotation_files import checked_size, read_xml
from vidseg.datasets.label_images import read_values
from vidseg.datasets.rasterize import bezier, polygon
from vidseg.datasets.records import Naming, Polygon, Reading, Sample, Shape, Skipped
from vidseg.datasets.sample_builder import build_sample
from vidseg.errors import InputError
from vidseg.structures.masks import to_rle


def read(path: Path, naming: Naming) -> Reading:
    """`path` is one file or a folder of them."""
    files = sorted(path.glob("*.xml")) if path.is_dir() else [path]
    folder = path if path.is_dir() else path.parent
    beside = folder.parent
    photos = PhotoFinder(path, folder, beside, beside / "images", beside / "JPEGImages")
    return Reading(found for file in files for found in _file(file, photos))


def _file(path: Path, photos: PhotoFinder) -> Iterator[Sample | Skipped]:
    try:
        root = read_xml(path)
        name = root.findtext("filename", "").strip()
        drawn = [_drawn(path, number, each) for number, each in enumerate(root.iter("object"))]
        size = _size(root)
    except (InputError, ValueError) as error:
        yield Skipped(str(path), "", str(error))
        return
    yield from build_sample(photos.locate(name), drawn, size=size)


def _size(root: Element) -> tuple[int, int] | None:
    height, width = (root.findtext(f"size/{side}") or "0" for side in ("height", "width"))
    return checked_size(int(height), int(width))


def _drawn(path: Path, number: int, thing: Element) -> Shape | Skipped:
    item, label = f"object {number}", thing.findtext("name", "").strip()
    if not label:
        return Skipped("", item, "it has no class")
    try:
        outline, curve = thing.find("polygon"), thing.find("cubic_bezier")
        if outline is not None:
            return Shape(label, (polygon(_points(outline)),), item)
        if curve is not None:
            points, leaving, arriving = (_points(curve, end) for end in ("", "_c1", "_c2"))
            return Shape(label, (bezier(polygon(points), leaving, arriving),), item)
        if thing.find("pixels") is not None:
            picture = f"{path.stem}_pixels{thing.findtext('pixels/id', '').strip()}.png"
            return Shape(label, to_rle(read_values(path.parent / picture) > 0), item)
    except (ValueError, InputError) as error:
        return Skipped("", item, str(error))
    reason = "it has no outline"
    return Skipped("", item, "a box without a mask" if thing.find("bndbox") is not None else reason)


def _points(shape: Element, end: str = "") -> Polygon:
    """The points x1, y1, x2, y2 ..., with `end` appended to their names."""
    values = {child.tag: child.text for child in shape}
    pairs = ((values.get(f"x{n}{end}"), values.get(f"y{n}{end}")) for n in count(1))
    there = takewhile(lambda pair: None not in pair, pairs)
    return np.array([(float(x or 0), float(y or 0)) for x, y in there]).reshape(-1, 2)
