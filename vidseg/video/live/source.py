"""Frames of a live source, at the times they arrive, over as many connections as it takes."""

import logging
import time
from collections.abc import Callable, Generator
from contextlib import closing
from fractions import Fraction
from threading import Event

from vidseg.errors import InputError
from vidseg.structures.frame import Frame
from vidseg.video.live.connections import Connect, StreamEndedError

log = logging.getLogger("vidseg")

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 30.0
"""Pause before the first attempt to connect again; each further one is twice as long, up to the
longest."""
TICKS_PER_SECOND = 90000
"""Resolution of times of arrival, that of broadcast streams."""
MAX_JUMP_SECONDS = 10
"""A stream whose own clock jumps further, or back, has begun anew."""

Clock = Callable[[], float]
"""Seconds since any moment, never going back."""


class LiveSource:
    """Connects, reads, and connects again where a connection breaks."""

    def __init__(
        self, name: str, connect: Connect, *, retries: int = 0, clock: Clock = time.monotonic
    ) -> None:
        """
        Args:
            name: what messages call it.
            connect: opens one connection and gives its pictures; it ends where the stream ends, and
                raises InputError where the connection breaks.
            retries: attempts in a row to connect again before it is given up.
        """
        self.name, self._connect, self._retries, self._clock = name, connect, retries, clock
        self.reconnects = 0
        """How often a connection was made again, or tried to."""

    def frames(self, stop: Event) -> Generator[Frame, None, None]:
        """The frames until the stream ends, or `stop` is set; numbered from 0, the first at 0 s.

        Raises InputError: the first connection cannot be made, or none after a break. A stream that
        ended properly, and does not come again, has only ended.
        """
        times, index, failures, ended = ArrivalTimes(self._clock), 0, 0, False
        while not stop.is_set():
            times.begin()
            try:
                with closing(self._connect(stop)) as pictures:
                    for own_time, image in pictures:
                        if stop.is_set():
                            return
                        yield Frame(index, times.at(own_time), image)
                        del image
                        index, failures = index + 1, 0
                return
            except InputError as error:
                ended = isinstance(error, StreamEndedError) or (ended and failures > 0)
                gives_up = failures >= self._retries
                if stop.is_set() or (gives_up and ended):
                    return
                if index == 0 or gives_up:
                    raise
                pause = min(FIRST_PAUSE_SECONDS * 2**failures, LONGEST_PAUSE_SECONDS)
                log.warning("%s Connecting again in %g s.", error, pause)
            failures, self.reconnects = failures + 1, self.reconnects + 1
            stop.wait(pause)


class ArrivalTimes:
    """Seconds since the first picture: by the stream's own clock within a connection, which has no
    jitter, and by the time of arrival from one connection to the next."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._zero: float | None = None
        self._own: Fraction | None = None
        self._offset = Fraction(0)
        self._last: Fraction | None = None

    def begin(self) -> None:
        """A new connection: its own clock has another zero."""
        self._own = None

    def at(self, own: Fraction | None) -> Fraction:
        """The time of the picture that has just arrived; `own` is that of the stream's clock."""
        now = self._clock()
        self._zero = now if self._zero is None else self._zero
        arrival = Fraction(round((now - self._zero) * TICKS_PER_SECOND), TICKS_PER_SECOND)
        time = arrival if own is None else self._by_own_clock(own, arrival)
        if self._last is not None:
            time = max(time, self._last + Fraction(1, TICKS_PER_SECOND))
        self._last = time
        return time

    def _by_own_clock(self, own: Fraction, arrival: Fraction) -> Fraction:
        if self._own is None or not self._own <= own <= self._own + MAX_JUMP_SECONDS:
            self._offset = arrival - own
        self._own = own
        return own + self._offset
