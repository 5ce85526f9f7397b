"""Detections of one video in several files, one for each span of its frames.

    PARTS/index.json                  facts about the video, found once; see `known_input`
    PARTS/00000000-00000960.vidseg    the objects of frames 0 to 959, not tracked
    PARTS/00000960-end.vidseg         those of the rest

With the objects lie their looks, from which they are tracked later without the video: each frame
has `cut` in its line of JSON, and each object `colors` after its mask (`vidseg.tracking.looks`).

The header of a part has `part`: its `frames`, the `path` of the video, and `equal`, what must be
the same in all parts for them to be those of one run (precision, device, batch size, releases).
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from vidseg.errors import InputError
from vidseg.remote.fetch import local
from vidseg.results._fingerprint import fingerprint_of_file
from vidseg.results._part_file import part_of
from vidseg.results._records import SavedFrame
from vidseg.results.vidseg_file import Detections, read_detections
from vidseg.results.vidseg_header import Header
from vidseg.structures.instances import Found
from vidseg.tracking.looks import SeenFrame
from vidseg.version import __version__
from vidseg.video.info import VideoInfo
from vidseg.video.probe import probe
from vidseg.video.saved_info import info_from_json, info_to_json

INDEX_NAME = "index.json"

Frames = tuple[int, int | None]
"""(first, end) indexes of a span, `end` exclusive; None is the end of the video."""


def part_path(folder: Path, frames: Frames) -> Path:
    """Where the detections of a span lie."""
    first, end = frames
    return folder / f"{first:08d}-{'end' if end is None else f'{end:08d}'}.vidseg"


def known_input(source: Path, folder: Path) -> VideoInfo:
    """`probe(source)`, which the first one to ask leaves in the folder for all others."""
    source = local(source)
    mark = _mark(source)
    with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        facts = json.loads((folder / INDEX_NAME).read_bytes())
        if facts["of"] == mark:
            return info_from_json(facts["info"], source)
    info = probe(source)
    if info.kind == "video":
        keep_input(info, folder)
    return info


def keep_input(info: VideoInfo, folder: Path) -> None:
    """Leave the facts about a video in the folder, for `known_input`."""
    text = json.dumps({"of": _mark(info.path), "info": info_to_json(info)})
    fresh = folder / f".{INDEX_NAME}.{secrets.token_hex(4)}"
    fresh.write_text(text, encoding="utf-8")
    os.replace(fresh, folder / INDEX_NAME)


def _mark(source: Path) -> dict[str, Any]:
    return {**fingerprint_of_file(source), "program": __version__}


@dataclass(frozen=True, slots=True)
class JoinedParts(Detections):
    """The parts of a whole video, read one after another; nothing is open beyond the one in use."""

    parts: Iterable[Detections]

    def __iter__(self) -> Generator[SavedFrame, None, None]:
        """Each frame of the video in order, with its objects.

        Raises InputError: a frame is missing, or a part is corrupted or not finished.
        """
        due = 0
        for part in self.parts:
            for frame, instances in part.frames(whole=True):
                if frame.index != due:
                    raise InputError(f"{part.path} lacks frame {due}; run its span again.")
                yield frame, instances
                due += 1


def seen_frames(parts: JoinedParts) -> Generator[Found, None, None]:
    """The frames with their looks in place of their pictures, as a tracker takes them.

    Raises InputError: a part holds no looks.
    """
    with closing(iter(parts)) as frames:
        for frame, instances in frames:
            if not isinstance(frame, SeenFrame):
                raise InputError(f"The parts in {parts.path} cannot be tracked; make them again.")
            yield frame, instances


def join_parts(folder: Path, *, frames: int | None, mixed: bool = False) -> JoinedParts:
    """The parts in `folder`, which make up a video of that many `frames` (None: unknown).

    Raises InputError: frames are missing, or in two parts; a part is not finished, or comes from
    another input or run, or, unless `mixed`, from another kind of machine.
    """
    parts = sorted(map(read_detections, _finished(folder)), key=lambda part: _frames(part)[0])
    for part in parts[1:]:
        _check_alike(parts[0], part, mixed=mixed)
    _check_cover(parts, folder, frames)
    for part in parts:
        _check_whole(part, last=part is parts[-1])
    return JoinedParts(folder, replace(parts[0].header, part=None), parts)


def alike_parts(parts: Iterable[Detections]) -> Iterator[Detections]:
    """The parts as they come.

    Raises InputError: one comes from another input, run or kind of machine than the first.
    """
    first: Detections | None = None
    for part in parts:
        first = first or part
        _check_alike(first, part, mixed=False)
        yield part


def _finished(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder of parts; vidseg detect --frames makes one.")
    paths = sorted(folder.glob("*.vidseg"))
    for path in folder.glob("*.vidseg.part"):
        if not any(part_of(whole) == path for whole in paths):
            raise InputError(f"{path} is not finished; run its span again with `resume=True`.")
    if not paths:
        raise InputError(f"{folder} holds no parts; vidseg detect --frames makes them.")
    return paths


def _frames(part: Detections) -> Frames:
    if part.header.part is None:
        raise InputError(f"{part.path} is not a part; merge takes those of detect --frames alone.")
    first, end = part.header.part["frames"]
    return first, end


def _check_alike(one: Detections, other: Detections, *, mixed: bool) -> None:
    known, found = _facts(one.header), _facts(other.header)
    names = [name for name in known if known[name] != found.get(name)]
    if mixed:
        names = [name for name in names if name not in _equal(one.header)]
    if names:
        name = names[0]
        hint = "; `mixed=True` takes them" if name in _equal(one.header) else ""
        raise InputError(
            f"{one.path} and {other.path} are of different runs: {name} is {known[name]} and "
            f"{found.get(name)}{hint}."
        )


def _facts(header: Header) -> dict[str, Any]:
    named = {f.name: getattr(header, f.name) for f in fields(Header) if f.name != "part"}
    return named | _equal(header)


def _equal(header: Header) -> dict[str, Any]:
    return {} if header.part is None else header.part["equal"]


def _check_whole(part: Detections, *, last: bool) -> None:
    """Reads it once, so that nothing is found wrong after hours of tracking."""
    due, end = _frames(part)
    for moment, _ in part.frames(whole=True):
        if moment.index != due:
            break
        due += 1
    else:
        if last or due == end:
            return
    raise InputError(f"{part.path} lacks frame {due}; run its span again.")


def _check_cover(parts: Sequence[Detections], folder: Path, frames: int | None) -> None:
    if (first := _frames(parts[0])[0]) != 0:
        raise InputError(f"{folder} lacks the frames from 0 to {first - 1}.")
    for one, other in pairwise(parts):
        end, start = _frames(one)[1], _frames(other)[0]
        if end is None or end > start:
            raise InputError(f"{one.path} and {other.path} hold the same frames; remove one.")
        if end < start:
            raise InputError(f"{folder} lacks the frames from {end} to {start - 1}.")
    end = _frames(parts[-1])[1]
    if end is not None and (frames is None or end < frames):
        last = "the last one" if frames is None else str(frames - 1)
        raise InputError(f"{folder} lacks the frames from {end} to {last}.")
