"""Finds the objects in one span of a video's frames, for `merge` to join with those of the others.

The parts of a video, joined, are byte for byte the file of one run. For that a span begins where a
batch and a window of keyframes begin, and reads on until the window after its end is complete, so
that the network sees the same batches. Tracking is left to `merge`, which gets all that it needs of
the pictures: their looks (`vidseg.tracking.looks`).
"""

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from vidseg.concurrency import closing_input
from vidseg.detection.batched import DEFAULT_BATCH_SIZE, detect
from vidseg.detection.keyframes import Every, window_length
from vidseg.detection.predictor import Predictor
from vidseg.errors import InputError, OptionError, OutputError
from vidseg.pipeline._counts import ObjectCounter
from vidseg.pipeline._remote_parts import parts_on_their_way
from vidseg.pipeline._saved_frames import quantize_masks
from vidseg.pipeline.detect_to_file import confident
from vidseg.pipeline.detected_frames import header_of
from vidseg.pipeline.run_options import RunOptions, RunResult
from vidseg.pipeline.search import Search
from vidseg.remote.paths import as_path, url_of
from vidseg.results.parts import Frames, known_input, part_path
from vidseg.results.vidseg_file import read_detections
from vidseg.results.vidseg_header import Header
from vidseg.results.vidseg_writer import DetectionWriter, check_detections_output
from vidseg.structures.instances import Found, Instances
from vidseg.structures.span import Span
from vidseg.tracking.looks import Looker
from vidseg.video.decoding.reader import read_frames
from vidseg.video.info import VideoInfo


def detect_part(
    source: str | Path,
    folder: str | Path,
    frames: Frames,
    *,
    search: Search,
    options: RunOptions | None = None,
    compact: bool = False,
) -> RunResult | None:
    """Write what is found in `frames`, (first, end) indexes, as a part into `folder`, which may be
    a URL.

    With `RunOptions(resume=True)`, a part that is whole stays, which gives None, and one that was
    interrupted is continued; with keyframes it begins anew. The result counts what this run looked
    at.

    Raises:
        OptionError: `source` is no video, `frames` do not begin and end where batches do, or the
            search has a tracker of one's own, which `merge` would not know.
        InputError, OutputError, ModelError: as `vidseg.run`.
    """
    source, folder, (first, end) = as_path(source), as_path(folder), frames
    options = options or RunOptions()
    if url_of(folder) is not None:
        with parts_on_their_way(folder, frames, options) as home:
            return detect_part(
                source, home, frames, search=search, options=options, compact=compact
            )
    resume = options.resume
    if search.tracking.tracker is not None:
        raise OptionError("A tracker of your own cannot be used by spans; detect the whole video.")
    _make(folder)
    info = known_input(source, folder)
    check_frames(info, first, end)
    header = header_of(info, search, Span(), compact=compact)
    target = part_path(folder, frames)
    if resume and target.exists() and _is_of(target, header):
        return None
    check_detections_output(target, [source], resume=resume, force=options.force)
    predictor, every = search.predictor(options.on_download), search.every_in(info.kind)
    batch = batch_size_of(search, predictor)
    _check_aligned(first, end, info, alignment(every, batch))
    part = {
        "frames": [first, end],
        "path": url_of(source) or str(source.resolve()),
        "equal": conditions(predictor, batch),
    }
    counter, looker = ObjectCounter(), Looker() if search.tracking_facts(info.kind) else None
    with DetectionWriter(
        target, replace(header, part=part), resume=resume, every=batch, force=options.force
    ) as writer:
        begin = writer.resume_at.index if writer.resume_at else first
        total = None if end is None else end - first
        with _found(info, predictor, (begin, end), looker, every=every, batch=batch) as found:
            for frame, instances in found:
                kept = quantize_masks(instances) if compact else instances
                writer.write(frame, kept, looker.look(frame, kept) if looker else None)
                counter.add(confident(instances, search.score, tracked=False))
                if options.on_frame is not None:
                    options.on_frame(writer.count, total)
    return counter.result()


def batch_size_of(search: Search, predictor: Predictor) -> int:
    """Frames in one call of the model."""
    return search.model_options.batch_size or getattr(predictor, "batch_size", DEFAULT_BATCH_SIZE)


def alignment(every: Every, batch_size: int) -> int:
    """Spans begin and end at multiples of this many frames: those of a batch, or of a window, whose
    keyframes are its batches."""
    return batch_size if every == 1 else window_length(every, batch_size)


@contextmanager
def _found(
    info: VideoInfo,
    predictor: Predictor,
    frames: Frames,
    looker: Looker | None,
    *,
    every: Every,
    batch: int,
) -> Iterator[Iterator[Found]]:
    """Every frame of the span with what is found in it. `looker` sees the frame before the span,
    since a scene may end there.

    Between keyframes objects are moved from both sides, so that the last ones need the window after
    the span: its keyframes are one batch.
    """
    first, end = frames
    beyond = 0 if every == 1 else window_length(every, batch) + 1
    stop, before = None if end is None else end + beyond, int(first > 0 and looker is not None)
    with closing(read_frames(info, first=first - before, stop=stop)) as source:
        for frame in islice(source, before):
            assert looker is not None
            looker.look(frame, Instances.empty(info.size))
        with closing_input(detect(source, predictor, batch_size=batch, every=every)) as found:
            yield islice(found, None if end is None else end - first)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder {folder} cannot be made: {error.strerror}.") from error


def check_frames(info: VideoInfo, first: int, end: int | None) -> None:
    """Raises OptionError, InputError: the input has no such frames, or cannot be cut into spans."""
    if info.kind != "video":
        raise OptionError(f"`frames` is for videos, and {info.path} is none; leave it out.")
    if first < 0 or (end is not None and end <= first):
        raise OptionError(f"The frames must be A:B with A before B, got {first}:{end}.")
    if info.damage:
        raise InputError(f"{info.path} is damaged: {info.damage}; it cannot be cut into spans.")
    if info.frames is not None and first >= info.frames:
        raise InputError(f"{info.path} has {info.frames} frames; none is at {first} or later.")


def _check_aligned(first: int, end: int | None, info: VideoInfo, step: int) -> None:
    last = end is None or (info.frames is not None and end >= info.frames)
    for index in (first,) if last else (first, end or 0):
        if index % step:
            raise OptionError(
                f"Spans begin and end at multiples of {step} frames with these options, and "
                f"{index} is none; the last one may end anywhere."
            )


def _is_of(path: Path, header: Header) -> bool:
    """Whether the part comes from a run with this header.

    Raises OptionError: it comes from another one.
    """
    if replace(read_detections(path).header, part=None) == header:
        return True
    raise OptionError(f"{path} was made with other options; remove it, or give the same ones.")


def conditions(predictor: Predictor, batch_size: int) -> dict[str, Any]:
    """What decides about the last bit of what the network finds."""
    torch, device = sys.modules.get("torch"), getattr(predictor, "device", None)
    facts = {"batch_size": batch_size, "torch": str(getattr(torch, "__version__", None))}
    facts["precision"] = str(getattr(predictor, "precision", None))
    facts["device"] = None if device is None else str(device.type)
    if torch is not None and device is not None:
        cuda = device.type == "cuda"
        facts["machine"] = (
            torch.cuda.get_device_name(device) if cuda else torch.backends.cpu.get_cpu_capability()
        )
    return facts
