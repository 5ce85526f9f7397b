"""Divide a dataset into train and val, kept as lists of photos that `read_dataset` follows."""

import os
import random
import re
from collections import defaultdict
from pathlib import Path
from typing import Literal

from vidseg.atomic_output import atomic_output, check_output
from vidseg.datasets.copies import source_photo, source_stem
from vidseg.datasets.records import Content, Sample
from vidseg.errors import OptionError

FRAME_NAME = re.compile(r"^(?P<video>.*?)[-_. ]*(?:frame|img)?[-_. ]*\d+$", re.IGNORECASE)
"""`clip_frame_0012` is a frame of `clip`; a bare number names no video."""


def divide(
    content: Content, *, val: float = 0.2, by: Literal["image", "video"] = "image", seed: int = 0
) -> dict[str, list[Sample]]:
    """Samples of `train` and `val`, the share `val` of the photos in val, as near as possible.

    Copies of one photo stay together (see `vidseg.datasets.copies`). By `video`, the frames of one
    video do too, since neighbouring frames look alike: photos with the same name before their
    number or, where the name is only a number, in the same folder.

    Raises OptionError: a part would be empty.
    """
    if not 0 < val < 1:
        raise OptionError(f"The share of val must lie between 0 and 1, and it is {val:g}.")
    groups: dict[str, list[Sample]] = defaultdict(list)
    for sample in content.samples:
        source = source_photo(sample.path) if by == "image" else source_video(sample.path)
        groups[str(source)].append(sample)
    if len(groups) < 2:
        raise OptionError(_one_group(by, content))
    names = sorted(groups)
    random.Random(seed).shuffle(names)
    wanted, chosen, count = val * len(content.samples), set(), 0
    for name in names:
        if abs(count + len(groups[name]) - wanted) < abs(count - wanted):
            chosen.add(name)
            count += len(groups[name])
    chosen = chosen or {min(names, key=lambda name: len(groups[name]))}
    parts = {"train": [], "val": []}
    for name in sorted(groups):
        parts["val" if name in chosen else "train"] += groups[name]
    return parts


def source_video(photo: Path) -> str:
    """A name for the video that the photo was taken from."""
    stem = source_stem(photo)
    match = FRAME_NAME.match(stem)
    name = match["video"] if match else stem
    return str(photo.parent / name) if name else str(photo.parent)


def write_lists(
    parts: dict[str, list[Sample]], folder: str | Path, *, force: bool = False
) -> list[Path]:
    """Write `train.txt` and `val.txt` in `folder`, one photo a line, by its path from there.

    In the folder of the dataset, `read_dataset` takes the splits from them.
    """
    files = {split: Path(folder) / f"{split}.txt" for split in parts}
    for file in files.values():
        check_output(file, (), force=force)
    root = Path(folder).resolve()
    for split, file in files.items():
        with atomic_output(file, force=force) as part:
            paths = (os.path.relpath(each.path.resolve(), root) for each in parts[split])
            lines = "".join(f"{Path(path).as_posix()}\n" for path in paths)
            part.write_text(lines, encoding="utf-8")
    return list(files.values())


def _one_group(by: str, content: Content) -> str:
    if by == "video" and len(content.samples) > 1:
        return "All photos seem to come from one video; split them by image."
    return "There is only one photo, which cannot be split."
