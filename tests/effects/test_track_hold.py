"""Lost objects stay hidden where they were."""

from dataclasses import replace
from fractions import Fraction

import numpy as np

from tests.support.random_instances import blobs
from vidseg.effects._track_hold import TrackHold
from vidseg.structures.frame import Moment
from vidseg.structures.instances import UNTRACKED, Instances

SIZE = (100, 200)
NONE = Instances.empty(SIZE)


def one(x: float, name: int = 1) -> Instances:
    box = np.array([[x, 20, x + 30, 60]], np.float32)
    return replace(blobs(1, SIZE), boxes=box, ids=np.array([name]))


def held(*frames: Instances, longest: int = 3) -> list[Instances]:
    hold = TrackHold(longest)
    return [
        hold.update(Moment(index, Fraction(index, 30)), found) for index, found in enumerate(frames)
    ]


def test_what_is_there_stays_as_it_is() -> None:
    for now in (one(5), NONE, blobs(4, SIZE)):
        assert held(now)[0] is now


def test_a_lost_object_is_held_for_some_frames() -> None:
    found = held(one(50), one(50), NONE, NONE, NONE, NONE, NONE)
    assert [len(now) for now in found] == [1, 1, 1, 1, 1, 0, 0]
    for now in found[2:5]:
        assert np.array_equal(now.boxes, one(50).boxes)
        assert np.array_equal(now.masks, one(50).masks)
        assert now.filled.all()
        assert now.ids.tolist() == [1]


def test_an_object_that_moved_is_held_where_it_was_and_where_it_may_be() -> None:
    found = held(*(one(10.0 + 8 * n) for n in range(10)), NONE, NONE)
    for missed, now in enumerate(found[10:], 1):
        assert np.array_equal(now.boxes[0], one(82).boxes[0])
        assert np.allclose(now.boxes[1], one(82 + 8 * missed).boxes[0], atol=0.1 * missed)


def test_it_stays_inside_the_frame() -> None:
    found = held(*(one(100.0 + 20 * n) for n in range(4)), NONE, NONE, NONE)
    for now in found[4:]:
        assert (now.boxes >= 0).all()
        assert (now.boxes <= (200, 100, 200, 100)).all()


def test_an_object_that_comes_back_is_no_longer_held() -> None:
    found = held(one(50), NONE, one(60), NONE)
    assert [len(now) for now in found] == [1, 1, 1, 2]
    assert found[2].boxes[0, 0] == 60
    assert not found[2].filled.any()


def test_others_change_nothing_and_frames_may_be_missing() -> None:
    hold = TrackHold(5)
    both = replace(blobs(2, SIZE), ids=np.array([1, 2]))
    hold.update(Moment(0, Fraction(0)), both)
    now = hold.update(Moment(4, Fraction(4, 30)), both[1:])
    assert now.ids.tolist() == [2, 1]
    now = hold.update(Moment(9, Fraction(9, 30)), NONE)
    assert now.ids.tolist() == [2]


def test_objects_without_tracks_and_a_hold_of_0_are_not_held() -> None:
    nobody = replace(one(50), ids=np.array([UNTRACKED]))
    assert [len(now) for now in held(nobody, NONE)] == [1, 0]
    assert [len(now) for now in held(one(50), NONE, longest=0)] == [1, 0]
