"""Results from files: COCO results and saved detections of photos, and tracks as YouTube-VIS JSON,
MOTS text or DAVIS mask images."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from vidseg.datasets.annotation_files import MALFORMED, read_json, read_text
from vidseg.datasets.format_detection import detect_sources, find_sources
from vidseg.datasets.records import Content, Sample, Skipped
from vidseg.errors import InputError, OptionError
from vidseg.evaluation import davis, mots, ytvis
from vidseg.evaluation.clips import ANY_CLASS, Clip, MaskTrack
from vidseg.evaluation.coco_ap import MIN_SCORE, results
from vidseg.evaluation.ground_truth import ClassMatch, CocoRecord, match_classes
from vidseg.results.vidseg_file import Detections, read_detections

VIDSEG_SUFFIX = ".vidseg"
CLIP_READERS = {"ytvis": ytvis, "davis": davis, "mots": mots}
"""Formats of annotated clips: each module has `is_truth` and `read_truth`."""


class Numbering(NamedTuple):
    """The ids of the photos and classes of a dataset in COCO results."""

    ids: list[int]
    """Image id of each sample."""
    shift: int
    """The dataset's class number minus the category id in the file."""


def numbering(path: Path, content: Content) -> Numbering:
    """The ids in the COCO file that the dataset was read from; for other formats 1, 2, ..."""
    plain = Numbering(list(range(1, len(content.samples) + 1)), 0)
    if content.formats != ("coco",):
        return plain
    known: dict[str, list[tuple[str, int]]] = {}
    shift = 0
    for source in find_sources("coco", path) if path.is_file() else detect_sources(path):
        if isinstance(source, Skipped):
            continue
        document = read_json(source.path)
        shift = int(min((each["id"] for each in document["categories"]), default=1) < 1)
        for image in document["images"]:
            name = str(image["file_name"]).replace("\\", "/")
            known.setdefault(Path(name).name, []).append((name, image["id"]))
    ids = [_id(sample, known.get(sample.path.name, [])) for sample in content.samples]
    if any(number is None for number in ids) or len(set(ids)) < len(ids):
        return plain
    return Numbering([number for number in ids if number is not None], shift)


def read_coco(path: Path, numbered: Numbering) -> list[CocoRecord]:
    """COCO results of the dataset's photos, with its class numbers; others are left out.

    Raises InputError: the file is no list of COCO results.
    """
    ids = set(numbered.ids)
    try:
        rows: list[CocoRecord] = json.loads(read_text(path))
        moved = [
            {**row, "category_id": row["category_id"] + numbered.shift, "score": row["score"] + 0}
            for row in rows
            if row["image_id"] in ids and ("bbox" in row or "segmentation" in row)
        ]
    except MALFORMED as error:
        raise InputError(f"{path} holds no COCO results: {error!r}.") from error
    if rows and not moved:
        first = rows[0]["image_id"]
        raise InputError(f"{path} holds no result of these photos; its first is of image {first}.")
    return moved


def read_saved(
    path: Path, content: Content, ids: Sequence[int], only: Sequence[str]
) -> tuple[list[CocoRecord], ClassMatch]:
    """Saved detections of a folder of photos as COCO results, and their classes.

    Raises OptionError: detections with low scores were not kept; InputError: of other photos.
    """
    detections = read_detections(path)
    header = detections.header
    if header.kept_score > MIN_SCORE:
        raise OptionError(
            f"{path} holds objects with a score of {header.kept_score:g} or more and AP needs them "
            f"from {MIN_SCORE}; detect again with --keep-score {MIN_SCORE}."
        )
    names = header.source.get("photos") or [header.source["name"]]
    known = {sample.path.name: number for number, sample in zip(ids, content.samples, strict=True)}
    if not known.keys() & set(names):
        raise InputError(f"{path} was made from photos other than those of the dataset.")
    matching = match_classes(content.classes, _searched(detections), only)
    rows = []
    with closing(iter(detections)) as found:
        for moment, instances in found:
            number = known.get(names[moment.index])
            if number is not None:
                rows += results(number, instances, matching.numbers)
    return rows, matching


def result_of(path: Path, clip: Clip, *, alone: bool) -> Path:
    """The file or folder below `path` with the results of a clip.

    Raises InputError: there is none.
    """
    if path.is_file():
        if alone or path.suffix.lower() == ".json":
            return path
        raise InputError(f"{path} is one file and there are several clips; give a folder.")
    names = (clip.name, clip.name.rsplit("/", 1)[-1])
    for name in names:
        for root in (path, path / "data"):
            for found in (root / f"{name}{VIDSEG_SUFFIX}", root / f"{name}.txt", root / name):
                if found.exists():
                    return found
    below = [folder for folder in path.rglob(names[-1]) if folder.is_dir()]
    if below:
        return below[0]
    if alone and any(path.glob("*.png")):
        return path
    raise InputError(f"{path} holds no results of {clip.name}.")


def read_tracks(path: Path, clip: Clip, *, alone: bool) -> list[MaskTrack]:
    """The tracks of a clip in a YouTube-VIS or MOTS file, or in a DAVIS folder.

    Raises InputError: it has none of these formats, or does not fit the clip.
    """
    if path.is_dir():
        tracks = davis.read_results(path, clip)
        if len(clip.classes) > 1:
            names = ", ".join(clip.classes.values())
            raise InputError(
                f"{path} has mask images, which have no classes, and {clip.name} has {names}."
            )
        number = next(iter(clip.classes), ANY_CLASS)
        return [replace(track, number=number) for track in tracks]
    if path.suffix.lower() == ".json":
        videos = ytvis.read_results(path)
        tracks = videos.get(clip.number, [])
        if alone and len(videos) == 1:
            tracks = next(iter(videos.values()))
        _check_fits(path, clip, tracks)
    else:
        tracks = mots.read_results(path, clip)
    return tracks if clip.classes else [replace(track, number=ANY_CLASS) for track in tracks]


def _check_fits(path: Path, clip: Clip, tracks: Sequence[MaskTrack]) -> None:
    for track in tracks:
        for index, rle in track.masks.items():
            if index >= clip.frames or tuple(rle["size"]) != clip.size:
                height, width = rle["size"]
                raise InputError(
                    f"{path} has a mask of {width}x{height} in frame {index} of {clip.name}, "
                    f"which has {clip.frames} frames of {clip.size[1]}x{clip.size[0]}."
                )


def _searched(detections: Detections) -> Mapping[int, str]:
    """The classes that were searched for."""
    header = detections.header
    if header.labels is None:
        return header.classes
    return {label: header.classes[label] for label in header.labels}


def _id(sample: Sample, known: Sequence[tuple[str, int]]) -> int | None:
    """The id of the image of this name, or of this path where several have it."""
    if len(known) == 1:
        return known[0][1]
    path = sample.path.as_posix()
    return next((number for name, number in known if path.endswith(name)), None)
