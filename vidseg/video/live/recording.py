"""Records live frames to a video, each at its true time."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from threading import Event

from vidseg.atomic_output import check_output
from vidseg.errors import OptionError
from vidseg.structures.frame import Frame
from vidseg.video.codecs import Encoding, choose_codec
from vidseg.video.encoding.writer import Sink, open_writer
from vidseg.video.info import VideoInfo
from vidseg.video.live.output import Show
from vidseg.video.live.source import TICKS_PER_SECOND

USUAL_RATE = Fraction(30)
"""Frames a second that encoders are told, and how long the last frame stays; the frames' own times
decide about all else."""


class Recording:
    """A video of what is shown; it appears under its name when the run ends."""

    def __init__(
        self, target: str | Path, encoding: Encoding | None = None, *, force: bool = False
    ) -> None:
        """`encoding` is by default that of the target's name. Raises OptionError: no video."""
        self.target, self._force = Path(target), force
        self._encoding = encoding or choose_codec(target)
        if self._encoding.output != "video":
            raise OptionError(f"A recording is a video, and {target} is none; use .mp4 or .mkv.")

    def check(self) -> None:
        """Raises OutputError, OutputExistsError: the file cannot be written."""
        check_output(self.target, (), force=self._force)

    @contextmanager
    def open(self, stop: Event) -> Iterator[Show]:
        """Begins the file with the first frame, which is at its second 0."""
        with ExitStack() as stack:
            sink: Sink | None = None
            first = Fraction(0)

            def show(frame: Frame) -> None:
                nonlocal sink, first
                if sink is None:
                    first = frame.time
                    sink = stack.enter_context(self._writer(frame))
                sink.write(replace(frame, time=frame.time - first, duration=1 / USUAL_RATE))

            yield show

    def _writer(self, first: Frame) -> Sink:
        info = live_info(self.target, first)
        return open_writer(self.target, info, encoding=self._encoding, force=self._force)


def live_info(path: Path, frame: Frame) -> VideoInfo:
    """Frames such as this one, for an encoder: each has a time of its own, and there is nothing to
    copy beside them, as of an animation."""
    return VideoInfo(
        path,
        "animation",
        (frame.image.shape[0], frame.image.shape[1]),
        USUAL_RATE,
        constant_rate=False,
        frames=None,
        duration=None,
        time_base=Fraction(1, TICKS_PER_SECOND),
    )
