"""Cut-outs: opacity and colours, against pictures blended from known parts."""

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from tests.support.random_instances import any_instances, blobs
from tests.support.scenes import scene_image, scene_instances, scene_masks
from vidseg.effects.cutout import COLOR_MARGIN_PIXELS, Cutout, Matte, cut, cut_objects
from vidseg.structures.frame import Image
from vidseg.structures.instances import UNTRACKED, Instances

Floats = NDArray[np.float64]


def mixed() -> tuple[Image, NDArray[np.uint8], Floats]:
    """A picture of a disc with a soft edge of 6 pixels, its opacity, and the disc's colour."""
    y, x = np.mgrid[:160, :200] + 0.5
    opacity = ((55 - np.hypot(x - 100, y - 80)) / 6 + 0.5).clip(0, 1)
    own = np.stack([200 + 20 * np.sin(x / 15), 60 + x / 8, 50 + y / 8], 2)
    field = np.stack([30 + x / 5, 200 - y / 5, np.full(x.shape, 80.0)], 2)
    image = own * opacity[..., None] + field * (1 - opacity[..., None])
    return np.round(image).astype(np.uint8), np.round(opacity * 255).astype(np.uint8), own


def over(picture: Image, color: tuple[int, int, int]) -> Floats:
    share = picture[..., 3:] / 255
    return picture[..., :3] * share + np.array(color) * (1 - share)


def test_the_background_is_removed_from_the_edge() -> None:
    image, opacity, own = mixed()
    picture = cut(image, opacity)
    assert (picture[..., 3] == opacity).all()
    rim = (opacity > 10) & (opacity < 245)
    halo = np.abs(image[rim] - own[rim]).mean()
    left = np.abs(picture[rim][:, :3] - own[rim]).mean()
    assert left < halo / 4
    black = over(picture, (0, 0, 0)) - own * (opacity / 255)[..., None]
    assert np.abs(black[rim]).mean() < 5


def test_opaque_pixels_are_the_picture_and_colours_go_on_outside() -> None:
    image, opacity, own = mixed()
    picture = cut(image, opacity)
    assert (picture[opacity == 255][:, :3] == image[opacity == 255]).all()
    outside = (opacity == 0) & (np.roll(opacity, 6, 0) > 0)
    assert np.abs(picture[outside][:, :3] - own[outside]).mean() < 12


def test_nothing_is_all_transparent_black() -> None:
    image = scene_image(3)
    assert not cut(image, np.zeros(image.shape[:2], np.uint8)).any()
    assert not Cutout()(image, Instances.empty((128, 192))).any()
    assert not Matte()(image, Instances.empty((128, 192))).any()


@pytest.mark.parametrize("refine", [True, False])
def test_objects_of_a_scene_are_opaque_and_the_rest_is_gone(refine: bool) -> None:
    image, instances = scene_image(4), scene_instances(4)
    truth = scene_masks(4).any(0)
    picture = Cutout(refine)(image, instances)
    assert picture.shape == (128, 192, 4)
    assert np.count_nonzero((picture[..., 3] >= 128) != truth) < 0.03 * np.count_nonzero(truth)
    padded = np.pad(truth, 2 * COLOR_MARGIN_PIXELS)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (4 * COLOR_MARGIN_PIXELS + 1,) * 2)
    far = ~windows.any((2, 3))
    assert not picture[far].any()
    matte = Matte(refine)(image, instances)
    assert (matte == picture[..., 3:]).all()


def test_touching_objects_show_no_seam() -> None:
    """One opaque square in two halves that share an edge between pixels."""
    ramp = np.full((28, 28), 255, np.uint8)
    instances = Instances(
        boxes=np.array([[20, 20, 60.5, 100], [60.5, 20, 100, 100]], np.float32),
        masks=np.stack([ramp, ramp]),
        scores=np.ones(2, np.float32),
        labels=np.ones(2, np.int64),
        ids=np.full(2, UNTRACKED, np.int64),
        size=(128, 128),
    )
    image = np.full((128, 128, 3), 90, np.uint8)
    for refine in (True, False):
        assert Cutout(refine)(image, instances)[30:90, 25:95, 3].min() > 240


def test_single_objects_are_cropped_and_whole() -> None:
    image, instances = scene_image(4), scene_instances(4)
    crops = list(cut_objects(image, instances, refine=True))
    assert len(crops) == len(instances)
    for (rows, cols, picture), mask in zip(crops, scene_masks(4), strict=True):
        assert picture.shape == (rows.stop - rows.start, cols.stop - cols.start, 4)
        assert picture[[0, -1], :, 3].any(1).all()
        assert picture[:, [0, -1], 3].any(0).all()
        full = np.zeros(mask.shape, bool)
        full[rows, cols] = picture[..., 3] >= 128
        assert np.count_nonzero(full != mask) < 0.05 * np.count_nonzero(mask)


@settings(max_examples=40)
@given(any_instances())
def test_every_box_can_be_cut_out(instances: Instances) -> None:
    image = np.full((*instances.size, 3), 77, np.uint8)
    before = image.copy()
    for refine in (True, False):
        assert Cutout(refine)(image, instances).shape == (*instances.size, 4)
        assert len(list(cut_objects(image, instances, refine=refine))) == len(instances)
    assert (image == before).all()


def test_an_image_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="the picture has"):
        Cutout()(np.zeros((10, 10, 3), np.uint8), blobs(2, (20, 20)))
