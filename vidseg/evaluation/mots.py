"""MOTS: lines `frame id class height width rle`, or 16-bit PNG files whose values are the ids.

An id is class x 1000 + number. Class 1 is car, 2 is person, 10 a region to ignore. The ground truth
is `SEQ/gt/gt.txt` beside `SEQ/img1` (MOTSChallenge), or `instances_txt/SEQ.txt` or `instances/SEQ/`
(KITTI MOTS) beside `images/SEQ` or `image_02/SEQ`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from configparser import ConfigParser, Error
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pycocotools import mask as coco

from vidseg.datasets.annotation_files import MALFORMED_ERRORS, read_text, reason
from vidseg.datasets.label_images import read_values
from vidseg.datasets.rasterize import checked_rle
from vidseg.errors import InputError
from vidseg.evaluation.clips import Clip, MaskTrack
from vidseg.structures.masks import RLE, to_rle
from vidseg.video.decoding.image_reader import READABLE_PHOTO_SUFFIXES

IGNORED_CLASS = 10
CLASS_NAMES = {1: "car", 2: "person"}
PHOTO_FOLDERS = ("images", "image_02", "training/image_02")


class Line(NamedTuple):
    """One object in one frame."""

    frame: int
    id: int
    number: int
    """Of the class."""
    rle: RLE


def is_truth(path: Path) -> bool:
    """Whether the folder has one of these layouts."""
    return bool(_sources(path))


def read_truth(path: Path) -> list[Clip]:
    """Raises InputError: a line or image does not follow the format."""
    return [_clip(name, source, photos) for name, source, photos in _sources(path)]


def read_results(path: Path, clip: Clip) -> list[MaskTrack]:
    """The tracks of a text file, whose frames count from 0 if there is a frame 0, else as in the
    ground truth (from 1 in MOTSChallenge).

    Raises InputError: a line does not follow the format, or does not fit the clip.
    """
    lines = list(_lines(path))
    first = min((line.frame for line in lines), default=0)
    base = 0 if first == 0 else clip.number
    for line in lines:
        if not 0 <= line.frame - base < clip.frames or tuple(line.rle["size"]) != clip.size:
            height, width = line.rle["size"]
            raise InputError(
                f"{path} has a mask of {width}x{height} in frame {line.frame}, which "
                f"{clip.name} ({clip.frames} frames of {clip.size[1]}x{clip.size[0]}) has not."
            )
    return _tracks(lines, base)


def _sources(path: Path) -> list[tuple[str, Path, Path | None]]:
    """Name, text file or folder of PNG files, and folder of photos of each clip."""
    found: dict[str, Path] = {p.parents[1].name: p for p in path.glob("*/gt/gt.txt")}
    if not found:
        found = {p.stem: p for p in sorted((path / "instances_txt").glob("*.txt"))}
    if not found:
        found = {p.name: p for p in sorted((path / "instances").glob("*")) if any(p.glob("*.png"))}
    return [(name, source, _photos(path, name)) for name, source in sorted(found.items())]


def _photos(path: Path, name: str) -> Path | None:
    folders = [path / name / "img1", *(path / each / name for each in PHOTO_FOLDERS)]
    return next((folder for folder in folders if folder.is_dir()), None)


def _clip(name: str, source: Path, photos: Path | None) -> Clip:
    challenge = source.name == "gt.txt"
    lines = list(_lines(source) if source.is_file() else _pixels(source))
    pictures = (
        sorted(p for p in photos.glob("*") if p.suffix.lower() in READABLE_PHOTO_SUFFIXES)
        if photos
        else []
    )
    base = int(challenge and all(line.frame for line in lines))
    last = max((line.frame for line in lines), default=base - 1)
    frames = len(pictures) or _stated_length(source) or last - base + 1
    if last - base >= frames:
        raise InputError(f"{source} names frame {last} and {name} has {frames} frames.")
    sizes = {tuple(line.rle["size"]) for line in lines}
    if len(sizes) != 1:
        raise InputError(f"{source} holds {'masks of several sizes' if sizes else 'no mask'}.")
    numbers = {line.number for line in lines} - {IGNORED_CLASS}
    ignored = (line for line in lines if line.number == IGNORED_CLASS)
    return Clip(
        name=name,
        size=sizes.pop(),  # pyright: ignore[reportArgumentType]
        frames=frames,
        tracks=_tracks((line for line in lines if line.number != IGNORED_CLASS), base),
        classes={number: CLASS_NAMES.get(number, f"class {number}") for number in sorted(numbers)},
        pictures=tuple(pictures),
        ignored=_regions(ignored, base),
        number=base,
    )


def _lines(path: Path) -> Iterator[Line]:
    for count, text in enumerate(read_text(path).splitlines(), 1):
        if not text.strip():
            continue
        try:
            frame, track, number, height, width, counts = text.split()
            yield Line(int(frame), int(track), int(number), checked_rle((height, width), counts))
        except MALFORMED_ERRORS as error:
            raise InputError(
                f"{path}, line {count}, does not follow the format of MOTS: {reason(error)}."
            ) from error


def _pixels(folder: Path) -> Iterator[Line]:
    """The value 10000 is the region to ignore."""
    for path in sorted(folder.glob("*.png")):
        values = read_values(path)
        for value in np.unique(values).tolist():
            if value:
                yield Line(int(path.stem), int(value), value // 1000, to_rle(values == value))


def _tracks(lines: Iterable[Line], base: int) -> list[MaskTrack]:
    tracks: dict[tuple[int, int], MaskTrack] = {}
    for line in lines:
        track = tracks.setdefault((line.number, line.id), MaskTrack(line.number, {}))
        if line.frame - base in track.masks:
            raise InputError(f"Frame {line.frame} has the MOTS id {line.id} twice.")
        track.masks[line.frame - base] = line.rle
    return list(tracks.values())


def _regions(lines: Iterable[Line], base: int) -> dict[int, RLE]:
    regions: dict[int, Any] = {}
    for line in lines:
        index, region = line.frame - base, line.rle
        both: Any = [region, regions.get(index, region)]
        regions[index] = coco.merge(both)
    return regions


def _stated_length(source: Path) -> int | None:
    """The length in `seqinfo.ini`, if there is one."""
    parser = ConfigParser()
    try:
        parser.read(source.parents[1] / "seqinfo.ini")
        return parser.getint("Sequence", "seqLength")
    except Error:
        return None
