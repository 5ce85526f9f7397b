"""Areas and overlaps of masks in boxes that leave the frame."""

import numpy as np
import pytest

from vidseg.structures.mask_overlap import (
    Shapes,
    mask_areas,
    mask_ious,
    shared_areas,
    shared_areas_of_pairs,
)

SIZE = (720, 1280)
INSIDE = (100.0, 100.0, 200.0, 300.0)


def full(*boxes: tuple[float, float, float, float]) -> Shapes:
    return Shapes(np.array(boxes), np.full((len(boxes), 28, 28), 255, np.uint8))


@pytest.mark.parametrize(
    "box",
    [
        (1442.6, 355.0, 1444.2, 545.8),
        (-20.0, 10.0, -5.0, 50.0),
        (10.0, -900.0, 50.0, -899.0),
        (10.0, 5000.0, 11.0, 5001.0),
        (4000.0, 5000.0, 4000.1, 5000.1),
        (-9e5, -9e5, -8e5, -8e5),
    ],
)
def test_a_box_outside_the_frame_has_no_area_and_overlaps_nothing(
    box: tuple[float, float, float, float],
) -> None:
    shapes = full(INSIDE, box)
    assert mask_areas(shapes, SIZE).tolist() == [100 * 200, 0]
    np.testing.assert_array_equal(shared_areas(shapes, shapes, SIZE), [[100 * 200, 0], [0, 0]])
    np.testing.assert_array_equal(mask_ious(shapes, shapes, SIZE), [[1, 0], [0, 0]])


def test_a_box_half_outside_counts_its_inner_half() -> None:
    assert mask_areas(full((1270.0, 0.0, 1290.0, 10.0)), SIZE).tolist() == [10 * 10]


def test_pairs_share_what_all_with_all_share() -> None:
    random = np.random.default_rng(0)
    corners = random.uniform(-50, 700, (40, 2, 2))
    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1) + 1], axis=1)
    shapes = Shapes(boxes, random.integers(0, 256, (40, 28, 28)).astype(np.uint8))
    rows, others = np.nonzero(random.random((40, 40)) < 0.2)
    everything = shared_areas(shapes, shapes, SIZE)
    some = shared_areas_of_pairs(shapes, rows, others, SIZE)
    assert (some > 0).any()
    np.testing.assert_allclose(some, everything[rows, others])
