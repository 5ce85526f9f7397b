"""A contact sheet: several pictures in a grid, each over its caption."""

from collections.abc import Sequence
from math import ceil, sqrt
from typing import Any

import cv2
import numpy as np

from vidseg.effects.text_labels import tag
from vidseg.structures.colors import Color
from vidseg.structures.frame import Image

MAX_PICTURE_PIXELS = 640
"""Longest side of a picture on the sheet; larger ones are scaled down."""
MIN_CELL_PIXELS = 240
"""Narrowest cell, so that a caption fits under a small picture."""
CAPTION_PIXELS = 16
GAP_PIXELS = 8
SHEET_COLOR: Color = (24, 24, 27)
SQUARE_PIXELS = 12
"""Side of the squares that stand for transparency."""
SQUARE_GREYS = (104, 152)


def contact_sheet(pictures: Sequence[Image], captions: Sequence[str]) -> Image:
    """(H, W, 3) uint8: at least one picture, RGB or RGBA, row by row on a dark ground."""
    small = [opaque(_scaled(picture)) for picture in pictures]
    tags = [tag(caption, CAPTION_PIXELS, SHEET_COLOR) for caption in captions]
    height = max(picture.shape[0] for picture in small)
    width = max(MIN_CELL_PIXELS, *(picture.shape[1] for picture in small))
    columns = ceil(sqrt(len(small)))
    rows = ceil(len(small) / columns)
    step = height + tags[0].shape[0] + GAP_PIXELS, width + GAP_PIXELS
    size = rows * step[0] + GAP_PIXELS, columns * step[1] + GAP_PIXELS
    sheet = np.full((*size, 3), SHEET_COLOR, np.uint8)
    for number, (picture, text) in enumerate(zip(small, tags, strict=True)):
        top = GAP_PIXELS + number // columns * step[0]
        left = GAP_PIXELS + number % columns * step[1]
        indent = (width - picture.shape[1]) // 2
        _paste(sheet, picture, top + height - picture.shape[0], left + indent)
        _paste(sheet, text[:, :width], top + height, left)
    return sheet


def _scaled(picture: Image) -> Image:
    scale = MAX_PICTURE_PIXELS / max(picture.shape[:2])
    if scale >= 1:
        return picture
    size = [max(1, round(side * scale)) for side in picture.shape[1::-1]]
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def opaque(picture: Image) -> Image:
    """An RGBA picture over a chessboard; an RGB one as it is."""
    if picture.shape[2] == 3:
        return picture
    rows, cols = (np.arange(side) // SQUARE_PIXELS for side in picture.shape[:2])
    squares = np.asarray(SQUARE_GREYS, np.uint16)[(rows[:, None] + cols) % 2, None]
    alpha = picture[..., 3:].astype(np.uint16)
    return ((picture[..., :3] * alpha + squares * (255 - alpha) + 127) // 255).astype(np.uint8)


def _paste(sheet: Any, picture: Image, top: int, left: int) -> None:
    height, width = picture.shape[:2]
    sheet[top : top + height, left : left + width] = picture
