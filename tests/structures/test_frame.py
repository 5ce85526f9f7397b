from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from vidseg.errors import FrameError
from vidseg.structures.frame import Frame, check_image


def test_what_is_printed_is_short() -> None:
    frame = Frame(3, Fraction(1, 10), np.zeros((20, 30, 3), np.uint8))
    assert repr(frame) == "Frame(index=3, time=1/10, image=(20, 30, 3) uint8)"


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ([[[0, 0, 0]]], "got list; convert it with np.asarray(image)."),
        (np.zeros((4, 5)), "got (4, 5) float64; a grey picture needs three equal channels"),
        (np.zeros((4, 5, 1), np.uint8), "np.dstack([image] * 3)"),
        (np.zeros((4, 5, 4), np.uint8), "leave the alpha channel out: image[..., :3]"),
        (np.zeros((3, 4, 5), np.uint8), "put the channels last: image.transpose(1, 2, 0)"),
        (np.zeros((2, 4, 5, 3), np.uint8), "give one picture at a time"),
        (np.zeros((0, 5, 3), np.uint8), "it has no pixels"),
        (np.ones((4, 5, 3), np.float32), "(image * 255).round().astype(np.uint8)"),
        (np.full((4, 5, 3), 255.0), "image.clip(0, 255).astype(np.uint8)"),
        (np.zeros((4, 5, 3), np.int64), "image.clip(0, 255).astype(np.uint8)"),
        (np.zeros((4, 5, 3), np.uint16), "(image >> 8).astype(np.uint8)"),
    ],
)
def test_pictures_of_other_kinds_are_refused_with_what_to_do(image: Any, message: str) -> None:
    with pytest.raises(FrameError) as caught:
        check_image(image)
    assert message in str(caught.value)
    assert str(caught.value).startswith("A frame must be an (H, W, 3) uint8 RGB array, got ")


def test_the_advice_makes_a_picture_that_passes() -> None:
    grey, rgba = np.zeros((4, 5), np.uint8), np.zeros((4, 5, 4), np.uint8)
    check_image(np.dstack([grey] * 3))
    check_image(rgba[..., :3])
    check_image(np.zeros((3, 4, 5), np.uint8).transpose(1, 2, 0))
    check_image((np.ones((4, 5, 3), np.float32) * 255).round().astype(np.uint8))
