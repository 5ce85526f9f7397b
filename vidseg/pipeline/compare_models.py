"""Several models on one input: time, memory, what they find, how far they agree, side by side.

Each model runs in a process of its own, one after the other, so that none slows another and each
has a peak memory of its own. What it finds is kept as saved detections in a temporary folder.
"""

import multiprocessing
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vidseg.atomic_output import check_output
from vidseg.effects import Overlay
from vidseg.effects.side_by_side import side_by_side, size_beside
from vidseg.errors import OptionError, VidsegError
from vidseg.pipeline._compatibility import check_kinds
from vidseg.pipeline._peak_memory import peak_memory
from vidseg.pipeline.detect_to_file import detect_to_file
from vidseg.pipeline.run_options import OnFrame, RunOptions
from vidseg.pipeline.search import Search
from vidseg.results.replay import replay
from vidseg.results.vidseg_file import Detections, read_detections
from vidseg.structures.frame import Frame
from vidseg.structures.instances import Instances, shown
from vidseg.structures.mask_overlap import best_pairs
from vidseg.structures.masks import iou_matrix
from vidseg.structures.span import Span
from vidseg.video.codecs import Encoding, choose_codec
from vidseg.video.decoding.reader import read_frames
from vidseg.video.encoding.writer import open_writer
from vidseg.video.info import VideoInfo
from vidseg.video.probe import probe

AGREEMENT_MIN_IOU = 0.5
"""IoU from which two masks of one class are the same object, as in COCO's AP50."""

OnModel = Callable[[str, int, int | None], None]
"""Called with the model, frames done, and frames in all if known."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One model on the input."""

    model: str
    loading: float
    """Seconds to import torch and load the weights."""
    seconds: float
    """Of all frames, from reading to saving."""
    frames: int
    peak_bytes: int
    """The most memory that its process held."""
    objects: int = 0
    """Of all frames, from the score asked for on."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two models see the same, object by object."""

    models: tuple[str, str]
    matched: int
    """Pairs of objects of one frame and class with a mask IoU of at least `AGREEMENT_MIN_IOU`."""
    f_measure: float
    """Twice the matched pairs by the objects of both; 1 where both find the same, or nothing."""
    mean_iou: float | None
    """Of the matched pairs; None where there are none."""


@dataclass(frozen=True, slots=True)
class Comparison:
    models: tuple[Measured, ...]
    agreements: tuple[Agreement, ...]
    """Of the first model with each other one."""

    def facts(self) -> dict[str, Any]:
        """All of it for JSON."""
        return asdict(self)


def compare(
    source: str | Path,
    searches: Mapping[str, Mapping[str, Any]],
    target: str | Path | None = None,
    *,
    score: float = 0.5,
    encoding: Encoding | None = None,
    span: Span | None = None,
    force: bool = False,
    on_frame: OnModel | None = None,
) -> Comparison:
    """Run several models on `source`, and draw what they find side by side into `target`.

    Args:
        searches: a name for each model, and the arguments of its `Search`; in a script of your
            own, call this under ``if __name__ == "__main__"``, since it starts processes.
        target: a video, or None for figures alone.

    Raises:
        OptionError: fewer than two models; as `Search` raises it.
        VidsegError: a model's process died, for example of too little memory; and the errors of
            `vidseg.run`.
    """
    span = span or Span()
    if len(searches) < 2:
        raise OptionError("A comparison needs two models; give `model` twice.")
    if target is not None:
        check_output(target, [source], force=force)
        encoding = encoding or choose_codec(target)
    info = probe(source)
    if encoding is not None:
        check_kinds(info.kind, encoding.output)
    with tempfile.TemporaryDirectory(prefix="vidseg-compare-") as folder:
        runs: list[tuple[Measured, Detections]] = []
        for number, (name, options) in enumerate(searches.items()):
            path = Path(folder) / f"{number}.vidseg"
            run = ModelRun(name, str(source), path, {**options, "score": score}, span)
            runs.append((_in_process(run, on_frame), read_detections(path)))
        if target is not None:
            _draw(info, target, runs, score, encoding, span, force)
        return _judged(runs, score)


# --- one model in its process -------------------------------------------------------------------


class ModelRun(NamedTuple):
    """What a process does: run one model, and save what it finds."""

    model: str
    source: str
    target: Path
    search: dict[str, Any]
    """Arguments of `Search`."""
    span: Span


def _in_process(run: ModelRun, on_frame: OnModel | None) -> Measured:
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(sender, run), daemon=True)
    process.start()
    sender.close()
    try:
        for message in _messages(receiver, run.model):
            if isinstance(message, Measured):
                return message
            if isinstance(message, Exception):
                raise message
            if on_frame is not None:
                on_frame(run.model, *message)
        raise AssertionError("the messages end with a result or an error")
    finally:
        process.kill()
        process.join()
        receiver.close()


def _messages(receiver: Connection, name: str) -> Iterator[Any]:
    while True:
        try:
            yield receiver.recv()
        except EOFError:
            raise VidsegError(
                f"The process of {name} died, perhaps for lack of memory; compare a smaller model."
            ) from None


def _serve(sender: Connection, run: ModelRun) -> None:
    """What the process does: frames done, then the result or an error, through the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches it too; its parent ends it
    try:
        sender.send(_measure(run, lambda done, total: sender.send((done, total))))
    except VidsegError as error:
        sender.send(error)


def _measure(run: ModelRun, on_frame: OnFrame) -> Measured:
    began = time.monotonic()
    search = Search(**run.search)
    search.predictor()
    loaded = time.monotonic()
    options = RunOptions(on_frame=on_frame)
    made = detect_to_file(run.source, run.target, search=search, span=run.span, options=options)
    seconds = time.monotonic() - loaded
    return Measured(run.model, loaded - began, seconds, made.frames, peak_memory())


# --- what they found ----------------------------------------------------------------------------


def _judged(runs: Sequence[tuple[Measured, Detections]], score: float) -> Comparison:
    counts = [sum(len(shown(each, score=score)) for _, each in found) for _, found in runs]
    models = tuple(
        replace(measured, objects=count) for (measured, _), count in zip(runs, counts, strict=True)
    )
    return Comparison(models, tuple(_agreement(runs[0], other, score) for other in runs[1:]))


def _agreement(
    one: tuple[Measured, Detections], other: tuple[Measured, Detections], score: float
) -> Agreement:
    ious: list[float] = []
    objects = 0
    for (_, mine), (_, theirs) in zip(one[1], other[1], strict=True):
        left, right = shown(mine, score=score), shown(theirs, score=score)
        objects += len(left) + len(right)
        ious += matched(left, right, one[1].header.classes, other[1].header.classes)
    return Agreement(
        models=(one[0].model, other[0].model),
        matched=len(ious),
        f_measure=2 * len(ious) / objects if objects else 1.0,
        mean_iou=float(np.mean(ious)) if ious else None,
    )


def matched(
    left: Instances, right: Instances, left_names: Mapping[int, str], right_names: Mapping[int, str]
) -> list[float]:
    """IoU of each pair of one class, paired for the largest sum, from `AGREEMENT_MIN_IOU` on."""
    if not len(left) or not len(right):
        return []
    ours = np.array([left_names[int(label)] for label in left.labels])
    theirs = np.array([right_names[int(label)] for label in right.labels])
    ious = iou_matrix(left, right) * (ours[:, None] == theirs)
    return ious[best_pairs(ious, ious >= AGREEMENT_MIN_IOU)].tolist()


def _draw(
    info: VideoInfo,
    target: str | Path,
    runs: Sequence[tuple[Measured, Detections]],
    score: float,
    encoding: Encoding | None,
    span: Span,
    force: bool,
) -> None:
    titles = [
        f"{measured.model}, {measured.frames / measured.seconds:.1f} frames a second"
        for measured, _ in runs
    ]
    effects = [Overlay(found.header.classes, color_by="class") for _, found in runs]
    wide = replace(info, size=size_beside(info.size, len(runs)))
    with (
        _together(info, [found for _, found in runs], span) as frames,
        open_writer(
            target, wide, encoding=encoding, start=span.start, end=span.end, force=force
        ) as sink,
    ):
        for frame, objects in frames:
            drawn = [
                effect(frame.image, shown(each, score=score))
                for effect, each in zip(effects, objects, strict=True)
            ]
            sink.write(replace(frame, image=side_by_side(drawn, titles)))


@contextmanager
def _together(
    info: VideoInfo, several: Sequence[Detections], span: Span
) -> Iterator[Iterator[tuple[Frame, list[Instances]]]]:
    """Each frame with what every model found in it."""
    with ExitStack() as stack:
        first = stack.enter_context(
            closing(replay(read_frames(info, start=span.start, end=span.end), several[0]))
        )
        others = [stack.enter_context(closing(iter(found))) for found in several[1:]]
        yield (
            (frame, [instances, *(next(other)[1] for other in others)])
            for frame, instances in first
        )
