"""Tiles: a predictor that looks at overlapping parts of each frame, as well as at the whole.

A network sees a frame reduced to its input size, in which small things vanish. In a tile they are
larger. The whole frame is looked at too, since large things fill more than a tile.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice, product
from math import ceil
from typing import Any

import numpy as np

from vidseg.concurrency import batched
from vidseg.detection._tile_merging import Tile, merge_views
from vidseg.detection.batched import DEFAULT_BATCH_SIZE
from vidseg.detection.predictor import Predictor, predict_named
from vidseg.models.names import MAX_TILES_PER_SIDE, parse_tiles
from vidseg.structures.frame import Image
from vidseg.structures.instances import Instances

OVERLAP = 0.2
"""Share of a tile's side that it has in common with the next one, as in SAHI (Akyon et al. 2022).
An object smaller than that lies whole in one of them."""

MIN_AUTO_SCALE = 0.5
"""`auto` has the fewest tiles that the model sees at half their size or more."""

DEFAULT_INPUT_SIZE = (800, 1333)
"""Shorter and longest side at which a predictor without `input_size` is taken to see images:
torchvision's."""

Size = tuple[int, int]
"""Height and width in pixels."""


class TiledPredictor:
    """Finds the objects of images with another predictor, on the whole and on tiles of each.

    All other members are those of the other predictor.
    """

    def __init__(self, predictor: Predictor, tiles: str, batch_size: int | None = None) -> None:
        """
        Args:
            predictor: of any kind. Its `input_size`, if it has one, is the shorter and the longest
                side at which it sees an image.
            tiles: `auto`, or columns and rows, as in `4x3`.
            batch_size: the most images in one call of it; None: its own `batch_size`.

        Raises OptionError: other `tiles`.
        """
        self.predictor = predictor
        self._grid = None if tiles == "auto" else parse_tiles(tiles)
        self._batch_size = batch_size or getattr(predictor, "batch_size", DEFAULT_BATCH_SIZE)

    @property
    def classes(self) -> Mapping[int, str]:
        return self.predictor.classes

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "predictor":
            raise AttributeError(name)
        return getattr(self.predictor, name)

    def predict(self, images: Sequence[Image]) -> list[Instances]:
        """The objects of each image, best score first; (H, W, 3) uint8 RGB images of any sizes."""
        cut = [self.tiles(image.shape[:2]) for image in images]
        views = [tile.of(image) for image, tiles in zip(images, cut, strict=True) for tile in tiles]
        found = self._look([*images, *views])
        wholes = list(islice(found, len(images)))
        return [
            merge_views(whole, tiles, list(islice(found, len(tiles))))
            for whole, tiles in zip(wholes, cut, strict=True)
        ]

    def tiles(self, size: Size) -> tuple[Tile, ...]:
        """The tiles of an image of that size; none where the whole is enough."""
        grid = self._grid
        if grid is None:
            sides = getattr(self.predictor, "input_size", DEFAULT_INPUT_SIZE)
            grid = auto_grid(size, (sides[0], sides[1]))
        return tiles_of(size, grid)

    def _look(self, views: Iterable[Image]) -> Iterator[Instances]:
        for batch in batched(views, self._batch_size):
            yield from predict_named(self.predictor, [np.ascontiguousarray(view) for view in batch])


@lru_cache
def tiles_of(size: Size, grid: tuple[int, int]) -> tuple[Tile, ...]:
    """Tiles of one size that cover an image of `size`, row by row; none if `grid` is (1, 1).

    `grid` is the number of columns and of rows. An image of fewer pixels has fewer tiles.
    """
    if grid == (1, 1):
        return ()
    height, width = _tile_size(size, grid)
    tops = dict.fromkeys(_starts(size[0], height, grid[1]))
    lefts = dict.fromkeys(_starts(size[1], width, grid[0]))
    return tuple(Tile(x, y, x + width, y + height) for y, x in product(tops, lefts))


@lru_cache
def auto_grid(size: Size, input_size: tuple[int, int]) -> tuple[int, int]:
    """The fewest columns and rows of which each tile is seen at `MIN_AUTO_SCALE` or more."""
    counts = range(1, MAX_TILES_PER_SIDE + 1)
    scales = {grid: _scale(_tile_size(size, grid), input_size) for grid in product(counts, counts)}
    enough = [grid for grid, scale in scales.items() if scale >= MIN_AUTO_SCALE]
    if not enough:
        return MAX_TILES_PER_SIDE, MAX_TILES_PER_SIDE
    return min(enough, key=lambda grid: (grid[0] * grid[1], -scales[grid]))


def _scale(size: Size, input_size: tuple[int, int]) -> float:
    """By which factor an image of `size` is resized to the model's shorter and longest side."""
    return min(input_size[0] / min(size), input_size[1] / max(size))


def _tile_size(size: Size, grid: tuple[int, int]) -> Size:
    columns, rows = grid
    return _side(size[0], rows), _side(size[1], columns)


def _side(length: int, count: int) -> int:
    """The side of `count` tiles that overlap by `OVERLAP` and cover `length` pixels."""
    return ceil(length / (count - (count - 1) * OVERLAP))


def _starts(length: int, side: int, count: int) -> list[int]:
    return [round(number * (length - side) / max(count - 1, 1)) for number in range(count)]
