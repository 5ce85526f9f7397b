"""YouTube-VIS: truth and results as JSON, a track an entry, with a mask or null for every frame."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vidseg.datasets.annotation_files import (
    MALFORMED_ERRORS,
    checked_flag,
    checked_name,
    checked_size,
    is_regular_file,
    mapped_bytes,
    read_json,
    read_json_value,
    reason,
)
from vidseg.datasets.rasterize import checked_rle, polygon, rasterize, why_not_drawn
from vidseg.errors import InputError
from vidseg.evaluation.clips import Clip, MaskTrack
from vidseg.structures.masks import RLE


def is_truth(path: Path) -> bool:
    """Whether it is a JSON file that lists videos."""
    if path.suffix.lower() != ".json" or not is_regular_file(path):
        return False
    content = mapped_bytes(path)
    return all(content.find(mark) >= 0 for mark in (b'"videos"', b'"annotations"', b'"file_names"'))


def read_truth(path: Path) -> list[Clip]:
    """Raises InputError: the file does not follow the format."""
    document = read_json(path)
    try:
        classes = {int(each["id"]): checked_name(each["name"]) for each in document["categories"]}
        clips = {each["id"]: _clip(each, classes, path) for each in document["videos"]}
        for each in document["annotations"] or []:
            clip = clips[each["video_id"]]
            clip.tracks.append(_track(each, clip))
    except InputError:
        raise
    except MALFORMED_ERRORS as error:
        raise InputError(
            f"{path} does not follow the format of YouTube-VIS: {reason(error)}."
        ) from error
    return list(clips.values())


def read_results(path: Path) -> dict[int, list[MaskTrack]]:
    """Video number to tracks; InputError if the file does not follow the format."""
    try:
        document = read_json_value(path)
        tracks: dict[int, list[MaskTrack]] = {}
        for each in document:
            masks = {
                index: checked_rle(rle["size"], rle["counts"])
                for index, rle in enumerate(each["segmentations"])
                if rle
            }
            track = MaskTrack(int(each["category_id"]), masks, float(each["score"]))
            tracks.setdefault(each["video_id"], []).append(track)
    except InputError:
        raise
    except MALFORMED_ERRORS as error:
        raise InputError(f"{path} holds no results of YouTube-VIS: {reason(error)}.") from error
    return tracks


def _clip(video: Mapping[str, Any], classes: dict[int, str], path: Path) -> Clip:
    files = [str(name) for name in video["file_names"]]
    size = checked_size(video["height"], video["width"])
    if size is None:
        raise ValueError("a video without a size")
    name = files[0].rsplit("/", 1)[0] if "/" in files[0] else str(video["id"])
    return Clip(
        name=name,
        size=size,
        frames=len(files),
        tracks=[],
        classes=classes,
        pictures=_pictures(files, path),
        number=video["id"],
    )


def _pictures(files: list[str], path: Path) -> tuple[Path, ...]:
    """Beside the file, or as in the archives of YouTube-VIS; empty if one is missing."""
    near = path.parent
    for folder in (near, near / "JPEGImages", near / path.stem / "JPEGImages", near / "images"):
        pictures = tuple(folder / name for name in files)
        if all(picture.is_file() for picture in pictures):
            return pictures
    return ()


def _track(annotation: Mapping[str, Any], clip: Clip) -> MaskTrack:
    shapes = annotation["segmentations"]
    if len(shapes) != clip.frames:
        raise ValueError(f"{len(shapes)} masks for the {clip.frames} frames of {clip.name}")
    masks = {index: _rle(shape, clip.size) for index, shape in enumerate(shapes) if shape}
    areas = [area for area in annotation.get("areas") or [] if area]
    return MaskTrack(
        number=int(annotation["category_id"]),
        masks=masks,
        crowd=checked_flag(annotation.get("iscrowd")),
        area=sum(areas) / len(areas) if areas else None,
    )


def _rle(shape: Any, size: tuple[int, int]) -> RLE:
    """From run lengths of either kind, or polygons."""
    if isinstance(shape, dict):
        rle = checked_rle(shape["size"], shape["counts"])
    else:
        outlines = [polygon(np.asarray(part, np.float64).reshape(-1, 2)) for part in shape]
        if why := why_not_drawn(outlines, size):
            raise ValueError(why)
        rle = rasterize(outlines, size)
    if tuple(rle["size"]) != size:
        raise ValueError(f"a mask of size {rle['size']} in a video of size {size}")
    return rle
