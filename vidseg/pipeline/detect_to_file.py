"""Saves the detections of an input in a `.vidseg` file, and resumes interrupted runs."""

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
from vidseg.results.replay import replay
from vidseg.results.vidseg_file import read_detections
from vidseg.results.vidseg_writer import DetectionWriter, check_detections_output
from vidseg.structures.instances import Found, Instances
from vidseg.tracking.stages import frames_ahead, without_tracks
from vidseg.video.decoding.reader import read_frames
from vidseg.video.info import VideoInfo
from vidseg.video.probe import probe

COMPACT_LEVELS = 16
"""Mask levels of `compact` files, instead of 256."""
COMPACT_STEP = 256 // COMPACT_LEVELS
RESUME_MULTIPLE_FRAMES = 8
"""A resumed run starts at a multiple of this if the predictor chooses the batch size: its batches
are then those of an uninterrupted run."""


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

    `compact` stores soft masks in 16 levels, see `quantize_masks`.

    An interrupted run leaves what it found; `resume` continues from there, and the file equals that
    of an uninterrupted run. Checks and errors are those of `run`, and OptionError for a run to
    resume that had other options or uses keyframes.
    """
    check_resume(search.every, resume=resume)
    start, end = exact(start, end)
    check_detections_output(target, [source], resume=resume, force=force)
    info = probe(source)
    header = header_of(info, search, start=start, end=end, keep_going=keep_going, compact=compact)
    every, tracking = search.batch_size or RESUME_MULTIPLE_FRAMES, search.tracking(info.kind)
    # Tracking of the last frames depends on frames that the interrupted run had not seen.
    unsettled = frames_ahead(int(tracking["fill"]), 0) if tracking else 0
    with DetectionWriter(
        target, header, resume=resume, every=every, unsettled=unsettled, force=force
    ) as writer:
        total = expected_frames(info, start, end)
        resume_time = writer.resume_at.time if writer.resume_at else start
        known = writer.count if tracking else 0
        before = _replayed(info, writer, start) if known else iter(())
        with (
            found_in(info, search, start=resume_time, end=end, keep_going=keep_going) as found,
            closing_input(before) as replayed,
            closing_input(_quantized(found) if compact else found) as seen,
            closing_input(search.identify(chain(replayed, seen), info.kind)) as pairs,
        ):
            for frame, instances in islice(pairs, known, None):
                writer.write(frame, quantize_masks(instances) if compact else instances)
                if on_frame is not None:
                    on_frame(writer.count, total)
    return writer.count


def _replayed(info: VideoInfo, writer: DetectionWriter, start: Fraction | None) -> Iterator[Found]:
    """What the interrupted run found before the frame to resume at, for the tracker to know."""
    assert writer.resume_at is not None
    frames = read_frames(info, start=start, end=writer.resume_at.time)
    return without_tracks(replay(prefetch(frames, READ_AHEAD), read_detections(writer.part)))


def quantize_masks(instances: Instances) -> Instances:
    """The same objects with masks in `COMPACT_LEVELS` levels.

    Values of 128 or more stay there and lower ones stay lower: no cell crosses the threshold."""
    low = instances.masks // COMPACT_STEP * COMPACT_STEP  # the lower end of each level
    masks = np.where(low == 256 - COMPACT_STEP, 255, np.where(low == 0, 0, low + COMPACT_STEP // 2))
    return replace(instances, masks=masks.astype(np.uint8))


def _quantized(found: Iterable[Found]) -> Iterator[Found]:
    for frame, instances in found:
        yield frame, quantize_masks(instances)
