"""VGG Image Annotator 3: the project's JSON, with rectangles, circles, ellipses and polygons.

A shape is a list of numbers, `xy`, of which the first is its kind. Segments in time (`z`) are
those of videos and are skipped.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vidseg.datasets._photo_finder import PhotoFinder
from vidseg.datasets.annotation_files import MALFORMED_ERRORS, read_json, reason
from vidseg.datasets.formats.via import Files, Region, class_attribute, region_class
from vidseg.datasets.rasterize import ellipse, polygon, rectangle
from vidseg.datasets.records import Naming, Polygon, Reading, Sample, Shape, Skipped
from vidseg.datasets.sample_builder import build_sample
from vidseg.errors import InputError


def read(path: Path, naming: Naming) -> Reading:
    """Raises InputError: the file does not follow the format; OptionError: it is not clear which
    attribute holds the class."""
    document = read_json(path)
    try:
        names = {key: _file_name(each) for key, each in document["file"].items()}
        regions = _regions(document)
        prefix = str(
            document.get("config", {}).get("file", {}).get("loc_prefix", {}).get("1") or ""
        )
    except MALFORMED_ERRORS as error:
        raise InputError(f"{path} does not follow VIA's format: {reason(error)}.") from error
    files: Files = [(names[key], regions.get(key, [])) for key in names]
    chosen = class_attribute(files, naming.class_attribute)
    folders = (path.parent, path.parent / prefix, path.parent / "images")
    photos = PhotoFinder(path, *folders, names=list(names.values()))
    return Reading(_found(files, photos, chosen, naming))


def _found(
    files: Files, photos: PhotoFinder, chosen: str | None, naming: Naming
) -> Iterator[Sample | Skipped]:
    for name, regions in files:
        assert not isinstance(regions, Skipped)
        drawn = [_drawn(place, each, chosen, naming) for place, each in enumerate(regions)]
        yield from build_sample(photos.locate(name), drawn)


def _file_name(file: Mapping[str, Any]) -> str:
    """The name of the photo: its URI where it is no name alone, without a scheme of VIA's own."""
    return str(file.get("src") or file.get("fname")).removeprefix("file://")


def _regions(document: Mapping[str, Any]) -> dict[str, list[Region]]:
    """Number of the file to its regions."""
    views = {key: [str(fid) for fid in view["fid_list"]] for key, view in document["view"].items()}
    attributes = document.get("attribute") or {}
    found: dict[str, list[Region]] = defaultdict(list)
    for each in document["metadata"].values():
        fids = views.get(str(each["vid"]), [])
        region = Region({"xy": each.get("xy") or [], "z": each.get("z")}, _named(each, attributes))
        if len(fids) == 1 and region.shape["xy"]:
            found[fids[0]].append(region)
    return found


def _named(each: Mapping[str, Any], attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attribute to value, the options by their names."""
    named = {}
    for key, value in (each.get("av") or {}).items():
        attribute = attributes.get(key) or {}
        options = attribute.get("options") or {}
        named[str(attribute.get("aname", key))] = options.get(str(value), value) or value
    return named


def _drawn(number: int, region: Region, chosen: str | None, naming: Naming) -> Shape | Skipped:
    item = f"region {number}"
    label = region_class(region, chosen) if chosen else naming.class_name
    if not label:
        return Skipped("", item, f"it has no single value for the attribute {chosen}")
    if region.shape["z"]:
        return Skipped("", item, "a segment in time has no area")
    try:
        kind, *numbers = (float(value) for value in region.shape["xy"])
        if kind not in OUTLINE_READERS:
            return Skipped("", item, f"a shape of the kind {kind:g} has no area")
        return Shape(label, (OUTLINE_READERS[int(kind)](numbers),), item)
    except MALFORMED_ERRORS as error:
        return Skipped("", item, f"not a valid shape: {error}")


def _rectangle(numbers: Sequence[float]) -> Polygon:
    x, y, width, height = numbers
    return rectangle(x, y, x + width, y + height)


def _circle(numbers: Sequence[float]) -> Polygon:
    x, y, radius = numbers
    return ellipse((x, y), (radius, radius))


def _ellipse(numbers: Sequence[float]) -> Polygon:
    x, y, rx, ry = numbers
    return ellipse((x, y), (rx, ry))


def _polygon(numbers: Sequence[float]) -> Polygon:
    return polygon(list(zip(numbers[::2], numbers[1::2], strict=True)))


OUTLINE_READERS: dict[float, Callable[[Sequence[float]], Polygon]] = {
    2: _rectangle,
    3: _circle,
    4: _ellipse,
    6: _polygon,  # a polyline, which is closed
    7: _polygon,
    8: _rectangle,
    9: _circle,
}
"""VIA 3's numbers of the shapes with an area (`_VIA_RSHAPE` in its source)."""
