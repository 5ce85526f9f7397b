"""Which part of an input to process."""

from dataclasses import dataclass
from fractions import Fraction
from math import isfinite
from numbers import Real

from vidseg.errors import OptionError

Seconds = Fraction | float
"""A time in a video; a Fraction is exact."""


@dataclass(frozen=True, slots=True, init=False)
class Span:
    """The part of an input from `start` to before `end`, and how to read what is odd about it.

    `Span()` is the whole input. Times are seconds after the start of the source.
    """

    start: Fraction | None
    """None: from the beginning."""
    end: Fraction | None
    """Exclusive. None: to the end."""
    keep_going: bool
    """Whether a damaged input gives the frames that can be read and a warning, not an error."""

    keep_interlaced: bool
    """Whether interlaced frames are left as they are, not deinterlaced."""

    def __init__(
        self,
        start: Seconds | None = None,
        end: Seconds | None = None,
        keep_going: bool = False,
        keep_interlaced: bool = False,
    ) -> None:
        """Raises OptionError: a time is negative or not finite, or `start` is not before `end`."""
        object.__setattr__(self, "start", _not_negative("start", start))
        object.__setattr__(self, "end", _not_negative("end", end))
        object.__setattr__(self, "keep_going", keep_going)
        object.__setattr__(self, "keep_interlaced", keep_interlaced)
        if self.end is not None and (self.start or 0) >= self.end:
            raise OptionError(
                f"The start, {float(self.start or 0):g} s, must be before the end, "
                f"{float(self.end):g} s."
            )

    def starting_at(self, time: Fraction) -> "Span":
        """The same span with another start."""
        return Span(time, self.end, self.keep_going, self.keep_interlaced)

    @property
    def is_whole(self) -> bool:
        """Whether this is the whole input, whose length may be unknown."""
        return self.start is None and self.end is None


def exact_seconds(name: str, time: Seconds) -> Fraction:
    """The time of that `name` as a Fraction; NumPy's numbers are fine.

    Raises OptionError: it is no finite number.
    """
    if not isinstance(time, Real) or not isfinite(time):
        raise OptionError(f"{name} must be a time in seconds, got {time!r}.")
    return Fraction(time if isinstance(time, int | Fraction) else float(time))


def _not_negative(name: str, time: Seconds | None) -> Fraction | None:
    if time is None:
        return None
    exact = exact_seconds(name, time)
    if exact < 0:
        raise OptionError(f"{name} must not be negative, got {float(time):g}.")
    return exact
