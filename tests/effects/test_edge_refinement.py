"""Edge refinement, on pictures whose edges are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.support.random_instances import any_instances
from vidseg.effects._edge_refinement import MARGIN_CELLS, refined
from vidseg.structures.frame import Image
from vidseg.structures.instances import UNTRACKED, Instances
from vidseg.structures.masks import full_mask, soft_crop

SIZE = (400, 500)
Mask = NDArray[np.bool_]


def ellipse(x: float, y: float, half_x: float, half_y: float) -> Mask:
    rows, cols = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    return ((cols - x) / half_x) ** 2 + ((rows - y) / half_y) ** 2 <= 1


def picture(mask: Mask, *, seed: int = 0) -> Image:
    """A warm object on a cool ground, with noise and light from one side."""
    rng = np.random.default_rng(seed)
    light = np.linspace(0.7, 1.1, SIZE[1])[None, :, None]
    colors = np.where(mask[..., None], (190, 90, 60), (70, 110, 120)) * light
    return (colors + rng.normal(0, 8, colors.shape)).clip(0, 255).astype(np.uint8)


def found(*, shift: float = 0.0, softness: float = 1.5) -> Instances:
    """A plausible detection of the ellipse at (250, 200), with edges `shift` cells off."""
    cells = (np.arange(28) + 0.5) / 28 * 2 - 1
    x, y = cells[None, :] - shift / 14, cells[:, None] + shift / 14
    inside = (1 - np.hypot(x, y)) * 14 / softness
    mask = np.round(255 / (1 + np.exp(-4 * inside))).astype(np.uint8)
    return Instances(
        boxes=np.array([[90, 70, 410, 330]], np.float32),
        masks=mask[None],
        scores=np.ones(1, np.float32),
        labels=np.ones(1, np.int64),
        ids=np.full(1, UNTRACKED, np.int64),
        size=SIZE,
    )


TRUTH = ellipse(250, 200, 160, 130)


def opacity(image: Image, instances: Instances) -> NDArray[np.uint8]:
    rows, cols, mask = refined(image, instances, 0)
    full = np.zeros(instances.size, np.uint8)
    full[rows, cols] = mask
    return full


def iou(a: Mask, b: Mask) -> float:
    return np.count_nonzero(a & b) / np.count_nonzero(a | b)


@pytest.mark.parametrize("shift", [-0.8, 0.8])
def test_an_edge_that_is_off_moves_onto_the_picture(shift: float) -> None:
    instances = found(shift=shift, softness=3)
    before = iou(full_mask(instances, 0), TRUTH)
    after = iou(opacity(picture(TRUTH), instances) >= 128, TRUTH)
    assert before < 0.93
    assert after > 0.97


def test_an_edge_that_is_right_stays() -> None:
    assert iou(opacity(picture(TRUTH), found()) >= 128, TRUTH) > 0.99


def test_edges_are_as_sharp_as_the_picture() -> None:
    """The mask alone fades over several cells of 11 pixels; the picture changes in one pixel."""
    soft = opacity(picture(TRUTH), found())
    between = np.count_nonzero((soft > 25) & (soft < 230))
    around = 2 * np.pi * np.sqrt((160**2 + 130**2) / 2)
    assert between / around < 3
    assert np.count_nonzero((found_soft() > 25) & (found_soft() < 230)) / around > 6


def found_soft() -> NDArray[np.uint8]:
    full = np.zeros(SIZE, np.uint8)
    rows, cols, mask = soft_crop(found(), 0)
    full[rows, cols] = mask
    return full


def test_where_colours_say_nothing_the_mask_decides() -> None:
    instances = found(shift=0.5)
    plain = np.full((*SIZE, 3), 120, np.uint8)
    assert iou(opacity(plain, instances) >= 128, full_mask(instances, 0)) > 0.995


def test_the_picture_stays_as_it_is_and_far_pixels_do_not_matter() -> None:
    image = picture(TRUTH)
    before = image.copy()
    rows, cols, mask = refined(image, found(), 0)
    assert (image == before).all()
    assert rows.start >= 70 - (MARGIN_CELLS + 1) * 260 / 28
    assert cols.stop <= 410 + (MARGIN_CELLS + 1) * 320 / 28
    elsewhere = image.copy()
    elsewhere[:40] = 0
    assert (refined(elsewhere, found(), 0).mask == mask).all()


def test_an_image_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="the picture has"):
        refined(np.zeros((10, 10, 3), np.uint8), found(), 0)


@settings(max_examples=60)
@given(any_instances(), st.integers(0, 3))
def test_every_box_gives_a_crop_of_the_frame(instances: Instances, seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (*instances.size, 3), np.uint8)
    for row in range(len(instances)):
        rows, cols, mask = refined(image, instances, row)
        assert mask.dtype == np.uint8
        assert mask.shape == (rows.stop - rows.start, cols.stop - cols.start)
        assert 0 <= rows.start <= rows.stop <= instances.size[0]
        assert 0 <= cols.start <= cols.stop <= instances.size[1]
