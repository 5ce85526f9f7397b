"""Everything found in an input, saved in one file; a run that was interrupted can be resumed."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path

import numpy as np

from vidseg.concurrency import closing_input, prefetch
from vidseg.errors import OptionError
from vidseg.pipeline._counts import ObjectCounter
from vidseg.pipeline.find import (
    READ_AHEAD_FRAMES,
    detected_frames,
    expected_frames,
    header_of,
)
from vidseg.pipeline.run_options import RunOptions, RunResult
from vidseg.pipeline.search import Search
from vidseg.pipeline.stages import with_ids
from vidseg.results.replay import replay
from vidseg.results.vidseg_file import read_detections
from vidseg.results.vidseg_writer import DetectionWriter, check_detections_output
from vidseg.structures.instances import UNTRACKED, Found, Instances, shown
from vidseg.structures.span import Span
from vidseg.tracking.stages import frames_ahead, without_tracks
from vidseg.video.decoding.reader import read_frames
from vidseg.video.info import VideoInfo
from vidseg.video.probe import probe

COMPACT_LEVELS = 16
COMPACT_STEP = 256 // COMPACT_LEVELS
RESUME_MULTIPLE_FRAMES = 8
"""A resumed run begins at a multiple of this many frames, where the batch size is left to the
predictor: its batches are then those of an uninterrupted run."""


def detect_to_file(
    source: str | Path,
    target: str | Path,
    *,
    search: Search,
    span: Span | None = None,
    options: RunOptions | None = None,
    compact: bool = False,
    resume: bool = False,
) -> RunResult:
    """Write everything found in `source` to the file `target`, as `vidseg detect` does.

    `compact` stores soft masks in 16 levels, see `quantize_masks`.

    An interrupted run keeps what it found; `resume` goes on from there, and the file is then the
    same as that of an uninterrupted run. The result counts what this run looked at.

    Raises:
        OptionError: the run to resume had other options, or used keyframes.
        InputError, OutputError, ModelError: as `vidseg.run`.
    """
    span, options = span or Span(), options or RunOptions()
    _check_resume(search, resume=resume)
    check_detections_output(target, [source], resume=resume, force=options.force)
    info = probe(source)
    header = header_of(info, search, span, compact=compact)
    every = search.model_options.batch_size or RESUME_MULTIPLE_FRAMES
    tracking = search.tracking_facts(info.kind)
    # The last frames of an interrupted run were decided on without the frames after them.
    unsettled = frames_ahead(int(tracking["fill"]), 0) if tracking else 0
    counter = ObjectCounter()
    with DetectionWriter(
        target, header, resume=resume, every=every, unsettled=unsettled, force=options.force
    ) as writer:
        total = expected_frames(info, span)
        left = span.starting_at(writer.resume_at.time) if writer.resume_at else span
        known = writer.count if tracking else 0
        before = _replayed(info, writer, span) if known else iter(())
        with (
            detected_frames(info, search, left, options.on_download) as found,
            closing_input(before) as replayed,
            closing_input(_quantized(found) if compact else found) as seen,
            closing_input(with_ids(search, chain(replayed, seen), info.kind)) as pairs,
        ):
            for frame, instances in islice(pairs, known, None):
                writer.write(frame, quantize_masks(instances) if compact else instances)
                counter.add(confident(instances, search.score, tracked=bool(tracking)))
                if options.on_frame is not None:
                    options.on_frame(writer.count, total)
    return counter.result()


def confident(instances: Instances, score: float, *, tracked: bool) -> Instances:
    """The objects that other commands will show."""
    if tracked:
        return instances[instances.ids != UNTRACKED]
    return shown(instances, score=score)


def _check_resume(search: Search, *, resume: bool) -> None:
    if resume and search.every != 1:
        raise OptionError("A run with --every begins anew; give --force in place of --resume.")


def _replayed(info: VideoInfo, writer: DetectionWriter, span: Span) -> Iterator[Found]:
    """What an earlier run found before the frame to go on with, for the tracker to know."""
    assert writer.resume_at is not None
    frames = read_frames(
        info,
        start=span.start,
        end=writer.resume_at.time,
        keep_interlaced=span.keep_interlaced,
    )
    detections = read_detections(writer.part)
    return without_tracks(replay(prefetch(frames, READ_AHEAD_FRAMES), detections))


def quantize_masks(instances: Instances) -> Instances:
    """The same objects with masks in `COMPACT_LEVELS` levels.

    Values of 128 or more stay there and lower ones stay lower: no cell crosses the threshold."""
    low = instances.masks // COMPACT_STEP * COMPACT_STEP  # the lower end of each level
    masks = np.where(low == 256 - COMPACT_STEP, 255, np.where(low == 0, 0, low + COMPACT_STEP // 2))
    return replace(instances, masks=masks.astype(np.uint8))


def _quantized(found: Iterable[Found]) -> Iterator[Found]:
    for frame, instances in found:
        yield frame, quantize_masks(instances)
