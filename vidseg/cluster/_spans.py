"""The spans that one video is cut into, and the folder where their parts lie until they are merged.

street.vidseg.parts/spans.json    [[0, 960], [960, null]], so that a run can be resumed
street.vidseg.parts/...           see `vidseg.results.parts`
"""

import json
from contextlib import suppress
from itertools import pairwise
from math import ceil
from pathlib import Path

from vidseg.errors import InputError, OutputError, OutputExistsError
from vidseg.remote.paths import url_of
from vidseg.remote.put import outgoing_folder
from vidseg.results.parts import INDEX_NAME, Frames

MAX_SPAN_FRAMES = 960
"""Frames of a span: some 40 s of video. Long enough beside a seek into the video, short enough to
be found again after a worker died."""

SPANS_PER_WORKER = 4
"""A span is at most this part of a worker's share of the frames that are left. So spans become
shorter towards the end, and all workers end at about the same time, whenever they started."""

PLAN_NAME = "spans.json"


def plan_spans(frames: int | None, step: int, workers: int) -> list[Frames]:
    """Spans that begin at multiples of `step` and cover so many `frames`; the last one has no end.

    A video of an unknown number of frames (None) is one span.
    """
    if frames is None:
        return [(0, None)]
    starts = [0]
    while (left := frames - starts[-1]) > 0:
        wanted = min(MAX_SPAN_FRAMES, ceil(left / (SPANS_PER_WORKER * workers)))
        starts.append(starts[-1] + ceil(wanted / step) * step)
    starts = starts[:-1] or starts
    return [*pairwise(starts), (starts[-1], None)]


def parts_folder(target: Path) -> Path:
    """Where the parts of a file of detections lie: beside it, or for a URL on this machine."""
    url = url_of(target)
    return (target.parent if url is None else outgoing_folder(url)) / f"{target.name}.parts"


def open_folder(folder: Path, *, resume: bool, force: bool) -> None:
    """Make the folder, or with `resume` take it as it is, or with `force` empty it first.

    Raises OutputExistsError, OutputError: it is there already, or cannot be made.
    """
    if folder.exists() and force and not resume:
        remove_folder(folder)
    if folder.exists() and not resume:
        raise OutputExistsError(
            f"{folder} is left from an interrupted run; continue it with "
            "`resume=True`, or start over with `force=True`."
        )
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder {folder} cannot be made: {error.strerror}.") from error


def remove_folder(folder: Path) -> None:
    """Remove the parts, and the folder unless anything else is in it."""
    for path in (folder / PLAN_NAME, folder / INDEX_NAME, *folder.glob("*.vidseg*")):
        path.unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()


def has_parts(folder: Path) -> bool:
    """Whether anything that was found lies in the folder."""
    return any(folder.glob("*.vidseg*"))


def kept_plan(folder: Path, planned: list[Frames]) -> list[Frames]:
    """The spans of the run to resume; `planned`, which is kept for the next one, if there is none.

    Raises InputError: the plan is damaged.
    """
    path = folder / PLAN_NAME
    if not path.exists():
        path.write_text(json.dumps(planned), encoding="utf-8")
        return planned
    try:
        return [
            (int(first), None if end is None else int(end))
            for first, end in json.loads(path.read_bytes())
        ]
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError(f"{path} is damaged; remove the folder, and start over.") from error
