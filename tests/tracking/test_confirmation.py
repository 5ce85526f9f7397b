"""Track confirmation: a track is shown if its mean score reaches the threshold."""

import numpy as np
import pytest

from tests.support.track_stages import displayed
from tests.tracking.test_mask_tracker import frames, objects, square
from vidseg.structures.instances import UNTRACKED, Instances
from vidseg.tracking.confirmation import FORGET_AFTER_FRAMES, TrackConfirmation
from vidseg.tracking.stages import assign_ids, shown_tracks


def sightings(*scores: float | None) -> list[Instances]:
    """One object at rest with these scores; None where it was missed."""
    none = objects()
    return [none if s is None else objects(square(50, 50), scores=[s]) for s in scores]


def shown(*scores: float | None, score: float = 0.5, fill: int = 5) -> list[int]:
    """How many objects each frame shows."""
    return [len(out) for _, out in displayed(frames(*sightings(*scores)), score=score, fill=fill)]


def test_a_false_positive_with_a_few_high_scores_is_not_shown() -> None:
    scores = [0.6, *[0.2] * 6] * 3
    assert sum(shown(*scores)) == 0
    assert sum(shown(*scores, score=0.25)) == len(scores)


def test_a_mostly_confident_track_is_always_shown() -> None:
    assert shown(0.9, 0.9, 0.3, 0.9, 0.2, 0.9, 0.9) == [1] * 7


def test_a_track_that_becomes_confident_is_shown_at_once() -> None:
    scores = [0.6, *[0.2] * 20, *[0.9] * 12]
    first = shown(*scores).index(1)
    assert 21 - 5 <= first <= 21
    assert all(shown(*scores)[first:])


def test_a_long_confident_track_may_be_weak_for_a_while() -> None:
    assert shown(*[0.9] * 30, *[0.2] * 15) == [1] * 45


def test_missed_frames_do_not_count_and_are_filled_in_confirmed_tracks() -> None:
    assert shown(0.6, None, 0.6, None, 0.6) == [1] * 5
    assert shown(0.6, None, 0.6, None, 0.6, fill=0) == [1, 0, 1, 0, 1]
    doubted = [0.6, None, *[0.2] * 8]
    assert sum(shown(*doubted)) == 0


@pytest.mark.parametrize("score", [0.2, 0.35, 0.9, 1.0])
def test_a_score_that_is_just_reached_passes(score: float) -> None:
    assert shown(*[score] * 9, score=score) == [1] * 9


def test_an_unconfirmed_track_is_kept_without_an_id() -> None:
    pairs = frames(*sightings(*[0.6, *[0.2] * 6] * 2))
    known = [out for _, out in assign_ids(pairs, score=0.5, fill=5)]
    assert [out.ids.tolist() for out in known] == [[UNTRACKED]] * 14
    np.testing.assert_array_equal(known[0].scores, np.array([0.6], np.float32))
    assert sum(len(out) for _, out in shown_tracks(frames(*known), radius=2)) == 0


def test_a_gap_in_an_unconfirmed_track_is_not_filled() -> None:
    scores = [0.5, *[0.47] * 14, None, *[0.47] * 4, 0.9, 0.12, *[0.47] * 14]
    assert shown(*scores)[15] == 0


def test_score_histories_of_lost_tracks_are_dropped() -> None:
    confirmation, nothing = TrackConfirmation(0.5), objects()
    for number in range(3 * FORGET_AFTER_FRAMES):
        one = objects(square(50, 50)).with_ids(np.array([number + 1], np.int64))
        assert number + 1 in confirmation.confirmed(number, one, [nothing])
    assert len(confirmation._histories) <= FORGET_AFTER_FRAMES
