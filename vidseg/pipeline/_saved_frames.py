"""Everything found in an input, saved on its way; what an interrupted run saved is taken over."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from threading import Event

import numpy as np

from vidseg.concurrency import closing_input, prefetch, until
from vidseg.errors import OptionError
from vidseg.pipeline.detected_frames import READ_AHEAD_FRAMES, detected_frames, header_of
from vidseg.pipeline.run_options import RunOptions
from vidseg.pipeline.search import Search
from vidseg.pipeline.stages import with_ids
from vidseg.results.replay import replay
from vidseg.results.vidseg_file import read_detections
from vidseg.results.vidseg_writer import DetectionWriter, check_detections_output
from vidseg.structures.instances import Found, Instances
from vidseg.structures.span import Span
from vidseg.tracking.stages import frames_ahead, without_tracks
from vidseg.video.decoding.reader import read_frames
from vidseg.video.info import VideoInfo

COMPACT_LEVELS = 16
COMPACT_STEP = 256 // COMPACT_LEVELS
RESUME_MULTIPLE_FRAMES = 8
"""A resumed run begins at a multiple of this many frames, where the batch size is left to the
predictor: its batches are then those of an uninterrupted run."""


@dataclass(frozen=True, slots=True)
class SaveOptions:
    """Where and how to save."""

    target: Path
    compact: bool = False
    """Store masks in `COMPACT_LEVELS` levels."""
    replay: bool = False
    """Whether a resumed run gives the frames of the run before it again, as drawing them needs."""
    pictures: bool = True
    """Whether the frames come with their pictures."""


@contextmanager
def saved_frames(
    info: VideoInfo,
    search: Search,
    span: Span,
    options: RunOptions,
    saving: SaveOptions,
    *,
    stop: Event | None = None,
) -> Iterator[tuple[DetectionWriter, Iterator[Found]]]:
    """The frames with everything found, each written to a file on its way.

    Raises OptionError: the run to resume had other options, or used keyframes.
    """
    check_resume(search, resume=options.resume)
    header = header_of(info, search, span, compact=saving.compact)
    stop, pictures = stop or Event(), saving.pictures
    tracking = search.tracking_facts(info.kind)
    with DetectionWriter(
        saving.target,
        header,
        resume=options.resume,
        every=search.model_options.batch_size or RESUME_MULTIPLE_FRAMES,
        # The last frames of an interrupted run were decided on without the frames after them.
        unsettled=frames_ahead(int(tracking["fill"]), 0) if tracking else 0,
        force=options.force,
    ) as writer:
        again = tracking is not None or saving.replay
        known = writer.count if again else 0
        left = span.starting_at(writer.resume_at.time) if writer.resume_at else span
        before = _replayed(info, writer, span) if known else iter(())
        with (
            detected_frames(info, search, left, options, stop=stop, pictures=pictures) as found,
            closing_input(before) as replayed,
            closing_input(_compacted(until(stop, found), saving)) as detected,
            closing_input(with_ids(search, chain(replayed, detected), info.kind)) as pairs,
        ):
            if not saving.replay:
                pairs, known = islice(pairs, known, None), 0
            yield writer, _written(pairs, writer, known, saving)


def check_resume(search: Search, *, resume: bool) -> None:
    """Raises OptionError: keyframes, which a run that begins in the middle would not know; or
    workers, who begin where batches do."""
    if resume and search.workers is not None:
        raise OptionError(
            "Workers go on where a run of theirs ended with vidseg detect --resume alone; give "
            "what it finds with `detections`."
        )
    if resume and search.every != 1:
        raise OptionError(
            "A run with `every` begins anew; give `force=True` in place of `resume=True`."
        )


def check_saving(search: Search, source: str | Path, options: RunOptions) -> None:
    """Raises OutputError where what is found cannot be saved; OptionError: a run to resume that
    saves nothing."""
    if search.save is not None:
        check_detections_output(search.save, [source], resume=options.resume, force=options.force)
    elif options.resume:
        raise OptionError(
            "`resume=True` goes on with the file of `save_detections`; name that file."
        )


def _written(
    pairs: Iterable[Found], writer: DetectionWriter, known: int, saving: SaveOptions
) -> Iterator[Found]:
    """The frames, each written but for the first `known`, which are in the file."""
    for number, (frame, instances) in enumerate(pairs):
        if number >= known:
            writer.write(frame, quantize_masks(instances) if saving.compact else instances)
        yield frame, instances


def _replayed(info: VideoInfo, writer: DetectionWriter, span: Span) -> Iterator[Found]:
    """What the interrupted run found before the frame to resume at."""
    assert writer.resume_at is not None
    frames = read_frames(
        info,
        start=span.start,
        end=writer.resume_at.time,
        keep_interlaced=span.keep_interlaced,
    )
    detections = read_detections(writer.part)
    return without_tracks(replay(prefetch(frames, READ_AHEAD_FRAMES), detections))


def _compacted(found: Iterable[Found], saving: SaveOptions) -> Iterator[Found]:
    for frame, instances in found:
        yield frame, quantize_masks(instances) if saving.compact else instances


def quantize_masks(instances: Instances) -> Instances:
    """The same objects with masks in `COMPACT_LEVELS` levels.

    Values of 128 or more stay there and lower ones stay lower: no cell crosses the threshold.
    """
    low = instances.masks // COMPACT_STEP * COMPACT_STEP  # the lower end of each level
    masks = np.where(low == 256 - COMPACT_STEP, 255, np.where(low == 0, 0, low + COMPACT_STEP // 2))
    return replace(instances, masks=masks.astype(np.uint8))
