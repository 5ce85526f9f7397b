"""Colour histograms and thumbnails, for any memory layout of the picture."""

import numpy as np

from tests.support.random_instances import blobs
from vidseg.structures.frame import Image
from vidseg.structures.instances import Instances
from vidseg.tracking._appearance import Histograms, color_counts, histograms, similarity
from vidseg.video.analysis.scene_cuts import thumbnail

SIZE = (90, 160)


def picture() -> Image:
    return np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)


def color_histograms(image: Image, objects: Instances) -> Histograms:
    return histograms(color_counts(image, objects))


def laid_otherwise(image: Image) -> Image:
    """The same picture as a strided, column-major view."""
    wide = np.zeros((image.shape[0], image.shape[1] * 2, 3), np.uint8, order="F")
    wide[:, ::2] = image
    return wide[:, ::2]


def test_the_layout_in_memory_changes_nothing() -> None:
    image, objects = picture(), blobs(4, SIZE)
    other = laid_otherwise(image)
    assert not other.flags.c_contiguous
    np.testing.assert_array_equal(
        color_histograms(other, objects), color_histograms(image, objects)
    )
    np.testing.assert_array_equal(thumbnail(other), thumbnail(image))


def test_histograms_are_of_the_colours_under_the_masks() -> None:
    objects, image = blobs(2, SIZE, seed=3), np.zeros((*SIZE, 3), np.uint8)
    red = color_histograms(np.full_like(image, (250, 0, 0)), objects)
    blue = color_histograms(np.full_like(image, (0, 0, 250)), objects)
    np.testing.assert_allclose(similarity(red, red), 1)
    np.testing.assert_array_equal(similarity(red, blue), 0)
    objects.masks[0] = 0
    assert (color_histograms(image, objects)[0] == 0).all()
