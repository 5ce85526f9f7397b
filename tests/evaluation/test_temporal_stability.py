"""Steadiness without labels: known gaps are counted, whatever the ids, and motion is no flicker."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np
import pytest

from tests.support.simulated_tracks import Actor, Scene, during, line
from vidseg.evaluation.temporal_stability import Counts, measure_stability, rates
from vidseg.structures.frame import Frame
from vidseg.structures.instances import UNTRACKED, Instances

MOVING = Scene(
    "moving",
    (
        Actor(line(100, 100, 6, 0, 80, 80)),
        Actor(line(400, 250, -3, -2, 90, 90), (40, 90, 200), "box"),
    ),
    frames=30,
)


def shown(
    scene: Scene, without: Mapping[int, Collection[int]] | None = None, *, ids: bool = False
) -> Iterator[tuple[Frame, Instances]]:
    """The scene's truth; `without` is id to the frames that it is left out of."""
    for index in range(scene.frames):
        truth = scene.truth(index)
        gone = [number for number, frames in (without or {}).items() if index in frames]
        truth = truth[~np.isin(truth.ids, gone)]
        untracked = np.full(len(truth), UNTRACKED, np.int64)
        yield scene.frame(index), truth if ids else truth.with_ids(untracked)


def test_moving_objects_do_not_flicker() -> None:
    counts = measure_stability(shown(MOVING))
    row = rates(counts)
    assert (row["flickers"], row["appearances_per_minute"]) == (0, 0)
    assert row["warped_iou"] is not None
    assert row["warped_iou"] > 0.85
    assert (row["frames"], row["seconds"], row["objects_per_frame"]) == (30, 1.0, 2.0)
    covered = (np.pi * 40**2 + 90**2) / (360 * 640)
    assert row["coverage"] == pytest.approx(covered, rel=0.02)
    assert (row["ids"], row["id_births_per_minute"]) == (None, None)


def test_known_gaps_give_known_numbers() -> None:
    """Two gaps of one object, of 1 and 4 frames; one of 5 of the other, and one of 6: too long."""
    gaps = {1: {5, 10, 11, 12, 13}, 2: {*range(6, 11), *range(16, 22)}}
    counts = measure_stability(shown(MOVING, gaps))
    assert (counts.flickers, counts.missed, counts.appearances) == (3, 10, 1)
    row = rates(counts)
    objects = 60 - 5 - 11
    assert row["flickers_per_object_minute"] == pytest.approx(3 / (objects / 30 / 60))
    assert row["flicker_share"] == pytest.approx(10 / (objects + 10))
    shorter = measure_stability(shown(MOVING, gaps), longest=3)
    assert (shorter.flickers, shorter.missed, shorter.appearances) == (1, 1, 3)


def test_an_object_that_stays_away_did_not_flicker() -> None:
    counts = measure_stability(shown(MOVING, {1: range(20, 30), 2: range(6)}))
    assert (counts.flickers, counts.appearances) == (0, 1)


def cut_at(
    index: int, found: Iterable[tuple[Frame, Instances]]
) -> Iterator[tuple[Frame, Instances]]:
    """The pictures are another place from frame `index` on."""
    for frame, instances in found:
        there = frame if frame.index < index else replace(frame, image=255 - frame.image[::-1])
        yield there, instances


def test_new_ids_are_births_but_not_in_the_first_frame_of_a_scene() -> None:
    def renamed() -> Iterator[tuple[Frame, Instances]]:
        for frame, instances in shown(MOVING, ids=True):
            yield frame, instances.with_ids(instances.ids + 10 * (frame.index >= 15))

    row = rates(measure_stability(renamed()))
    assert (row["ids"], row["id_births_per_minute"], row["flickers"]) == (4, 120, 0)
    row = rates(measure_stability(cut_at(15, renamed())))
    assert (row["cuts"], row["id_births_per_minute"]) == (1, 0)
    assert (row["flickers"], row["appearances_per_minute"]) == (0, 0)


def test_what_a_cut_ends_did_not_flicker() -> None:
    """An object stands where another one stood before the cut."""
    path = line(200, 150, 0, 0, 80, 80)
    scene = Scene("cut", (Actor(during(0, 8, path)), Actor(during(11, 20, path))), 20)
    assert measure_stability(shown(scene)).flickers == 1
    counts = measure_stability(cut_at(10, shown(scene)))
    assert (counts.cuts, counts.flickers, counts.appearances) == (1, 0, 1)


def test_an_empty_result_is_steady_and_covers_nothing() -> None:
    row = rates(measure_stability((f, Instances.empty(i.size)) for f, i in shown(MOVING)))
    assert (row["flickers"], row["coverage"], row["frames_with_objects"]) == (0, 0, 0)
    assert row["flickers_per_object_minute"] is None
    assert row["warped_iou"] is None
    nothing = rates(Counts())
    assert (nothing["frames"], nothing["coverage"]) == (0, None)


def test_shimmer_lowers_the_agreement() -> None:
    random = np.random.default_rng(0)

    def shaken() -> Iterator[tuple[Frame, Instances]]:
        for frame, instances in shown(MOVING):
            noise = random.normal(0, 4, instances.boxes.shape)
            yield frame, replace(instances, boxes=(instances.boxes + noise).astype(np.float32))

    calm, restless = (
        rates(measure_stability(each))["warped_iou"] for each in (shown(MOVING), shaken())
    )
    assert calm is not None
    assert restless is not None
    assert restless < calm - 0.05


def test_frames_are_reduced_but_small_ones_are_not_enlarged() -> None:
    large = replace(MOVING, size=(900, 1600), frames=4)
    assert measure_stability(shown(large)).pairs == 6
