"""The contact sheet: where the pictures are, and what stands for transparency."""

import numpy as np
import pytest

from vidseg.effects.contact_sheet import (
    GAP_PIXELS,
    MAX_PICTURE_PIXELS,
    MIN_CELL_PIXELS,
    SQUARE_GREYS,
    SQUARE_PIXELS,
    contact_sheet,
)


def plain(height: int, width: int, grey: int, channels: int = 3) -> np.ndarray:
    return np.full((height, width, channels), grey, np.uint8)


@pytest.mark.parametrize(("count", "columns", "rows"), [(1, 1, 1), (2, 2, 1), (5, 3, 2), (9, 3, 3)])
def test_pictures_stand_row_by_row(count: int, columns: int, rows: int) -> None:
    pictures = [plain(150, 300, 100 + 10 * number) for number in range(count)]
    sheet = contact_sheet(pictures, ["one"] * count)
    height, width = sheet.shape[:2]
    assert width == columns * (300 + GAP_PIXELS) + GAP_PIXELS
    step = (height - GAP_PIXELS) // rows
    for number in range(count):
        top = GAP_PIXELS + number // columns * step
        left = GAP_PIXELS + number % columns * (300 + GAP_PIXELS)
        inside = sheet[top : top + 150, left : left + 300]
        assert (inside == 100 + 10 * number).all()
        caption = sheet[top + 150 : top + step - GAP_PIXELS, left : left + 300]
        assert caption.max() > 200


def test_large_pictures_are_scaled_and_small_ones_are_not() -> None:
    sheet = contact_sheet([plain(2160, 3840, 200)], ["large"])
    assert sheet.shape[1] == MAX_PICTURE_PIXELS + 2 * GAP_PIXELS
    assert (sheet[GAP_PIXELS : GAP_PIXELS + 360, GAP_PIXELS:-GAP_PIXELS] == 200).all()
    sheet = contact_sheet([plain(1, 1, 200)], ["a caption that is far too long for its cell"])
    assert sheet.shape[1] == MIN_CELL_PIXELS + 2 * GAP_PIXELS


def test_pictures_of_several_sizes_share_a_sheet() -> None:
    sheet = contact_sheet([plain(400, 300, 90), plain(100, 500, 160)], ["tall", "wide"])
    assert (sheet == 90).all(axis=2).sum() == 400 * 300
    assert (sheet == 160).all(axis=2).sum() == 100 * 500


def test_transparency_shows_a_chessboard() -> None:
    picture = plain(240, 320, 250, channels=4)
    picture[:, 160:, 3] = 0
    picture[:, :160, 3] = 255
    inside = contact_sheet([picture], ["half"])[GAP_PIXELS:, GAP_PIXELS:][:240, :320]
    assert (inside[:, :160] == 250).all()
    squares = inside[:, 160:]
    assert set(np.unique(squares)) == {*SQUARE_GREYS}
    side = SQUARE_PIXELS
    assert (squares[:side, 8] != squares[side : 2 * side, 8]).all()
