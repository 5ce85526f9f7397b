"""Track ids, gaps and smoothing, on moving scenes with known detection faults."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.support.simulated_tracks import (
    ALL_FAULTS,
    NO_FAULTS,
    SCENES,
    SIZE,
    SOME_FAULTS,
    Actor,
    Scene,
    cuts,
    faulty_detections,
    line,
    reentry,
    with_faults,
)
from tests.support.track_scores import Scores, scores
from tests.support.track_stages import displayed, tracked
from vidseg.structures.frame import Frame
from vidseg.structures.instances import UNTRACKED, Found, Instances
from vidseg.structures.mask_overlap import mask_areas, mask_ious, shapes
from vidseg.structures.masks import iou_matrix
from vidseg.tracking.mask_tracker import MaskTracker
from vidseg.tracking.stages import drop_untracked, fill_gaps, frames_ahead, smooth
from vidseg.video.analysis.scene_cuts import CutFinder

MEMORY = 30
GREY = np.full((*SIZE, 3), 110, np.uint8)


def objects(*boxes: tuple[float, float, float, float], **columns: list[float]) -> Instances:
    """Discs in boxes; label 1 and score 0.9 unless `labels` and `scores` are given."""
    n = len(boxes)
    cells = (np.arange(28) + 0.5) / 14 - 1
    disc = (np.hypot(cells[:, None], cells) <= 1).astype(np.uint8) * 255
    return Instances(
        boxes=np.array(boxes, np.float32).reshape(n, 4),
        masks=np.repeat(disc[None], n, axis=0),
        scores=np.array(columns.get("scores", [0.9] * n), np.float32),
        labels=np.array(columns.get("labels", [1] * n), np.int64),
        ids=np.full(n, UNTRACKED, np.int64),
        size=SIZE,
    )


def square(x: float, y: float, side: float = 60) -> tuple[float, float, float, float]:
    return x, y, x + side, y + side


def frame(index: int, image: NDArray[np.uint8] = GREY) -> Frame:
    return Frame(index, Fraction(index, 30), image)


def frames(*found: Instances) -> list[Found]:
    return [(frame(index), instances) for index, instances in enumerate(found)]


def ids_of(*found: Instances) -> list[list[int]]:
    """The ids that one tracker assigns, frame by frame."""
    return [out.ids.tolist() for _, out in tracked(frames(*found))]


# The synthetic set


@pytest.fixture(scope="module")
def scenes() -> list[tuple[Scene, list[Frame], list[Instances]]]:
    """Every scene with its frames and its truth."""

    def render(scene: Scene) -> tuple[Scene, list[Frame], list[Instances]]:
        indexes = range(scene.frames)
        return scene, [scene.frame(i) for i in indexes], [scene.truth(i) for i in indexes]

    return [render(make()) for make in SCENES]


def scores_by_scene(scenes, faults, stage) -> dict[str, Scores]:
    found = {}
    for scene, pictures, truth in scenes:
        random = np.random.default_rng(0)
        pairs = [(f, with_faults(t, faults, random)) for f, t in zip(pictures, truth, strict=True)]
        found[scene.name] = scores(truth, [out for _, out in stage(pairs)])
    return found


def test_without_faults_every_identity_is_kept(scenes) -> None:
    found = scores_by_scene(scenes, NO_FAULTS, tracked)
    truth = {scene.name: len(set(np.concatenate([t.ids for t in ts]))) for scene, _, ts in scenes}
    assert {name: one.ids for name, one in found.items()} == truth
    assert all(one.switches == 0 and one.hota > 0.99 for one in found.values()), found


def test_with_misses_and_jitter_hota_reaches_the_bar(scenes) -> None:
    found = scores_by_scene(scenes, SOME_FAULTS, displayed)
    assert np.mean([one.hota for one in found.values()]) >= 0.9, found
    assert sum(one.switches for one in found.values()) <= 4, found
    assert all(one.hota >= 0.8 for one in found.values()), found


def test_with_every_fault_tracks_still_hold(scenes) -> None:
    found = scores_by_scene(scenes, ALL_FAULTS, displayed)
    assert np.mean([one.hota for one in found.values()]) >= 0.78, found


def test_filling_and_smoothing_each_come_closer_to_the_truth(scenes) -> None:
    def alone(pairs):
        return tracked(pairs)

    bare = scores_by_scene(scenes[:2], SOME_FAULTS, alone)
    full = scores_by_scene(
        scenes[:2], SOME_FAULTS, lambda pairs: fill_gaps(alone(pairs), longest=5)
    )
    calm = scores_by_scene(scenes[:2], SOME_FAULTS, displayed)
    for name in bare:
        assert bare[name].hota + 0.03 < full[name].hota
        assert full[name].hota + 0.01 < calm[name].hota


def test_an_object_that_returns_soon_keeps_its_id_and_a_new_one_gets_its_own() -> None:
    scene = reentry()
    found = [out for _, out in tracked(faulty_detections(scene, NO_FAULTS))]
    truth = [scene.truth(index) for index in range(scene.frames)]
    names = {}
    for true, out in zip(truth, found, strict=True):
        for row, column in zip(*np.nonzero(iou_matrix(true, out) > 0.9), strict=True):
            names.setdefault(int(true.ids[row]), set()).add(int(out.ids[column]))
    assert all(len(given) == 1 for given in names.values())
    assert len(set.union(*names.values())) == 3


# Ids


def test_ids_start_at_one_in_every_video() -> None:
    found = objects(square(100, 100), square(300, 100), scores=[0.7, 0.9])
    assert ids_of(found) == ids_of(found) == [[2, 1]]


def test_a_frame_without_objects_changes_nothing() -> None:
    found, none = objects(square(100, 100)), Instances.empty(SIZE)
    assert ids_of(none, found, none, none, found) == [[], [1], [], [], [1]]


def test_empty_frames_may_come_with_masks_of_another_size() -> None:
    none = Instances.empty(SIZE, side=14)
    out = list(displayed(frames(none, objects(square(100, 100)), none, objects(square(100, 100)))))
    assert [len(instances) for _, instances in out] == [0, 1, 1, 1]


def test_weak_objects_continue_tracks_but_start_none() -> None:
    strong = objects(square(100, 100))
    weak = objects(square(102, 100), square(400, 200), scores=[0.2, 0.4])
    assert ids_of(weak, strong, weak, weak) == [[], [1], [1], [1]]


def test_objects_with_very_low_scores_make_no_difference() -> None:
    """So a run that saves detections down to 0.05 shows the same as one that does not."""
    strong, weak = objects(square(100, 100)), objects(square(102, 100), scores=[0.07])
    assert ids_of(strong, weak, strong) == [[1], [], [1]]


def test_a_weak_duplicate_does_not_take_the_id_of_a_hidden_neighbour() -> None:
    both = objects(square(100, 100), square(120, 100), labels=[1, 2])
    double = objects(square(120, 100), square(121, 100), scores=[0.9, 0.3], labels=[2, 1])
    assert ids_of(both, both, double) == [[1, 2], [1, 2], [2]]


def test_a_track_has_the_class_with_most_votes() -> None:
    shots = [objects(square(100, 100), labels=[label]) for label in (1, 1, 2, 1, 2)]
    out = [out.labels.tolist() for _, out in tracked(frames(*shots))]
    assert out == [[1]] * 5


def test_a_track_ends_after_its_missed_frames() -> None:
    found, none = objects(square(100, 100)), Instances.empty(SIZE)
    seen_often = [found] * 12
    assert ids_of(*seen_often, *[none] * (MEMORY - 1), found)[-1] == [1]
    assert ids_of(*seen_often, *[none] * MEMORY, found)[-1] == [2]


def test_a_track_seen_once_ends_sooner() -> None:
    found, none = objects(square(100, 100)), Instances.empty(SIZE)
    assert ids_of(found, *[none] * 10, found)[-1] == [2]


@pytest.mark.parametrize("number", [0, 1, 75, 300])
def test_any_number_of_objects(number: int) -> None:
    boxes = [square(20 * (i % 30), 25 * (i // 30), 18) for i in range(number)]
    given_ids = ids_of(*[objects(*boxes)] * 3)
    assert [sorted(names) for names in given_ids] == [list(range(1, number + 1))] * 3


# Laws

places = st.lists(
    st.tuples(st.integers(40, 500), st.integers(40, 250), st.integers(20, 60), st.integers(10, 99)),
    max_size=5,
    unique=True,
)


def video(drawn: list[list[tuple[int, int, int, int]]]) -> list[Instances]:
    return [
        objects(
            *(square(x, y, side) for x, y, side, _ in found),
            scores=[score / 100 for *_, score in found],
        )
        for found in drawn
    ]


videos = st.lists(places, min_size=1, max_size=8).map(video)


@settings(max_examples=40, deadline=None)
@given(videos)
def test_ids_never_repeat_in_a_frame_and_return_only_soon(video: list[Instances]) -> None:
    last: dict[int, int] = {}
    tracker = MaskTracker(max_missed_frames=3)
    for index, found in enumerate(video):
        ((_, out),) = drop_untracked([(frame(2 * index), tracker.update(frame(2 * index), found))])
        names = out.ids.tolist()
        assert len(set(names)) == len(names)
        assert min(names, default=1) >= 1
        assert all(2 * index - last.get(name, 2 * index) <= 3 for name in names)
        assert not {name for name in names if name not in last} & set(
            range(1, max(last, default=0) + 1)
        )
        last |= dict.fromkeys(names, 2 * index)


@settings(max_examples=40, deadline=None)
@given(videos, st.randoms(use_true_random=False))
def test_permuting_the_rows_permutes_the_ids(video: list[Instances], random) -> None:
    one, other = MaskTracker(), MaskTracker()
    for index, found in enumerate(video):
        order = list(range(len(found)))
        random.shuffle(order)
        rows = np.array(order, np.intp)
        out = one.update(frame(index), found)
        permuted = other.update(frame(index), found[rows])
        assert _by_box(permuted) == _by_box(out)


def _by_box(instances: Instances) -> list[tuple]:
    rows = zip(instances.boxes.tolist(), instances.scores, instances.ids, strict=True)
    return sorted((tuple(box), float(score), int(name)) for box, score, name in rows)


@settings(max_examples=40, deadline=None)
@given(videos, st.integers(-15, 30), st.integers(-15, 30))
def test_moving_the_whole_picture_changes_no_id(video: list[Instances], x: int, y: int) -> None:
    by = np.array([x, y, x, y], np.float32)
    there = [replace(found, boxes=found.boxes + by) for found in video]
    assert ids_of(*video) == ids_of(*there)


@settings(max_examples=30, deadline=None)
@given(places)
def test_overlaps_agree_with_counted_pixels(drawn: list[tuple[int, int, int, int]]) -> None:
    found = objects(*(square(x, y, side) for x, y, side, _ in drawn))
    quick, exact = mask_ious(shapes(found), shapes(found), SIZE), iou_matrix(found, found)
    np.testing.assert_allclose(quick, exact, atol=0.12)


def test_only_what_lies_in_the_frame_counts_as_area() -> None:
    out = shapes(objects(square(-30, 100), square(100, 100), square(700, 100)))
    whole = mask_areas(out, SIZE)
    assert whole[0] == pytest.approx(whole[1] / 2, rel=0.05)
    assert whole[1] == pytest.approx(np.pi * 900, rel=0.05)
    assert whole[2] == 0


# Cuts


def test_cuts_are_found_and_end_every_track() -> None:
    scene = cuts()
    found = [out.ids.tolist() for _, out in tracked(faulty_detections(scene, NO_FAULTS))]
    assert [set(found[i]) & set(found[i - 1]) for i in (30, 60, 90)] == [set()] * 3
    assert all(set(found[i]) == set(found[i - 1]) for i in range(1, 120) if i % 30)


def test_motion_fades_flashes_and_pans_are_no_cuts() -> None:
    scene = Scene("pan", (Actor(line(100, 100, 5, 0, 150, 150)),))
    finder, picture = CutFinder(), scene.frame(0).image
    fade = [(picture * share).astype(np.uint8) for share in np.linspace(1, 0.1, 8)]
    flash = [picture, np.minimum(picture.astype(int) + 90, 255).astype(np.uint8), picture]
    pan = [np.roll(picture, 16 * step, axis=1)[:, 160:] for step in range(8)]
    for shots in ([scene.frame(i).image for i in range(5)], fade, flash, pan):
        finder = CutFinder()
        assert not any(finder.is_cut(shot) for shot in shots)


# Gaps


def moving(index: int) -> Instances:
    return objects(square(100 + 6 * index, 100), scores=[0.5 + 0.01 * index])


def test_a_gap_is_filled_on_the_way_and_marked() -> None:
    none = Instances.empty(SIZE)
    shots = [moving(0), moving(1), none, none, moving(4), none]
    out = [found for _, found in fill_gaps(tracked(frames(*shots)), longest=3)]
    assert [found.filled.tolist() for found in out] == [[False]] * 2 + [[True]] * 2 + [[False], []]
    for index in (2, 3):
        np.testing.assert_allclose(out[index].boxes, moving(index).boxes, atol=1e-3)
        np.testing.assert_allclose(out[index].scores, moving(index).scores, atol=1e-3)
        assert out[index].ids.tolist() == [1]
        assert np.array_equal(out[index].masks, moving(index).masks)


@pytest.mark.parametrize(("missed", "longest"), [(4, 3), (1, 0)])
def test_longer_gaps_stay_and_filling_can_be_switched_off(missed: int, longest: int) -> None:
    none = Instances.empty(SIZE)
    shots = [moving(0), moving(1), *[none] * missed, moving(2 + missed)]
    out = list(displayed(frames(*shots), fill=longest))
    assert [len(found) for _, found in out] == [1, 1, *[0] * missed, 1]


def test_a_hidden_object_is_not_filled_over_what_hides_it() -> None:
    behind, before = square(200, 100), square(190, 90, 80)
    apart = objects(behind, square(400, 90, 80))
    hidden = objects(before)
    given_ids = np.array([1], np.int64)
    shots = [
        apart.with_ids(np.array([1, 2])),
        hidden.with_ids(given_ids + 1),
        apart.with_ids(np.array([1, 2])),
    ]
    out = [found for _, found in fill_gaps(frames(*shots), longest=3)]
    assert not out[1].filled.any()


def test_untracked_objects_hide_nothing() -> None:
    behind, before = square(200, 100), square(190, 90, 80)
    shots = [
        objects(behind).with_ids(np.array([1])),
        objects(before).with_ids(np.array([UNTRACKED])),
        objects(behind).with_ids(np.array([1])),
    ]
    out = [found for _, found in fill_gaps(frames(*shots), longest=3)]
    assert out[1].filled.tolist() == [False, True]


# Smoothing


def named(boxes: list[tuple[float, float, float, float]]) -> list[Found]:
    return frames(*(objects(box).with_ids(np.array([1])) for box in boxes))


def test_constant_speed_is_left_as_it_is() -> None:
    boxes = [square(100 + 7 * i, 80 + 3 * i, 60 + i) for i in range(12)]
    out = np.concatenate([found.boxes for _, found in smooth(named(boxes), radius=2)])
    np.testing.assert_allclose(out, boxes, atol=1e-3)


def test_jitter_shrinks_to_less_than_two_thirds() -> None:
    random = np.random.default_rng(0)
    truth = np.array([square(100 + 3 * i, 80 + 2 * i, 90) for i in range(120)])
    rough = truth + random.normal(0, 1.5, truth.shape)
    rough[:, :] = rough.clip(0, 600)
    inside = truth[:, 3] < SIZE[0] - 10
    out = np.concatenate([f.boxes for _, f in smooth(named([*map(tuple, rough)]), radius=2)])
    assert (out - truth)[inside].std() < 0.67 * (rough - truth)[inside].std()


def test_a_sudden_turn_is_followed_without_lag() -> None:
    boxes = [square(100 + 30 * (10 - abs(i - 10)), 100, 60) for i in range(21)]
    out = np.concatenate([found.boxes for _, found in smooth(named(boxes), radius=2)])
    assert np.abs(out - np.array(boxes)).max() < 6


def test_mask_edges_become_stable() -> None:
    random = np.random.default_rng(0)
    calm = named([square(100 + 5 * i, 80) for i in range(20)])
    rough = [
        (f, replace(o, masks=(o.masks * (random.random(o.masks.shape) > 0.06)).astype(np.uint8)))
        for f, o in calm
    ]
    smoothed = [found for _, found in smooth(rough, radius=2)]

    def agreement(found: list[Instances]) -> float:
        pairs = zip(found, calm, strict=True)
        return float(np.mean([iou_matrix(a, b)[0, 0] for a, (_, b) in pairs]))

    assert agreement(smoothed) > agreement([found for _, found in rough]) + 0.02


def test_an_empty_mask_stays_empty() -> None:
    found = objects(square(50, 50, 40), scores=[0.9]).with_ids(np.array([1]))
    empty = replace(found, masks=np.zeros_like(found.masks))
    pairs = [(frame(index), empty) for index in range(5)]
    for _, instances in smooth(pairs, radius=2):
        assert not instances.masks.any()


def test_changing_shapes_are_not_blurred() -> None:
    """Alternating halves: smoothing would put a ghost of each frame into the next."""
    shots = [
        (f, replace(o, masks=o.masks * half))
        for (f, o), half in zip(
            named([square(100 + 5 * i, 80) for i in range(10)]), 5 * _halves(), strict=True
        )
    ]
    for (_, out), (_, given_one) in zip(smooth(shots, radius=2), shots, strict=True):
        np.testing.assert_array_equal(out.masks, given_one.masks)


def _halves() -> list[NDArray[np.uint8]]:
    left = (np.arange(28) < 14).astype(np.uint8)[None, None]
    return [left, 1 - left]


def test_nothing_is_carried_over_a_cut() -> None:
    scene = cuts()
    pairs = list(faulty_detections(scene, NO_FAULTS))
    out = [found for _, found in displayed(pairs)]
    for index in (29, 30, 59, 60):
        exact = iou_matrix(scene.truth(index), out[index])
        assert len(out[index]) == 3
        assert exact.max(axis=1).min() > 0.97


# The stage


def counted(number: int, taken: list[int], error: Exception | None = None) -> Iterator[Found]:
    try:
        for index in range(number):
            taken[0] += 1
            yield frame(index), moving(index % 20)
        if error is not None:
            raise error
    finally:
        taken[1] += 1


def test_stages_hold_no_more_frames_than_stated() -> None:
    taken = [0, 0]
    for given_out, (found, _) in enumerate(displayed(counted(40, taken)), 1):
        assert found.index == given_out - 1
        assert taken[0] - given_out <= frames_ahead()
    assert taken == [40, 1]


def test_closing_the_stages_closes_their_source() -> None:
    taken = [0, 0]
    stage = displayed(counted(40, taken))
    next(stage)
    stage.close()
    assert taken == [1 + frames_ahead(), 1]


def test_an_error_arrives_after_every_good_frame() -> None:
    taken = [0, 0]
    stage = displayed(counted(12, taken, OSError("the source broke")))
    assert [next(stage)[0].index for _ in range(12)] == list(range(12))
    with pytest.raises(OSError, match="broke"):
        next(stage)
    assert taken[1] == 1
