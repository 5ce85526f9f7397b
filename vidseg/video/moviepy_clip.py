"""A moviepy clip over exact frames: all methods of moviepy work on it, and no frame is lost.

Importing this module imports moviepy (about 0.3 s).
"""

import logging
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from vidseg.structures.frame import Frame, Image
from vidseg.structures.instances import Instances
from vidseg.video.decoding.reader import read_frames
from vidseg.video.environment import default_variable
from vidseg.video.info import VideoInfo
from vidseg.video.probe import probe

# moviepy runs the programs that a .env file names, which may be anybody's
with default_variable("PYTHON_DOTENV_DISABLED", "1"):
    from moviepy import AudioFileClip, VideoClip

log = logging.getLogger("vidseg")

Pair = tuple[Frame, Instances]
"""A frame and its objects."""
Draw = Callable[[Image, Instances], Image]

DURATION_MARGIN = 1e-9
"""Share by which a clip's duration is longer: moviepy rounds duration x fps down to a count."""
MAX_TIME_ERROR = Fraction(1, 1000)
"""Seconds by which a container that counts milliseconds may be off the exact rate, and more."""


class FrameClip(VideoClip):
    """A moviepy clip over a stream of frames and their objects, each pulled once and in order.

    `frames()` plays the clip, with all its transforms, over the frames and times of the stream.
    moviepy's `get_frame`, `iter_frames` and `write_videofile` work too, but only forwards; a clip
    from `open` can also go back, by reading the file again. A function given to `image_transform`
    is called once a frame, without moviepy's extra call for the size, and may draw into its array.

    Methods of moviepy return copies of a clip. All copies share one stream: use one at a time.
    """

    def __init__(
        self,
        pairs: Iterable[Pair | Frame],
        info: VideoInfo,
        *,
        reopen: Callable[[], Iterable[Pair | Frame]] | None = None,
    ) -> None:
        """`pairs` may be frames alone (with no objects); `reopen` gives them again, to go back."""
        super().__init__(duration=_clip_duration(info))
        self.stream = _Stream(pairs, info, reopen)
        self.fps = float(info.rate)
        self.frame_function = self.stream.image_at
        self._size: tuple[int, int] | None = (info.size[1], info.size[0])
        self._memo: tuple[Fraction, Image] | None = None

    @classmethod
    def open(cls, path: str | Path, *, sound: bool = True) -> "FrameClip":
        """The clip of a file of any kind, without objects; close it after use.

        With `sound` it has moviepy's clip of the file's default sound, for `write_videofile`.
        Raises InputError if the file cannot be read.
        """
        info = probe(path)
        clip = cls(read_frames(info), info, reopen=lambda: read_frames(info))
        if sound and any(stream.kind == "audio" for stream in info.streams):
            clip.audio = _sound(info.path)
        return clip

    @property
    def size(self) -> tuple[int, int]:
        """(width, height). After a transform, that of the first frame, computed once."""
        if self._size is None:
            time = self.stream.first_time()
            self._memo = (time, self.get_frame(time))
            self._size = self._memo[1].shape[1], self._memo[1].shape[0]
        return self._size

    @size.setter
    def size(self, size: tuple[int, int]) -> None:
        self._size = size

    def get_frame(self, t: Any) -> Image:
        """The image shown at `t` seconds, (H, W, 3) uint8, writable."""
        if self._memo is not None:
            (time, image), self._memo = self._memo, None
            if t == time:
                return image
        image: Any = super().get_frame(t)
        return image

    def with_updated_frame_function(self, frame_function: Callable[[float], Image]) -> "FrameClip":
        """A copy with other images; unlike moviepy's, it computes none to learn the size."""
        clip = self.copy()
        clip.frame_function = frame_function
        clip._size = clip._memo = None
        return clip

    def draw(self, effect: Draw) -> "FrameClip":
        """A clip with `effect(image, instances)` on every frame; an effect must not keep state."""
        stream = self.stream
        return self.image_transform(lambda image: effect(image, stream.instances))

    def frames(self) -> Iterator[Frame]:
        """Every frame of the stream once, as this clip shows it, with its own index and time.

        Raises ValueError if the clip's times are no longer those of its stream, as after
        `subclipped` or a change of speed: use `iter_frames` or `write_videofile` then.
        """
        with closing(self.stream.drive()) as driven:
            for frame, _ in driven:
                yield replace(frame, image=self.get_frame(frame.time))

    def pairs(self) -> Iterator[Pair]:
        """Every frame of the stream once, as it came, with its objects.

        Until the next pair, `get_frame(frame.time)` of this clip and of all its copies shows that
        frame.
        """
        with closing(self.stream.drive()) as driven:
            yield from driven

    def close(self) -> None:
        """Stop reading, here and in every copy."""
        self.stream.close()
        if self.audio is not None:
            self.audio.close()


class _Stream:
    """Pulls frames: in order for `frames()`, by time for moviepy."""

    def __init__(
        self,
        pairs: Iterable[Pair | Frame],
        info: VideoInfo,
        reopen: Callable[[], Iterable[Pair | Frame]] | None,
    ) -> None:
        self._source = iter(pairs)
        self._reopen = reopen
        self._slack = min(MAX_TIME_ERROR, 1 / (4 * info.rate))
        self._current: Pair | None = None
        self._next: Pair | None = None
        self._driving = False
        self._at_start = False

    @property
    def pair(self) -> Pair:
        """The current frame with its objects."""
        return self._now()

    @property
    def instances(self) -> Instances:
        """The objects of the current frame."""
        return self._now()[1]

    def first_time(self) -> Fraction:
        """Time of the current frame, which is the first one before any was asked for."""
        return self._now()[0].time

    def drive(self) -> Generator[Pair, None, None]:
        """Hand out the frames from the current one on; meanwhile `image_at` knows only that one."""
        self._driving = True
        try:
            if self._current is not None:
                yield self._current
            while self._advance():
                yield self._now()
        finally:
            self._driving = False

    def image_at(self, t: float | Fraction) -> Image:
        """The image of the frame shown at `t`; before the first frame, that of the first."""
        frame = self._now()[0]
        if self._driving:
            if t != frame.time:
                raise ValueError(
                    f"frames() works on the stream's own times, but {float(t):.3f} s was asked "
                    f"for at frame {frame.index}; use iter_frames() or write_videofile() instead."
                )
            return frame.image
        return self._seek(t).image.copy()

    def close(self) -> None:
        close = getattr(self._source, "close", None)
        if close is not None:
            close()

    def _seek(self, t: float | Fraction) -> Frame:
        if self._current is not None and t < self._current[0].time - self._slack:
            self._go_back(t)
        while (following := self._peek()) is not None and following[0].time <= t + self._slack:
            self._advance()
        return self._now()[0]

    def _go_back(self, t: float | Fraction) -> None:
        if self._at_start:
            return
        if self._reopen is None:
            raise ValueError(f"This clip goes forwards only; {float(t):.3f} s has passed already.")
        self.close()
        self._source = iter(self._reopen())
        self._current = self._next = None

    def _now(self) -> Pair:
        if self._current is None and not self._advance():
            raise ValueError("The clip holds no frame.")
        assert self._current is not None
        return self._current

    def _peek(self) -> Pair | None:
        if self._next is None:
            self._next = self._pull()
        return self._next

    def _advance(self) -> bool:
        following, self._next = self._peek(), None
        if following is None:
            return False
        self._at_start = self._current is None
        self._current = following
        return True

    def _pull(self) -> Pair | None:
        item = next(self._source, None)
        if isinstance(item, Frame):
            height, width = item.image.shape[:2]
            return item, Instances.empty((height, width))
        return item


def _clip_duration(info: VideoInfo) -> float | None:
    """Seconds; see `DURATION_MARGIN`."""
    return None if info.duration is None else float(info.duration) * (1 + DURATION_MARGIN)


def _sound(path: Path) -> AudioFileClip | None:
    try:
        return AudioFileClip(str(path))
    except (OSError, KeyError, ValueError, AttributeError, IndexError) as error:
        log.warning("moviepy cannot read the sound of %s: %s.", path, type(error).__name__)
        return None
