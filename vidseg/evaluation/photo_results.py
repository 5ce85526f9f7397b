"""Results of photos from files: COCO results, and saved detections.

Ids of photos and categories belong to the annotation file that a photo comes from: the files of two
splits may use the same ids for different photos, and number their categories differently.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from vidseg.datasets.annotation_files import MALFORMED_ERRORS, checked_id, read_json_value, reason
from vidseg.datasets.formats.coco import polygons_of
from vidseg.datasets.rasterize import checked_rle, rasterize, why_not_drawn
from vidseg.datasets.records import Content, Sample
from vidseg.errors import InputError, OptionError
from vidseg.evaluation.coco_ap import MIN_SCORE, results
from vidseg.evaluation.ground_truth import ClassMatch, CocoRecord, first_names, match_classes
from vidseg.results.vidseg_file import Detections, read_detections
from vidseg.structures.masks import RLE

Id = int | str


class FileResults(NamedTuple):
    """Results of a file, for the photos and classes of a dataset."""

    rows: list[CocoRecord]
    """With the image ids of `coco_ids` and the dataset's class numbers."""
    matching: ClassMatch
    notes: list[str]
    """What of the file was left out, in sentences."""


def coco_ids(content: Content) -> list[int]:
    """The image id of each photo: that in its annotation file, or 1, 2, ... if those are not unique
    numbers."""
    ids = [sample.origin.image_id for sample in content.samples if sample.origin is not None]
    numbers = [number for number in ids if isinstance(number, int)]
    if len(numbers) == len(content.samples) == len(set(numbers)):
        return numbers
    return list(range(1, len(content.samples) + 1))


def read_coco(path: Path, content: Content, only: Sequence[str]) -> FileResults:
    """COCO results of the dataset's photos, as RLE, polygons or boxes; `only` are the classes to
    evaluate, if not all.

    Raises InputError: the file does not follow the format, has no result of these photos, or uses
    an id that several of them have. OptionError: no class in common.
    """
    rows = read_json_value(path)
    if not isinstance(rows, list):
        raise InputError(f"{path} holds no COCO results, which are a list.")
    reader = _Reader(path, content)
    for number, row in enumerate(rows):
        reader.take(number, row)
    if rows and not reader.found:
        raise InputError(reader.nothing())
    matching = match_classes(content.classes, content.classes, only)
    return FileResults(_alike(reader.found, reader.notes), matching, reader.all_notes())


def read_saved(path: Path, content: Content, only: Sequence[str]) -> FileResults:
    """Saved detections of a folder of photos, which are matched by their names.

    Raises OptionError: detections with low scores were not kept; InputError: of other photos, or
    several photos of the dataset have the name of one.
    """
    detections = read_detections(path)
    header = detections.header
    if header.kept_score > MIN_SCORE:
        raise OptionError(
            f"{path} holds objects with a score of {header.kept_score:g} or more and AP needs them "
            f"from {MIN_SCORE}; detect again with `keep_score={MIN_SCORE}`."
        )
    names = header.source.get("photos") or [header.source["name"]]
    known = _by_name(path, content, set(names))
    matching = match_classes(content.classes, _searched(detections), only)
    rows: list[CocoRecord] = []
    with closing(iter(detections)) as found:
        for moment, instances in found:
            if moment.index >= len(names):
                raise InputError(f"{path} has more frames than photos; detect again.")
            if (number := known.get(names[moment.index])) is not None:
                rows += results(number, instances, matching.numbers)
    return FileResults(rows, matching, [])


class _Reader:
    """Takes the rows of a file of COCO results one by one."""

    def __init__(self, path: Path, content: Content) -> None:
        self.found: list[CocoRecord] = []
        self.notes: list[str] = []
        self._path, self._content, self._ids = path, content, coco_ids(content)
        self._numbers = {name: number for number, name in content.classes.items()}
        self._photos: dict[Id, list[int]] = {}
        self._strays: Counter[Id] = Counter()
        self._unknown: Counter[Id] = Counter()
        for place, sample in enumerate(content.samples):
            number = self._ids[place] if sample.origin is None else sample.origin.image_id
            self._photos.setdefault(number, []).append(place)

    def take(self, number: int, row: Any) -> None:
        """Raises InputError: the row does not follow the format, or its photo is not clear."""
        try:
            image, category = checked_id(row["image_id"]), checked_id(row["category_id"])
            score = float(row["score"] + 0)
            if not math.isfinite(score):
                raise ValueError("its score is not finite")
            places = self._photos.get(image, [])
            if not places:
                self._strays[image] += 1
                return
            if len(places) > 1:
                raise InputError(self._unclear(image, places))
            sample = self._content.samples[places[0]]
            label = self._label(sample, category)
            if label is None:
                self._unknown[category] += 1
                return
            shape = _shape(row, sample)
        except InputError:
            raise
        except MALFORMED_ERRORS as error:
            raise InputError(
                f"{self._path} holds no COCO results: result {number}: {reason(error)}."
            ) from error
        record = {"image_id": self._ids[places[0]], "category_id": label, "score": score}
        self.found.append(record | shape)

    def nothing(self) -> str:
        """Why no result can be used."""
        if self._strays:
            first = next(iter(self._strays))
            return (
                f"{self._path} holds no result of these photos; its first is of image "
                f"{first}, which the annotations do not list."
            )
        listed = first_names(map(str, self._unknown))
        return f"{self._path} holds no result of the dataset's categories; it has {listed}."

    def all_notes(self) -> list[str]:
        notes = list(self.notes)
        if self._strays:
            notes.append(
                f"{self._strays.total()} results are left out: they are of {len(self._strays)} "
                "images that are not evaluated."
            )
        if self._unknown:
            listed = first_names(map(str, self._unknown))
            notes.append(
                f"{self._unknown.total()} results are left out: the annotations have no "
                f"category {listed}."
            )
        return notes

    def _label(self, sample: Sample, category: Id) -> int | None:
        """The dataset's number of a category id of the sample's file."""
        table = (
            None if sample.origin is None else self._content.category_ids.get(sample.origin.file)
        )
        if table is not None:
            name = table.get(category)
            return None if name is None else self._numbers.get(name)
        return category if isinstance(category, int) and category in self._content.classes else None

    def _unclear(self, image: Id, places: Sequence[int]) -> str:
        names = first_names(str(self._content.samples[place].path) for place in places)
        return (
            f"{self._path} has results of the image {image}, which is {len(places)} photos of the "
            f"dataset ({names}); evaluate one of its files, or one split with `split`."
        )


def _shape(row: Mapping[str, Any], sample: Sample) -> dict[str, Any]:
    """`segmentation` and `bbox` of a result, where it has them; ValueError if it has neither."""
    shape: dict[str, Any] = {}
    if row.get("segmentation"):
        shape["segmentation"] = _rle(row["segmentation"], sample.size)
    if row.get("bbox") is not None:
        x, y, width, height = (float(value) for value in row["bbox"])
        if not all(map(math.isfinite, (x, y, width, height))):
            raise ValueError("its box is not finite")
        shape["bbox"] = [x, y, width, height]
    if not shape:
        raise ValueError("it has neither a box nor a mask")
    return shape


def _rle(segmentation: Any, size: tuple[int, int]) -> RLE:
    if isinstance(segmentation, dict):
        rle = checked_rle(segmentation["size"], segmentation["counts"])
        if tuple(rle["size"]) != size:
            height, width = rle["size"]
            raise ValueError(f"a mask of {width}x{height} for a photo of {size[1]}x{size[0]}")
        return rle
    polygons, broken = polygons_of(segmentation)
    why = broken[0][1] if broken else why_not_drawn(polygons, size)
    if why:
        raise ValueError(why)
    return rasterize(polygons, size)


def _alike(rows: list[CocoRecord], notes: list[str]) -> list[CocoRecord]:
    """All with masks, or all without: COCOeval takes the first for all."""
    without = sum("segmentation" not in row for row in rows)
    if without in (0, len(rows)):
        return rows
    notes.append(f"{without} of {len(rows)} results have no mask; only boxes count.")
    return [{k: v for k, v in row.items() if k != "segmentation"} for row in rows if "bbox" in row]


def _by_name(path: Path, content: Content, names: set[str]) -> dict[str, int]:
    known: dict[str, list[int]] = {}
    for number, sample in zip(coco_ids(content), content.samples, strict=True):
        known.setdefault(sample.path.name, []).append(number)
    if not known.keys() & names:
        raise InputError(f"{path} was made from photos other than those of the dataset.")
    for name in sorted(known.keys() & names):
        if len(known[name]) > 1:
            raise InputError(
                f"{path} has objects of {name}, and {len(known[name])} photos of the dataset have "
                "this name; evaluate one split with `split`."
            )
    return {name: numbers[0] for name, numbers in known.items()}


def _searched(detections: Detections) -> Mapping[int, str]:
    """The classes that were searched for."""
    header = detections.header
    if header.labels is None:
        return header.classes
    return {label: header.classes[label] for label in header.labels}
