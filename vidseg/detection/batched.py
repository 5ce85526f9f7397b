"""Detection stage: frames in, each frame with its objects out, predicted in batches ahead."""

from collections import deque
from collections.abc import Generator, Iterable
from contextlib import closing

from vidseg.concurrency import batched, map_ahead, prefetch
from vidseg.detection.keyframes import Every, detect_keyframes
from vidseg.detection.predictor import Predictor, batches_at_once, predict_frames
from vidseg.structures.frame import Frame
from vidseg.structures.instances import Found

DEFAULT_BATCH_SIZE = 4
"""Frames per batch for a predictor without a `batch_size`."""


def detect(
    frames: Iterable[Frame],
    predictor: Predictor,
    *,
    batch_size: int | None = None,
    every: Every = 1,
) -> Generator[Found, None, None]:
    """Yield each frame with its objects, in order. Other threads read and predict ahead.

    Frames are predicted `batch_size` at a time; None uses the predictor's own `batch_size`. An
    error of the source or of the predictor arrives after all frames before it. Closing the
    generator ends the threads and closes `frames`. With `every` other than 1 the predictor sees
    keyframes only; see `vidseg.detection.keyframes`.
    """
    size = batch_size or getattr(predictor, "batch_size", DEFAULT_BATCH_SIZE)
    if every != 1:
        return detect_keyframes(frames, predictor, every=every, batch_size=size)
    return _detected(frames, predictor, size)


def _detected(
    frames: Iterable[Frame], predictor: Predictor, size: int
) -> Generator[Found, None, None]:
    def find(batch: list[Frame]) -> deque[Found]:
        return deque(zip(batch, predict_frames(predictor, batch), strict=True))

    at_once = batches_at_once(predictor)
    waiting = batched(prefetch(frames, size), size)
    with closing(map_ahead(find, waiting, workers=at_once, ahead=at_once)) as batches:
        for batch in batches:
            while batch:
                yield batch.popleft()
