"""VGG Image Annotator 1 and 2: regions as JSON or CSV, and VIA 2's whole project.

VIA 1 writes the regions of a photo as a dict by number, VIA 2 as a list. Shapes: polygon, rect,
circle, ellipse (rotated by `theta` radians since 2.0.9), and polyline, which is closed.
"""

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from vidseg.datasets._photo_finder import PhotoFinder
from vidseg.datasets.annotation_files import (
    MALFORMED_ERRORS,
    checked_name,
    parse_json,
    read_json,
    read_text,
    reason,
)
from vidseg.datasets.rasterize import ellipse, polygon, rectangle
from vidseg.datasets.records import Naming, Polygon, Reading, Shape, Skipped
from vidseg.datasets.sample_builder import build_sample
from vidseg.errors import InputError, OptionError

CLASS_ATTRIBUTES = ("class", "label", "name", "category", "type", "object")
"""Names of the attribute that holds the class, the most likely first."""


class Region(NamedTuple):
    """One shape of one photo."""

    shape: Mapping[str, Any]
    attributes: Mapping[str, Any]


Files = list[tuple[str, list[Region] | Skipped]]
"""The name of each photo with its regions, or with why they cannot be read."""


def read(path: Path, naming: Naming) -> Reading:
    """Raises OptionError: it is not clear which attribute holds the class."""
    files, folder = _files(path)
    folders = (path.parent, path.parent / folder, path.parent / "images")
    photos = PhotoFinder(path, *folders, names=[name for name, _ in files])
    chosen = class_attribute(files, naming.class_attribute)

    def found() -> Iterator[Any]:
        for name, regions in files:
            if isinstance(regions, Skipped):
                yield regions
                continue
            drawn = [_drawn(i, region, chosen, naming) for i, region in enumerate(regions)]
            yield from build_sample(photos.locate(name), drawn)

    return Reading(found())


def class_attribute(files: Files, asked: str | None) -> str | None:
    """The region attribute that holds the class; None if no region has any."""
    sound = (regions for _, regions in files if not isinstance(regions, Skipped))
    every = (region for regions in sound for region in regions)
    used = Counter(
        key for region in every for key in region.attributes if region_class(region, key)
    )
    if asked is not None:
        if asked not in used:
            raise OptionError(_no_attribute(asked, list(used)))
        return asked
    usual = [key for name in CLASS_ATTRIBUTES for key in used if key.lower() == name]
    candidates = list(used) if len(used) == 1 else usual
    if used and not candidates:
        raise OptionError(
            f"The regions have the attributes {', '.join(sorted(used))}; "
            "name the one that holds the class with `class_attribute`."
        )
    return candidates[0] if candidates else None


def _no_attribute(asked: str, used: list[str]) -> str:
    close = get_close_matches(asked, used, n=1)
    meant = f" Did you mean {close[0]}?" if close else ""
    return f"No region has the attribute {asked}; they have: {', '.join(used) or 'none'}.{meant}"


def _files(path: Path) -> tuple[Files, str]:
    """The photos with their regions, and the folder of photos in VIA 2's settings."""
    if path.suffix.lower() == ".csv":
        return _csv(path), "."
    document = read_json(path)
    try:
        settings = document.get("_via_settings") or {}
        folder = str((settings.get("core") or {}).get("default_filepath") or "")
        entries = document.get("_via_img_metadata", document)
        choices = _choices(document)
        return [_entry(path, key, each, choices) for key, each in entries.items()], folder
    except MALFORMED_ERRORS as error:
        raise InputError(f"{path} does not follow VIA's format: {reason(error)}.") from error


def _entry(
    path: Path, key: str, entry: Any, choices: Mapping[str, Mapping[str, str]]
) -> tuple[str, list[Region] | Skipped]:
    try:
        return checked_name(entry["filename"]), _regions(entry["regions"], choices)
    except MALFORMED_ERRORS as error:
        return key, Skipped(
            str(path), key[:80], f"it does not follow VIA's format: {reason(error)}"
        )


def _choices(document: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Attribute to the names of its options, for options whose ids are bare numbers."""
    attributes = (document.get("_via_attributes") or {}).get("region") or {}
    options = {name: each.get("options") or {} for name, each in attributes.items()}
    return {
        name: {id: str(told) for id, told in each.items() if id.isdigit() and told}
        for name, each in options.items()
    }


def _regions(regions: Any, choices: Mapping[str, Mapping[str, str]]) -> list[Region]:
    listed = regions.values() if isinstance(regions, dict) else regions
    return [Region(r["shape_attributes"], _told(r["region_attributes"], choices)) for r in listed]


def _told(
    attributes: Mapping[str, Any], choices: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    return {
        name: choices.get(name, {}).get(value, value) if isinstance(value, str) else value
        for name, value in attributes.items()
    }


def _csv(path: Path) -> Files:
    """One line per region; a photo without regions has a line with an empty shape."""
    files: dict[str, list[Region]] = {}
    for row in _rows(read_text(path)):
        name = row.get("filename", row.get("#filename"))
        try:
            shape = parse_json(row["region_shape_attributes"])
            region = Region(shape, parse_json(row["region_attributes"]))
        except MALFORMED_ERRORS as error:
            raise InputError(f"{path} does not follow VIA's format: {reason(error)}.") from error
        files.setdefault(str(name), []).extend([region] if shape else [])
    return list(files.items())


def _rows(text: str) -> Iterator[dict[str, Any]]:
    """The rows of a CSV file, whose cells may be longer than Python's default limit."""
    before = csv.field_size_limit(max(len(text), 1))
    try:
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
    except csv.Error as error:
        raise InputError(f"The CSV file cannot be read: {error}.") from error
    finally:
        csv.field_size_limit(before)
    yield from rows


def _drawn(number: int, region: Region, chosen: str | None, naming: Naming) -> Shape | Skipped:
    item = f"region {number}"
    label = region_class(region, chosen) if chosen else naming.class_name
    if not label:
        return Skipped("", item, f"it has no single value for the attribute {chosen}")
    kind = str(region.shape.get("name"))
    if kind not in OUTLINE_READERS:
        return Skipped("", item, f"a {kind} has no area")
    try:
        return Shape(label, (OUTLINE_READERS[kind](region.shape),), item)
    except KeyError as error:
        return Skipped("", item, f"the {kind} has no {error}")
    except MALFORMED_ERRORS as error:
        return Skipped("", item, f"not a valid {kind}: {error}")


def region_class(region: Region, attribute: str) -> str:
    """A text or the id of an option; of check boxes (id to bool) the only one that is ticked."""
    value = region.attributes.get(attribute, "")
    if isinstance(value, dict):
        ticked = [name for name, on in value.items() if on]
        value = ticked[0] if len(ticked) == 1 else ""
    return str(value).strip()


def _polygon(shape: Mapping[str, Any]) -> Polygon:
    xs, ys = shape["all_points_x"], shape["all_points_y"]
    return polygon(list(zip(xs, ys, strict=True)))


def _rect(shape: Mapping[str, Any]) -> Polygon:
    x, y = float(shape["x"]), float(shape["y"])
    return rectangle(x, y, x + float(shape["width"]), y + float(shape["height"]))


def _circle(shape: Mapping[str, Any]) -> Polygon:
    radius = float(shape["r"])
    return ellipse((float(shape["cx"]), float(shape["cy"])), (radius, radius))


def _ellipse(shape: Mapping[str, Any]) -> Polygon:
    radii = float(shape["rx"]), float(shape["ry"])
    center = float(shape["cx"]), float(shape["cy"])
    return ellipse(center, radii, float(shape.get("theta", 0)))


OUTLINE_READERS: dict[str, Callable[[Mapping[str, Any]], Polygon]] = {
    "polygon": _polygon,
    "polyline": _polygon,
    "rect": _rect,
    "circle": _circle,
    "ellipse": _ellipse,
}
