"""Frames that a caller brings: arrays, pairs of time and array, or `Frame`s."""

from collections.abc import Generator, Iterable
from fractions import Fraction
from math import isfinite
from numbers import Real
from os import PathLike

import numpy as np

from vidseg.concurrency import closing_input
from vidseg.errors import FrameError, OptionError
from vidseg.structures.frame import Frame, Image, check_image
from vidseg.structures.span import Seconds, exact_seconds

OwnFrame = Frame | Image | tuple[Seconds, Image]
"""A `Frame`; an (H, W, 3) uint8 RGB array; or one with its time in seconds."""


def numbered_frames(items: Iterable[OwnFrame], rate: Seconds) -> Generator[Frame, None, None]:
    """The items as frames, numbered from 0, in the order of their times; closes `items`.

    Arrays without times come at `rate` frames a second.

    Raises:
        OptionError: the rate is not positive, or a time is no number, or not after the one before.
        FrameError: an image is not (H, W, 3) uint8, or `items` is one image.
    """
    if not isinstance(rate, Real) or not isfinite(rate) or rate <= 0:
        raise OptionError(f"rate must be positive, got {rate} frames a second.")
    if isinstance(items, np.ndarray) and items.ndim < 4:
        raise FrameError(f"Frames of your own come in a list, got one array {items.shape}.")
    return _numbered(items, 1 / exact_seconds("rate", rate))


def _numbered(items: Iterable[OwnFrame], step: Fraction) -> Generator[Frame, None, None]:
    last: Fraction | None = None
    with closing_input(items) as source:
        for index, item in enumerate(source):
            frame = _as_frame(item, index, step)
            check_image(frame.image)
            if last is not None and frame.time <= last:
                raise OptionError(
                    f"Frame {index} is at {float(frame.time):g} s, which is not after the frame "
                    f"before it at {float(last):g} s; pass frames in the order of their times."
                )
            last = frame.time
            yield frame


def _as_frame(item: OwnFrame, index: int, step: Fraction) -> Frame:
    if isinstance(item, Frame):
        return item
    if isinstance(item, tuple):
        if len(item) != 2:
            raise FrameError(f"Frame {index} must be (seconds, image), got {len(item)} values.")
        time, image = item
        return Frame(index, exact_seconds(f"The time of frame {index}", time), image)
    if isinstance(item, str | PathLike):
        raise FrameError(f"Frame {index} is a path, {item}; pass arrays, or one path alone.")
    return Frame(index, index * step, item, step)
