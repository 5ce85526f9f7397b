from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.random_instances import any_instances, blobs
from vidseg.errors import FrameError, OptionError
from vidseg.structures import colors
from vidseg.structures.instances import (
    ARRAY_FIELDS,
    MASK_SIDE,
    Instances,
    check_fits,
    concatenate,
    shown,
)
from vidseg.structures.masks import full_mask


def same(a: Instances, b: Instances) -> bool:
    return (
        all(np.array_equal(getattr(a, f), getattr(b, f)) for f in ARRAY_FIELDS) and a.size == b.size
    )


def test_arrays_of_other_shapes_or_types_are_refused() -> None:
    good = blobs(3, (20, 30))
    for name, wrong in [
        ("boxes", np.zeros((3, 4), np.float64)),
        ("masks", np.zeros((3, 28, 27), np.uint8)),
        ("masks", np.zeros((2, 28, 28), np.uint8)),
        ("scores", np.zeros((3, 1), np.float32)),
        ("labels", np.zeros(3, np.int32)),
        ("ids", np.zeros(4, np.int64)),
    ]:
        with pytest.raises(ValueError, match=f"{name} must be"):
            replace(good, **{name: wrong})


def test_it_is_a_value() -> None:
    found = blobs(2, (20, 30))
    with pytest.raises(FrozenInstanceError):
        found.size = (1, 1)  # pyright: ignore[reportAttributeAccessIssue]
    named = found.with_ids(np.array([5, 6]))
    assert named.ids.tolist() == [5, 6]
    assert found.ids.tolist() == [-1, -1]


def test_rows_are_selected_by_bool_array_index_array_or_slice() -> None:
    found = blobs(4, (20, 30))
    by_flags = found[np.array([False, True, True, False])]
    assert same(by_flags, found[np.array([1, 2])])
    assert same(by_flags, found[1:3])
    assert len(found[:0]) == 0
    assert same(found[:0], Instances.empty((20, 30), MASK_SIDE))


def named(found: Instances) -> Instances:
    labels, ids = np.array([1, 2, 1]), np.array([4, -1, 7])
    return replace(found, labels=labels, ids=ids, names={1: "disc", 2: "square"})


def test_one_object_is_read_by_its_number_or_in_a_loop() -> None:
    found = named(blobs(3, (20, 30)))
    assert [one.name for one in found] == ["disc", "square", "disc"] == found.class_names
    assert [one.id for one in found] == [4, None, 7]
    assert [one.score for one in found] == found.scores.tolist()
    assert [list(one.box) for one in found] == found.boxes.tolist()
    assert (found[0].label, found[-1].id, found[np.int64(1)].filled) == (1, 7, False)
    assert found[np.array([True, False, True])].names == found.names
    for wrong in (3, -4):
        with pytest.raises(IndexError, match="the frame has 3"):
            found[wrong]


def test_objects_without_names_are_called_by_their_labels() -> None:
    assert replace(named(blobs(3, (20, 30))), names={}).class_names == ["1", "2", "1"]


def test_full_masks_are_those_of_each_object() -> None:
    found = blobs(3, (20, 30))
    masks = found.full_masks()
    assert (masks.shape, masks.dtype) == ((3, 20, 30), np.bool_)
    for row, one in enumerate(found):
        np.testing.assert_array_equal(masks[row], full_mask(found, row))
        np.testing.assert_array_equal(masks[row], one.full_mask())
    assert Instances.empty((20, 30)).full_masks().shape == (0, 20, 30)


def test_what_is_printed_is_short() -> None:
    found = named(blobs(3, (20, 30)))
    arrays = "boxes=(3, 4), masks=(3, 28, 28), ids=[4, -1, 7]"
    assert repr(found) == f"Instances(disc, square, disc; size=(20, 30), {arrays})"
    assert repr(Instances.empty((2, 3))).startswith("Instances(no objects; size=(2, 3), boxes=(0,")
    one = replace(found, boxes=np.full((3, 4), 1.25, np.float32), scores=np.ones(3, np.float32))[0]
    assert repr(one) == "Instance(disc, score=1.00, id=4, box=(1.2, 1.2, 1.2, 1.2))"


def test_parts_are_joined_in_order() -> None:
    found = named(blobs(3, (20, 30)))
    assert same(concatenate([found[:1], found[:0], found[1:]]), found)
    assert concatenate([found[:1], found[1:]]).names == found.names
    empty = Instances.empty((20, 30), side=7)
    assert same(concatenate([empty, found]), found)
    assert concatenate([empty, found[:0]]) is empty


@given(any_instances(), st.sampled_from([0.0, 0.2, 0.5, 0.9, 1.0]), st.sets(st.integers(1, 3)))
def test_which_objects_are_shown(found: Instances, score: float, labels: set[int]) -> None:
    chosen = shown(found, score=score, labels=labels)
    wanted = [
        row
        for row in range(len(found))
        if found.scores[row] >= np.float32(score) and int(found.labels[row]) in labels
    ]
    assert same(chosen, found[np.array(wanted, np.intp)])
    assert same(shown(found, score=0.0), found)


def test_of_too_many_the_best_stay_in_order() -> None:
    found = replace(blobs(4, (20, 30)), scores=np.array([0.6, 0.9, 0.6, 0.7], np.float32))
    assert shown(found, max_objects=3).scores.tolist() == found.scores[[0, 1, 3]].tolist()
    assert same(shown(found, max_objects=3), found[np.array([0, 1, 3])])
    assert same(shown(found, max_objects=9), found)
    assert len(shown(found, max_objects=0)) == 0


def test_a_score_that_float32_cannot_hold_is_met_by_its_neighbour() -> None:
    found = replace(blobs(1, (20, 30)), scores=np.array([0.7], np.float32))
    assert len(shown(found, score=0.7)) == 1


def test_pictures_of_another_size_or_type_are_refused() -> None:
    found = blobs(1, (20, 30))
    check_fits(found, np.zeros((20, 30, 3), np.uint8))
    with pytest.raises(ValueError, match="of 30 x 20 pixels, the picture has 20 x 30 pixels"):
        check_fits(found, np.zeros((30, 20, 3), np.uint8))
    with pytest.raises(FrameError, match="leave the alpha channel out"):
        check_fits(found, np.zeros((20, 30, 4), np.uint8))


def test_colours_stay_and_differ() -> None:
    assert len(set(colors.PALETTE)) == len(colors.PALETTE)
    first = [colors.color_of(number) for number in range(1, 11)]
    assert first == [colors.color_of(number) for number in range(1, 11)]
    assert colors.color_of(11) == colors.color_of(1)
    for number in range(1, 10):
        ours, next_one = np.array(colors.color_of(number)), np.array(colors.color_of(number + 1))
        assert np.abs(ours - next_one).sum() > 150


@pytest.mark.parametrize("color", [*colors.PALETTE, (0, 0, 0), (255, 255, 255), (90, 90, 90)])
def test_text_on_a_colour_is_legible(color: colors.Color) -> None:
    """4.5 : 1 is what WCAG 2.2 asks of text."""
    ground = colors.relative_luminance(color) + 0.05
    ink = colors.relative_luminance(colors.text_color_on(color)) + 0.05
    assert max(ground, ink) / min(ground, ink) >= 4.5


def test_the_davis_palette() -> None:
    table = np.frombuffer(colors.davis_palette(), np.uint8).reshape(256, 3).tolist()
    assert table[:5] == [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128]]
    assert table[8:10] == [[64, 0, 0], [192, 0, 0]]
    assert table[22] == [0, 192, 128]
    assert table[255] == [224, 224, 192]


def test_objects_are_made_of_full_masks() -> None:
    masks = np.zeros((3, 60, 80), bool)
    masks[0, 10:41, 5:70] = True
    ys, xs = np.mgrid[:60, :80]
    masks[2] = (ys - 30) ** 2 + (xs - 40) ** 2 < 400
    found = Instances.from_masks(masks, [2, 1, 3], [0.9, 0.8, 0.75])
    assert (found.size, found.labels.tolist()) == ((60, 80), [2, 3])
    assert found.scores.tolist() == [np.float32(0.9), 0.75]
    assert found.boxes.tolist() == [[5, 10, 70, 41], [21, 11, 60, 50]]
    assert (found.ids == -1).all()
    for mask, wanted in zip(found.full_masks(), masks[[0, 2]], strict=True):
        assert (mask & wanted).sum() / (mask | wanted).sum() > 0.97
    assert len(Instances.from_masks(masks[:0], [], [])) == 0


@pytest.mark.parametrize(
    ("masks", "labels", "message"),
    [
        (np.zeros((1, 4, 4)), [1], r"masks must be \(N, H, W\) bool"),
        (np.zeros((4, 4), bool), [1], r"got \(4, 4\) bool"),
        (np.zeros((1, 4, 4), bool), [1, 2], r"labels must be \(1,\), one for each mask"),
        (np.zeros((1, 4, 4), bool), [0], "Labels start at 1, got 0"),
    ],
)
def test_other_full_masks_are_refused(masks: np.ndarray, labels: list[int], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Instances.from_masks(masks, labels, [0.5])
