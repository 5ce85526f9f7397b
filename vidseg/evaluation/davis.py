"""DAVIS: a folder of mask images per clip; each value is an object, the same one in every frame.

0 is background. 255 is void where objects are numbered from 1. Where it is the only value, it is
the object of DAVIS 2016, which annotates one object per clip.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from vidseg.datasets.label_images import Values, read_values
from vidseg.errors import InputError
from vidseg.evaluation.clips import ANY_CLASS, Clip, MaskTrack
from vidseg.structures.masks import RLE, to_rle
from vidseg.video.decoding.image_reader import READABLE_PHOTO_SUFFIXES

VOID_VALUE = 255
TRUTH_FOLDERS = ("Annotations", "Annotations_unsupervised")
PHOTO_FOLDER = "JPEGImages"


def is_truth(path: Path) -> bool:
    """Whether there are folders of PNG files below Annotations, beside JPEGImages."""
    return (path / PHOTO_FOLDER).is_dir() and bool(_folders(path))


def read_truth(path: Path) -> list[Clip]:
    """Raises InputError: a mask image cannot be read, or the sizes differ."""
    clips = []
    for folder in _folders(path):
        root = next(path / name for name in TRUTH_FOLDERS if (path / name) in folder.parents)
        name = folder.relative_to(root)
        clips.append(_clip(folder, path / PHOTO_FOLDER / name, name))
    names = [clip.name.rsplit("/", 1)[-1] for clip in clips]
    short = len(set(names)) == len(names)  # DAVIS may hold a clip in two sizes
    return [replace(c, name=n) for c, n in zip(clips, names, strict=True)] if short else clips


def read_results(folder: Path, clip: Clip) -> list[MaskTrack]:
    """The tracks in a folder of mask images, one per frame or per annotated frame.

    Raises InputError: the number of images or their size does not fit.
    """
    pictures = _pngs(folder)
    indexes = {clip.frames: range(clip.frames), len(clip.counted): clip.counted}
    if len(pictures) not in indexes:
        raise InputError(
            f"{folder} has {len(pictures)} mask images and {clip.name} has {clip.frames} frames."
        )
    masks, size = _masks(pictures, indexes[len(pictures)])
    if size != clip.size:
        raise InputError(f"{folder} has masks of {_by(size)} for a clip of {_by(clip.size)}.")
    return [MaskTrack(ANY_CLASS, seen) for seen in masks.values()]


def _folders(path: Path) -> list[Path]:
    roots = [path / name for name in TRUTH_FOLDERS if (path / name).is_dir()]
    below = (folder for root in roots[:1] for folder in root.rglob("*") if folder.is_dir())
    return sorted(folder for folder in below if _pngs(folder))


def _pngs(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.png") if not path.name.startswith("."))


def _clip(folder: Path, photos: Path, name: Path) -> Clip:
    pngs = _pngs(folder)
    found = sorted(p for p in photos.glob("*") if p.suffix.lower() in READABLE_PHOTO_SUFFIXES)
    places = {picture.stem: index for index, picture in enumerate(found or pngs)}
    if missing := [png for png in pngs if png.stem not in places]:
        raise InputError(f"{missing[0]} belongs to no frame in {photos}.")
    annotated = tuple(places[png.stem] for png in pngs)
    masks, size = _masks(pngs, annotated)
    single = set(masks) <= {VOID_VALUE} and bool(masks)
    void = {} if single else masks.pop(VOID_VALUE, {})
    return Clip(
        name=name.as_posix(),
        size=size,
        frames=len(places),
        tracks=[MaskTrack(ANY_CLASS, seen) for seen in masks.values()],
        classes={},
        pictures=tuple(found),
        annotated=None if len(annotated) == len(places) else annotated,
        void=void,
        single=single,
    )


def _masks(
    pictures: list[Path], indexes: range | tuple[int, ...]
) -> tuple[dict[int, dict[int, RLE]], tuple[int, int]]:
    """Value to frame to mask, and the size of the images."""
    masks: dict[int, dict[int, RLE]] = {}
    sizes = set()
    for index, path in zip(indexes, pictures, strict=True):
        values: Values = read_values(path)
        sizes.add((values.shape[0], values.shape[1]))
        for value in np.unique(values).tolist():
            if value:
                masks.setdefault(int(value), {})[index] = to_rle(values == value)
    if len(sizes) > 1:
        first, second = sorted(sizes)[:2]
        folder = pictures[0].parent
        raise InputError(f"{folder} has masks of {_by(first)} and of {_by(second)}.")
    return masks, sizes.pop() if sizes else (0, 0)


def _by(size: tuple[int, int]) -> str:
    return f"{size[1]}x{size[0]}"
