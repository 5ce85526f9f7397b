"""Detections of a whole input saved in one file, also by several runs that were broken off."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path

import numpy as np

from vidseg.concurrency import closing_input, prefetch
from vidseg.pipeline.run import (
    READ_AHEAD,
    OnFrame,
    exact,
    expected_frames,
    found_in,
    header_of,
)
from vidseg.pipeline.search import Search, Seconds, check_resume
from vidseg.results.replay import saved
from vidseg.results.vidseg_file import read_detections
from vidseg.results.vidseg_writer import DetectionWriter, check_detections_output
from vidseg.structures.instances import Found, Instances
from vidseg.tracking.stages import frames_ahead, without_tracks
from vidseg.video.decoding.reader import read_frames
from vidseg.video.info import VideoInfo
from vidseg.video.probe import probe

LEVELS = 16
STEP = 256 // LEVELS
RESUMED_AT = 8
"""A resumed run goes on at a multiple of so many frames, where the batch size is left to the
predictor: its batches are then those of an unbroken run."""


def save_detections(
    source: str | Path,
    target: str | Path,
    *,
    search: Search,
    compact: bool = False,
    resume: bool = False,
    start: Seconds | None = None,
    end: Seconds | None = None,
    force: bool = False,
    keep_going: bool = False,
    on_frame: OnFrame | None = None,
) -> int:
    """Write everything found in `source` to the file `target`; returns the number of its frames.

    `compact` stores soft masks in 16 levels, see `coarse`.

    A run that is broken off leaves what it found; `resume` goes on with that, and the file is then
    that of an unbroken run. In the order of checks and the errors as `run`, and OptionError for
    a run to resume that had other options, or goes by keyframes.
    """
    check_resume(search.every, resume=resume)
    start, end = exact(start, end)
    check_detections_output(target, [source], resume=resume, force=force)
    info = probe(source)
    header = header_of(info, search, start=start, end=end, keep_going=keep_going, compact=compact)
    every, tracking = search.batch_size or RESUMED_AT, search.tracking(info.kind)
    # What a broken run said of its last frames, it said without those after them.
    unsettled = frames_ahead(int(tracking["fill"]), 0) if tracking else 0
    with DetectionWriter(
        target, header, resume=resume, every=every, unsettled=unsettled, force=force
    ) as sink:
        total, again = expected_frames(info, start, end), sink.again.time if sink.again else start
        known = sink.count if tracking else 0
        before = _replayed(info, sink, start) if known else iter(())
        with (
            found_in(info, search, start=again, end=end, keep_going=keep_going) as found,
            closing_input(before) as replayed,
            closing_input(_coarse(found) if compact else found) as seen,
            closing_input(search.identify(chain(replayed, seen), info.kind)) as pairs,
        ):
            for frame, instances in islice(pairs, known, None):
                sink.write(frame, coarse(instances) if compact else instances)
                if on_frame is not None:
                    on_frame(sink.count, total)
    return sink.count


def _replayed(info: VideoInfo, sink: DetectionWriter, start: Fraction | None) -> Iterator[Found]:
    """What an earlier run found before the frame to go on with, for the tracker to know."""
    assert sink.again is not None
    frames = read_frames(info, start=start, end=sink.again.time)
    return without_tracks(saved(prefetch(frames, READ_AHEAD), read_detections(sink.part)))


def coarse(instances: Instances) -> Instances:
    """The same objects with masks in `LEVELS` levels; what is 128 or more stays so, and what is
    less stays less."""
    low = instances.masks // STEP * STEP  # the lower end of each level
    masks = np.where(low == 256 - STEP, 255, np.where(low == 0, 0, low + STEP // 2))
    return replace(instances, masks=masks.astype(np.uint8))


def _coarse(found: Iterable[Found]) -> Iterator[Found]:
    for frame, instances in found:
        yield frame, coarse(instances)
