"""Bad timestamps are mended between their neighbours; good ones stay."""

from fractions import Fraction
from typing import Any

import pytest

from vidseg.video.decoding._frame_times import MAX_HELD_FRAMES, _Mender, _Stamped

STEP = Fraction(10)


def mended(times: list[int | None]) -> list[float]:
    frame: Any = None
    stamped = (
        _Stamped(number, None if time is None else Fraction(time), STEP, frame)
        for number, time in enumerate(times)
    )
    found = list(_Mender(STEP).mend(stamped))
    assert [item.number for item in found] == list(range(len(times)))
    return [float(item.time) for item in found]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ([0, 10, 25, 40], [0, 10, 25, 40]),
        ([0, 10, 10, 30], [0, 10, 20, 30]),
        ([0, 10, 10, 10, 40], [0, 10, 20, 30, 40]),
        ([0, None, 30, 40], [0, 15, 30, 40]),
        ([0, 10, None, None], [0, 10, 20, 30]),
        ([None, None, 30, 40], [10, 20, 30, 40]),
        ([None, None], [0, 10]),
        ([0, 10, 5, 40], [0, 10, 25, 40]),
        ([100, 110, 0, 10, 20], [100, 110, 120, 130, 140]),
        ([100, 110, None, 0, 12, 20], [100, 110, 120, 130, 142, 150]),
        ([0, 10, 5], [0, 10, 20]),
    ],
    ids=str,
)
def test_good_times_stay_and_bad_ones_are_placed(
    given: list[int | None], wanted: list[float]
) -> None:
    assert mended(given) == wanted


def test_frames_wait_only_so_long_for_a_good_time() -> None:
    count = 3 * MAX_HELD_FRAMES
    assert mended([0, *[None] * count]) == [10 * number for number in range(count + 1)]
