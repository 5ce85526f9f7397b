"""The background replaced by a colour, a photo or a video."""

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from vidseg.effects._alpha_masks import blend_into, soft_alpha
from vidseg.effects._blending import solid
from vidseg.effects.effect import Draw
from vidseg.errors import InputError, OptionError
from vidseg.structures.colors import Color
from vidseg.structures.frame import Frame, Image
from vidseg.structures.instances import Instances, check_fits
from vidseg.video.decoding.reader import read_frames
from vidseg.video.info import VideoInfo
from vidseg.video.probe import probe

CHROMA_GREEN: Color = (0, 177, 64)
"""Chroma key green, as in studios."""


@dataclass(frozen=True, slots=True)
class ReplaceBackground:
    """Puts the objects on a colour, on a photo, or on a video that plays along and repeats.

    A picture of another aspect ratio fills the frame and is cropped at its edges. Raises InputError
    in the constructor if the file cannot be read.
    """

    color: Color | None = None
    """Chroma key green by default, if there is no `file`."""
    file: Path | None = None
    """A photo, video, animated image or folder of photos."""
    _info: VideoInfo | None = field(init=False, repr=False, default=None)
    _first: Image | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        if self.file is None:
            return
        if self.color is not None:
            raise OptionError("A background is a color or a file; give only one of them.")
        info = probe(self.file)
        object.__setattr__(self, "_info", info)
        with closing(read_frames(info)) as frames:
            first = next(frames, None)
        if first is None:
            raise InputError(f"{self.file} has no frame that can be read.")
        object.__setattr__(self, "_first", first.image)

    def __call__(self, image: Image, instances: Instances) -> Image:
        """A new (H, W, 3) uint8 RGB picture; `image` stays as it is."""
        check_fits(instances, image)
        if self._first is None:
            return _put_on(solid(image.shape, self.color or CHROMA_GREEN), image, instances)
        return _put_on(fitted_to_fill(self._first, instances.size), image, instances)

    @contextmanager
    def begin(self) -> Iterator[Draw]:
        """Plays the file from its beginning; see `vidseg.effects.effect`."""
        if self._info is None:
            yield lambda frame, instances: self(frame.image, instances)
            return
        with closing(_endless(self._info)) as frames:
            yield _playing(frames)


def fitted_to_fill(picture: Image, size: tuple[int, int]) -> Image:
    """A new picture of `size` (height, width), scaled to fill it and cropped at the edges."""
    height, width = picture.shape[:2]
    scale = max(size[0] / height, size[1] / width)
    used = min(round(size[0] / scale), height), min(round(size[1] / scale), width)
    top, left = (height - used[0]) // 2, (width - used[1]) // 2
    middle = picture[top : top + used[0], left : left + used[1]]
    if used == size:
        return np.array(middle)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(middle, size[::-1], interpolation=method), np.uint8)


def _put_on(background: Image, image: Image, instances: Instances) -> Image:
    blend_into(background, np.ascontiguousarray(image), soft_alpha(instances))
    return background


def _playing(frames: Iterator[Frame]) -> Draw:
    """Draws with the background frame that is shown at the time since the first frame drawn."""
    shown, following = next(frames), next(frames, None)
    began: Fraction | None = None
    fitted: tuple[Frame, Image] | None = None

    def draw(frame: Frame, instances: Instances) -> Image:
        nonlocal shown, following, began, fitted
        check_fits(instances, frame.image)
        began = frame.time if began is None else began
        while following is not None and following.time <= frame.time - began:
            shown, following = following, next(frames, None)
        if fitted is None or fitted[0] is not shown or fitted[1].shape != frame.image.shape:
            fitted = shown, fitted_to_fill(shown.image, instances.size)
        return _put_on(fitted[1].copy(), frame.image, instances)

    return draw


def _endless(info: VideoInfo) -> Generator[Frame, None, None]:
    """The frames repeated without end, with continuous times; a single frame only once."""
    offset, several = Fraction(0), True
    while several:
        end, several = offset, False
        with closing(read_frames(info)) as frames:
            for frame in frames:
                several = end > offset
                yield replace(frame, time=offset + frame.time)
                end = offset + frame.time + frame.duration
        offset = end
