from dataclasses import FrozenInstanceError
from fractions import Fraction

import pytest

from vidseg.errors import OptionError
from vidseg.structures.span import Span


def test_times_are_exact_and_the_default_is_the_whole_input() -> None:
    span = Span(Fraction(1, 3), 2.5, keep_going=True)
    assert (span.start, span.end, span.keep_going) == (Fraction(1, 3), Fraction(5, 2), True)
    assert not span.is_whole
    assert Span().is_whole
    assert Span() == Span(None, None, False, False)


def test_a_span_can_start_later() -> None:
    span = Span(1, 5, keep_going=True, keep_interlaced=True)
    assert span.starting_at(Fraction(2)) == Span(2, 5, True, True)


def test_it_is_a_value() -> None:
    assert len({Span(1), Span(1.0), Span(Fraction(1))}) == 1
    with pytest.raises(FrozenInstanceError):
        Span().start = Fraction(1)  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (-1, None, "start must not be negative, got -1."),
        (None, -0.5, "end must not be negative, got -0.5."),
        (float("nan"), None, "start must be a time in seconds, got nan."),
        ("1:30", None, "start must be a time in seconds, got '1:30'."),
        (2, 1, "The start, 2 s, must be before the end, 1 s."),
        (None, 0, "The start, 0 s, must be before the end, 0 s."),
    ],
)
def test_impossible_spans_are_refused(start: float, end: float, message: str) -> None:
    with pytest.raises(OptionError) as caught:
        Span(start, end)
    assert str(caught.value) == message
