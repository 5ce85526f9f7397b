"""One picture of a video and its place in time."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vidseg.errors import FrameError

Image = NDArray[np.uint8]
"""A picture: (H, W, 3) uint8, RGB. BGR exists only inside a cv2 call."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Frame:
    """A decoded frame, upright, in display colours."""

    index: int
    """Number of the frame in its source, from 0."""
    time: Fraction
    """Seconds after the start of the source, exact."""
    image: Image
    """(H, W, 3) uint8 RGB."""
    duration: Fraction = Fraction(0)
    """Seconds that the frame is shown; 0 where the source does not say."""

    def __repr__(self) -> str:
        picture = f"{self.image.shape} {self.image.dtype}"
        return f"Frame(index={self.index}, time={self.time}, image={picture})"

    def _repr_png_(self) -> bytes:
        """The picture, for notebooks; encoded only when one shows it."""
        from vidseg.structures._notebook import png_of

        return png_of(self.image)


class Instant(Protocol):
    """A place in time: a `Frame`, or a `Moment` without its picture."""

    @property
    def index(self) -> int: ...
    @property
    def time(self) -> Fraction: ...
    @property
    def duration(self) -> Fraction: ...


@dataclass(frozen=True, slots=True)
class Moment:
    """A frame without its picture, as detection files store it."""

    index: int
    """Number of the frame in its source, from 0."""
    time: Fraction
    """Seconds after the start of the source, exact."""
    duration: Fraction = Fraction(0)
    """Seconds that the frame is shown; 0 where the source does not say."""


def check_image(image: Any) -> None:
    """Raise FrameError unless `image` is an (H, W, 3) uint8 array with at least one pixel.

    The message says how to convert the array.
    """
    if not isinstance(image, np.ndarray):
        raise FrameError(_message(type(image).__name__, "convert it with np.asarray(image)"))
    if image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8 and image.size:
        return
    raise FrameError(_message(f"{image.shape} {image.dtype}", _conversion(image)))


def _conversion(image: NDArray[Any]) -> str:
    """How to make an (H, W, 3) uint8 RGB picture of another array."""
    if not image.size:
        return "it has no pixels"
    if image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 1):
        return "a grey picture needs three equal channels: np.dstack([image] * 3)"
    if image.ndim == 3 and image.shape[2] == 4:
        return "leave the alpha channel out: image[..., :3]"
    if image.ndim == 3 and image.shape[0] in (1, 3, 4) and image.shape[2] != 3:
        return "put the channels last: image.transpose(1, 2, 0)"
    if image.ndim != 3 or image.shape[2] != 3:
        return "give one picture at a time, in RGB"
    return _range_conversion(image)


def _range_conversion(image: NDArray[Any]) -> str:
    if image.dtype == np.uint16:
        return "scale it to 8 bits: (image >> 8).astype(np.uint8)"
    if np.issubdtype(image.dtype, np.floating) and not image.max() > 1:
        return "scale it from 0..1 to 0..255: (image * 255).round().astype(np.uint8)"
    return "convert it: image.clip(0, 255).astype(np.uint8)"


def _message(got: str, advice: str) -> str:
    return f"A frame must be an (H, W, 3) uint8 RGB array, got {got}; {advice}."
