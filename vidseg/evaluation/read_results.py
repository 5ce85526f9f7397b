"""Tracks from files: YouTube-VIS JSON, MOTS text or DAVIS mask images."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vidseg.errors import InputError
from vidseg.evaluation import davis, mots, ytvis
from vidseg.evaluation.clips import ANY_CLASS, Clip, MaskTrack

VIDSEG_SUFFIX = ".vidseg"
CLIP_READERS = {"ytvis": ytvis, "davis": davis, "mots": mots}
"""Formats of annotated clips: each module has `is_truth` and `read_truth`."""


def clip_format(path: Path) -> str | None:
    """The format of the annotated clips at `path`; None if it is something else."""
    return next((name for name, reader in CLIP_READERS.items() if reader.is_truth(path)), None)


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
