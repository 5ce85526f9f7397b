"""Optical flow: known shifts are found, at any size of picture."""

import numpy as np
import pytest

from vidseg.video.analysis.optical_flow import FlowFinder, Grey, compose, half, halved, reduced

SIZES = [(1, 1), (1, 7), (7, 1), (2, 3), (5, 5), (90, 161)]


def texture(height: int, width: int) -> Grey:
    """Smooth waves without repetition."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    waves = np.sin(x / 7) + np.sin(y / 5) + np.sin((x + 2 * y) / 13)
    return np.asarray(128 + 40 * waves, np.uint8)


@pytest.mark.parametrize("size", SIZES)
def test_halves_of_any_size_keep_what_is_even(size: tuple[int, int]) -> None:
    picture = np.full(size, 77, np.uint8)
    small = half(picture)
    assert small.dtype == np.uint8
    assert small.shape == tuple(max(1, round(side / 2)) for side in size)
    assert (small == 77).all()


@pytest.mark.parametrize("size", SIZES)
def test_motion_halves_with_its_picture(size: tuple[int, int]) -> None:
    flow = np.full((*size, 2), (8.0, -4.0), np.float32)
    small = halved(flow)
    scale = small.shape[1] / size[1], small.shape[0] / size[0]
    np.testing.assert_allclose(
        small, np.broadcast_to((8 * scale[0], -4 * scale[1]), small.shape), rtol=1e-6
    )


@pytest.mark.parametrize("size", SIZES)
def test_pictures_that_stay_have_no_motion(size: tuple[int, int]) -> None:
    picture = texture(*size)
    flow = FlowFinder().between(picture, picture)
    assert flow.shape == (*size, 2)
    assert np.abs(flow).max() < 0.5


def test_a_shift_is_found_and_two_are_their_sum() -> None:
    wide = texture(200, 340)
    first, second, third = (wide[20:180, 20 + 3 * n : 320 + 3 * n] for n in range(3))
    finder = FlowFinder()
    one, other = finder.between(first, second), finder.between(second, third)
    inside = np.s_[20:-20, 20:-20]
    np.testing.assert_allclose(one[inside][..., 0], -3, atol=0.7)
    np.testing.assert_allclose(one[inside][..., 1], 0, atol=0.7)
    np.testing.assert_allclose(compose(one, other)[inside][..., 0], -6, atol=1.2)


def test_no_picture_is_larger_than_asked() -> None:
    assert reduced(np.zeros((1080, 1920, 3), np.uint8)).shape == (360, 640)
    assert reduced(np.zeros((30, 40, 3), np.uint8)).shape == (30, 40)
    assert reduced(np.zeros((1, 4000, 3), np.uint8)).shape == (1, 640)
