import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pycocotools import mask as coco
from torchvision.models.detection.roi_heads import paste_masks_in_image

from tests.support.random_instances import any_instances, blobs
from tests.support.scenes import scene_instances, scene_masks
from vidseg.structures import boxes as boxes_module
from vidseg.structures import masks
from vidseg.structures.instances import MASK_SIDE, Instances

Shape = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.bool_]]

SHAPES: dict[str, Shape] = {
    "disc": lambda u, v: u**2 + v**2 <= 1,
    "rectangle": lambda u, v: (np.abs(u) <= 1) & (np.abs(v) <= 1),
    "ellipse": lambda u, v: (u + v) ** 2 / 1.8 + (u - v) ** 2 / 0.6 <= 1,
}
"""Whether points of the box, with coordinates -1..1, are inside."""


def one(
    box: tuple[float, float, float, float], mask: NDArray[np.uint8], size: tuple[int, int]
) -> Instances:
    return Instances(
        boxes=np.array([box], np.float32),
        masks=mask[None],
        scores=np.ones(1, np.float32),
        labels=np.ones(1, np.int64),
        ids=np.full(1, -1, np.int64),
        size=size,
    )


def full_masks(instances: Instances) -> NDArray[np.bool_]:
    found = [masks.full_mask(instances, row) for row in range(len(instances))]
    return np.array(found, bool).reshape(-1, *instances.size)


def in_frame(box: NDArray[np.float64], shape: Shape, size: tuple[int, int]) -> NDArray[np.bool_]:
    """The shape sampled at the frame's pixel centres."""
    x0, y0, x1, y1 = box
    u = (2 * (np.arange(size[1]) + 0.5) - x0 - x1) / (x1 - x0)
    v = (2 * (np.arange(size[0]) + 0.5) - y0 - y1) / (y1 - y0)
    return shape(u[None, :], v[:, None]) & (np.abs(u) <= 1)[None, :] & (np.abs(v) <= 1)[:, None]


def in_box(shape: Shape) -> NDArray[np.uint8]:
    """The shape's coverage of the 28 x 28 cells of its box, from 16 x 16 points each."""
    at = (np.arange(MASK_SIDE * 16) + 0.5) / (MASK_SIDE * 8) - 1
    fine = shape(at[None, :], at[:, None]).reshape(MASK_SIDE, 16, MASK_SIDE, 16)
    return np.round(fine.mean(axis=(1, 3)) * 255).astype(np.uint8)


def iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 0.0


def bilinear(instances: Instances, row: int) -> NDArray[np.float64]:
    """(H, W) probability x 255 by definition, pixel by pixel."""
    height, width = instances.size
    x0, y0, x1, y1 = instances.boxes[row].astype(np.float64)
    mask = instances.masks[row].astype(np.float64)
    side = len(mask)

    def cell(i: int, j: int) -> float:
        return mask[i, j] if 0 <= i < side and 0 <= j < side else 0.0

    def at(centre: float, low: float, high: float, length: int) -> float:
        place = (centre - low) * side / (high - low) - 0.5
        place = max(place, 0) if low <= 0.5 else place
        return min(place, side - 1) if high > length - 0.5 else place

    values = np.zeros((height, width))
    for y, x in np.ndindex(height, width):
        if x1 > x0 and y1 > y0:
            u, v = at(x + 0.5, x0, x1, width), at(y + 0.5, y0, y1, height)
            j, i = int(np.floor(u)), int(np.floor(v))
            for di, dj in np.ndindex(2, 2):
                share = (1 - abs(v - i - di)) * (1 - abs(u - j - dj))
                values[y, x] += share * cell(i + di, j + dj)
    return values


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_pasting_undoes_rasterising(shape: Shape) -> None:
    rng = np.random.default_rng(5)
    size, mask, ious = (240, 320), in_box(shape), []
    for _ in range(60):
        extent = np.exp(rng.uniform(np.log(12), np.log(200), 2))
        corner = rng.uniform((0, 0), (320, 240) - extent)
        box = np.concatenate([corner, corner + extent])
        pasted = masks.full_mask(one(tuple(box), mask, size), 0)
        ious.append(iou(pasted, in_frame(box, shape, size)))
    assert np.mean(ious) > 0.98
    assert np.min(ious) > 0.9


def test_oracle_scenes_come_back() -> None:
    for index in (0, 7, 30, 55):
        found, true = scene_instances(index), scene_masks(index)
        assert len(found) == len(true)
        ious = [iou(masks.full_mask(found, row), mask) for row, mask in enumerate(true)]
        assert np.mean(ious) > 0.95


def test_agrees_with_torchvision_but_for_its_rounded_boxes() -> None:
    """torchvision grows the box by a cell each way and then cuts its corners to whole pixels, which
    moves edges by up to a pixel. In objects of some size, little of the area is that near an edge.
    """
    found = blobs(80, (480, 640), seed=3, share=0.05)
    soft = torch.from_numpy(found.masks[:, None].astype(np.float32) / 255)
    pasted = paste_masks_in_image(soft, torch.from_numpy(found.boxes), found.size)
    theirs = (pasted[:, 0] >= 0.5).numpy()
    ious = [iou(ours, other) for ours, other in zip(full_masks(found), theirs, strict=True)]
    assert np.mean(ious) > 0.97


def test_a_box_of_as_many_pixels_as_cells_is_its_mask() -> None:
    mask = blobs(1, (100, 100), share=1).masks[0]
    found = one((10, 20, 38, 48), mask, (100, 100))
    soft = np.zeros(found.size, np.uint8)
    rows, cols, soft[rows, cols] = masks.soft_crop(found, 0)
    assert np.array_equal(soft[20:48, 10:38], mask)
    soft[20:48, 10:38] = 0
    assert not soft.any()


@given(any_instances())
def test_soft_crop_is_bilinear_between_cell_centres(found: Instances) -> None:
    for row in range(len(found)):
        expected = bilinear(found, row)
        rows, cols, soft = masks.soft_crop(found, row)
        full = np.zeros(found.size)
        full[rows, cols] = soft
        assert np.abs(full - expected).max(initial=0) <= 0.51


@given(any_instances())
def test_crop_is_the_soft_crop_from_the_threshold_on(found: Instances) -> None:
    for row in range(len(found)):
        rows, cols, mask = masks.crop(found, row)
        inside = np.zeros(found.size, bool)
        inside[rows, cols] = True
        soft = np.zeros(found.size, np.uint8)
        soft[masks.soft_crop(found, row)[:2]] = masks.soft_crop(found, row).mask
        full = masks.full_mask(found, row)
        assert np.array_equal(full, (soft >= masks.MASK_THRESHOLD) & inside)
        assert soft[~inside].max(initial=0) <= masks.MASK_THRESHOLD
        assert np.array_equal(full[rows, cols], mask)
        assert not full[~inside].any()


def test_half_a_probability_is_inside() -> None:
    for value, inside in ((127, False), (128, True)):
        found = one((0, 0, 10, 10), np.full((28, 28), value, np.uint8), (10, 10))
        assert masks.full_mask(found, 0).all() == inside
        assert masks.full_mask(found, 0).any() == inside


def test_an_object_cut_by_the_frame_reaches_its_edge() -> None:
    """Elsewhere it fades out at the box's edge, where it is known to end."""
    found = one((0, 0, 100, 60), np.full((28, 28), 200, np.uint8), (60, 120))
    soft = np.zeros(found.size, np.uint8)
    rows, cols, soft[rows, cols] = masks.soft_crop(found, 0)
    assert (soft[:, 0] == 200).all()
    assert (soft[0, :95] == 200).all()
    assert (soft[-1, :95] == 200).all()
    assert (np.diff(soft[30, 95:].astype(int)) <= 0).all()
    assert 100 < soft[30, 99] < 150
    assert 0 < soft[30, 101] < 50
    assert soft[30, 105] == 0


@pytest.mark.parametrize(
    ("box", "pixels"),
    [
        ((3.6, 3.6, 4.4, 4.4), 0),  # between centres
        ((3.4, 3.4, 3.6, 3.6), 1),  # around one
        ((3.4, 0.0, 3.6, 10.0), 10),  # a hair
        ((5.0, 5.0, 5.0, 5.0), 0),
        ((10.0, 10.0, 10.0, 10.0), 0),
        ((0.0, 0.0, 10.0, 10.0), 100),
        ((9.2, 9.2, 10.0, 10.0), 1),
        ((-5.0, -5.0, 0.4, 0.4), 0),
        ((-5.0, -5.0, 20.0, 20.0), 100),
    ],
)
def test_boxes_of_every_size(box: tuple[float, float, float, float], pixels: int) -> None:
    found = one(box, np.full((28, 28), 255, np.uint8), (10, 10))
    assert masks.areas(found).tolist() == [pixels]
    assert np.count_nonzero(masks.full_mask(found, 0)) == pixels
    assert masks.crop(found, 0).mask.sum() == pixels


@given(any_instances())
def test_rle_is_what_pycocotools_makes_of_the_full_mask(found: Instances) -> None:
    for row in range(len(found)):
        full = masks.full_mask(found, row)
        theirs: Any = coco.encode(np.asfortranarray(full, np.uint8))
        ours: Any = masks.instance_rle(found, row)
        assert ours == {"size": list(theirs["size"]), "counts": theirs["counts"].decode()}
        assert masks.to_rle(full) == ours
        assert np.array_equal(masks.from_rle(ours), full)
        assert coco.area(ours) == full.sum()


@given(any_instances(size=(24, 18)), any_instances(size=(24, 18)))
def test_iou_is_that_of_the_dense_masks_and_symmetric(a: Instances, b: Instances) -> None:
    found = masks.iou_matrix(a, b)
    dense = [[iou(x, y) for y in full_masks(b)] for x in full_masks(a)]
    assert np.allclose(found, np.array(dense).reshape(len(a), len(b)))
    assert np.array_equal(found, masks.iou_matrix(b, a).T)
    assert ((found >= 0) & (found <= 1)).all()


@given(any_instances())
def test_iou_with_itself_is_one(found: Instances) -> None:
    own = np.diag(masks.iou_matrix(found, found))
    assert np.array_equal(own, (masks.areas(found) > 0).astype(float))


@given(any_instances(), st.data())
def test_choosing_rows_commutes_with_everything(found: Instances, data: st.DataObject) -> None:
    rows = np.array(
        data.draw(
            st.lists(st.integers(0, len(found) - 1), unique=True) if len(found) else st.just([])
        ),
        np.intp,
    )
    chosen = found[rows]
    assert np.array_equal(masks.areas(chosen), masks.areas(found)[rows])
    assert np.array_equal(full_masks(chosen), full_masks(found)[rows])
    assert np.array_equal(masks.iou_matrix(chosen, found), masks.iou_matrix(found, found)[rows])
    rles = [masks.instance_rle(found, row) for row in range(len(found))]
    assert [masks.instance_rle(chosen, row) for row in range(len(rows))] == [rles[r] for r in rows]


@given(any_instances())
def test_the_best_score_is_on_top_of_the_label_map(found: Instances) -> None:
    labels = masks.label_map(found)
    full = full_masks(found)
    for y, x in np.ndindex(found.size):
        rows = np.flatnonzero(full[:, y, x])
        best = min(rows, key=lambda row: (-found.scores[row], row), default=-1)
        assert labels[y, x] == best + 1


def test_label_map_takes_other_numbers_and_grows_with_them() -> None:
    found = blobs(3, (60, 80), share=0.1)
    plain = masks.label_map(found)
    assert plain.dtype == np.uint8
    small = masks.label_map(found, np.array([7, 255, 9]))
    large = masks.label_map(found, np.array([7, 256, 9]))
    assert (small.dtype, large.dtype) == (np.uint8, np.uint16)
    assert np.array_equal(small, np.array([0, 7, 255, 9])[plain])
    assert np.array_equal(large, np.array([0, 7, 256, 9])[plain])
    for wrong in (0, 65536):
        with pytest.raises(ValueError, match=r"1\.\.65535"):
            masks.label_map(found, np.array([7, wrong, 9]))


def test_thousands_of_objects_need_no_full_frames() -> None:
    found = blobs(2000, (2160, 3840), share=0.0001)
    tracemalloc.start()
    assert (masks.areas(found) > 0).all()
    rles = [masks.instance_rle(found, row) for row in range(0, 2000, 10)]
    assert masks.iou_matrix(found[:200], found[200:400]).max() <= 1
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(rles) == 200
    assert peak < 4 * 1024 * 1024
    assert masks.label_map(found).max() == 2000


def test_no_objects() -> None:
    none = Instances.empty((4, 6))
    assert masks.label_map(none).tolist() == np.zeros((4, 6)).tolist()
    assert masks.areas(none).shape == (0,)
    assert masks.iou_matrix(none, none).shape == (0, 0)
    assert masks.iou_matrix(none, blobs(2, (4, 6))).shape == (0, 2)


def test_boxes_by_hand() -> None:
    a = np.array([[0, 0, 2, 2], [5, 5, 4, 4]], np.float32)
    b = np.array([[1, 1, 3, 3], [2, 0, 4, 2], [-9, -9, 9, 1]], np.float32)
    assert boxes_module.box_areas(a).tolist() == [4, 0]
    assert boxes_module.box_intersections(a, b).tolist() == [[1, 0, 2], [0, 0, 0]]
    assert boxes_module.clip_boxes(b, (2, 3))[2].tolist() == [0, 0, 3, 1]


def test_the_size_of_the_mask_is_free() -> None:
    coarse = one((4, 4, 36, 36), np.full((1, 1), 255, np.uint8), (40, 40))
    fine = replace(coarse, masks=np.full((1, 112, 112), 255, np.uint8))
    assert masks.areas(fine).tolist() == [32 * 32]
    assert masks.areas(coarse)[0] > 0
