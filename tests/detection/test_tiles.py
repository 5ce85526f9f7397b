"""Objects seen in tiles and in the whole frame are found once, whole, and under one id."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.commands import fails, run
from tests.support.doubles import OraclePredictor
from tests.support.scenes import write_scene
from vidseg.detection.tiles import OVERLAP, TiledPredictor, auto_grid, tiles_of
from vidseg.errors import InputError, OptionError
from vidseg.models.options import ModelOptions
from vidseg.models.predictor import load_predictor
from vidseg.pipeline.detect_part import detect_part
from vidseg.pipeline.detect_to_file import detect_to_file
from vidseg.pipeline.find import find
from vidseg.pipeline.merge import merge
from vidseg.pipeline.run_options import RunOptions
from vidseg.pipeline.search import Search
from vidseg.results.vidseg_file import read_detections
from vidseg.structures.frame import Image
from vidseg.structures.instances import Instances

SIZE = (240, 400)
INPUT_SIDE = 80
"""The longest side at which the predictor of these tests sees an image."""


class Spots:
    """Finds bright spots of 3 pixels or more in an image reduced to `INPUT_SIDE`."""

    input_size = (INPUT_SIDE, INPUT_SIDE)
    batch_size = 3

    def __init__(self, longest: int = 10**9, mask_sides: Sequence[int] = (28,)) -> None:
        """It is blind to spots of more than `longest` reduced pixels."""
        self.classes = {1: "spot"}
        self.longest, self.mask_sides = longest, mask_sides
        self.batches: list[int] = []

    def predict(self, images: Sequence[Image]) -> list[Instances]:
        self.batches.append(len(images))
        return [self._look(image, n) for n, image in enumerate(images)]

    def _look(self, image: Image, number: int) -> Instances:
        height, width = image.shape[:2]
        scale = min(INPUT_SIDE / max(height, width), 1)
        size = round(width * scale), round(height * scale)
        small = cv2.resize(image[..., 0], size, interpolation=cv2.INTER_AREA)
        small = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
        count, spots = cv2.connectedComponents((small > 127).astype(np.uint8))
        masks = [spots == spot for spot in range(1, count)]
        masks = [
            m for m in masks if m.sum() * scale**2 >= 3 and _longest(m) * scale <= self.longest
        ]
        shown = np.array(masks, bool).reshape(-1, height, width)
        scores = [0.5 + 0.4 * min(scale * m.sum() / m.size, 1) for m in masks]
        side = self.mask_sides[number % len(self.mask_sides)]
        return Instances.from_masks(shown, [1] * len(masks), scores, side)


def _longest(mask: np.ndarray) -> int:
    rows, cols = np.nonzero(mask)
    return max(int(np.ptp(rows)), int(np.ptp(cols))) + 1


def picture(*boxes: tuple[int, int, int, int], size: tuple[int, int] = SIZE) -> Image:
    """Black, with these (left, top, right, bottom) white."""
    image = np.zeros((*size, 3), np.uint8)
    for left, top, right, bottom in boxes:
        image[top:bottom, left:right] = 255
    return image


def ious(found: Instances, image: Image) -> list[float]:
    """Of each spot of the image, the best IoU with an object."""
    count, spots = cv2.connectedComponents((image[..., 0] > 127).astype(np.uint8))
    masks = found.full_masks()
    return [
        max(
            (float((m & (spots == s)).sum() / (m | (spots == s)).sum()) for m in masks), default=0.0
        )
        for s in range(1, count)
    ]


@given(
    st.tuples(st.integers(1, 5000), st.integers(1, 9000)),
    st.tuples(st.integers(1, 16), st.integers(1, 16)),
)
def test_tiles_are_of_one_size_overlap_and_cover_the_frame(
    size: tuple[int, int], grid: tuple[int, int]
) -> None:
    tiles = tiles_of(size, grid)
    if grid == (1, 1):
        assert tiles == ()
        return
    assert len({(t.right - t.left, t.bottom - t.top) for t in tiles}) == 1
    for low, high, length in (("left", "right", size[1]), ("top", "bottom", size[0])):
        spans = sorted({(getattr(t, low), getattr(t, high)) for t in tiles})
        assert (spans[0][0], spans[-1][1]) == (0, length)
        for one, other in pairwise(spans):
            assert one[1] - other[0] >= OVERLAP * (one[1] - one[0]) - 2


@pytest.mark.parametrize(
    ("size", "input_size", "grid"),
    [
        ((2160, 3840), (360, 480), (5, 4)),
        ((1080, 1920), (360, 480), (3, 2)),
        ((720, 1280), (360, 480), (2, 1)),
        ((720, 960), (360, 480), (1, 1)),
        ((2160, 3840), (800, 1333), (3, 1)),
        ((1080, 1920), (800, 1333), (1, 1)),
    ],
)
def test_auto_has_the_fewest_tiles_that_are_seen_at_half_their_size(
    size: tuple[int, int], input_size: tuple[int, int], grid: tuple[int, int]
) -> None:
    assert auto_grid(size, input_size) == grid


def test_a_frame_that_the_model_sees_well_has_no_tiles() -> None:
    predictor = Spots()
    image = picture((10, 10, 30, 30), size=(80, 80))
    (found,) = TiledPredictor(predictor, "auto").predict([image])
    assert predictor.batches == [1]
    assert len(found) == 1


def test_small_objects_are_found_in_tiles_alone() -> None:
    image = picture(*((x, y, x + 6, y + 6) for x in range(7, 390, 48) for y in range(9, 230, 48)))
    (whole,) = Spots().predict([image])
    (tiled,) = TiledPredictor(Spots(), "6x4").predict([image])
    assert len(whole) == 0
    assert len(tiled) == 8 * 5
    assert min(ious(tiled, image)) > 0.8


@pytest.mark.parametrize(
    "box",
    [(190, 110, 210, 130), (180, 20, 230, 60), (2, 100, 398, 140), (100, 2, 150, 238)],
    ids=["at the centre", "across one seam", "from edge to edge", "from top to bottom"],
)
def test_an_object_on_seams_is_found_once_and_whole(box: tuple[int, int, int, int]) -> None:
    image = picture(box)
    for grid in ("2x2", "5x3"):
        (found,) = TiledPredictor(Spots(), grid).predict([image])
        assert len(found) == 1
        assert min(ious(found, image)) > 0.85


def test_pieces_are_joined_where_the_whole_frame_shows_no_object() -> None:
    image = picture((40, 100, 360, 130))
    predictor = Spots(longest=60)  # the bar takes 64 of the whole frame, 60 at most in each tile
    assert len(predictor.predict([image])[0]) == 0

    class LargeAreUnseen(Spots):
        def _look(self, image: Image, number: int) -> Instances:
            seen = super()._look(image, number)
            return seen[:0] if image.shape[:2] == SIZE else seen

    (found,) = TiledPredictor(LargeAreUnseen(), "3x1").predict([image])
    assert len(found) == 1
    assert min(ious(found, image)) > 0.9


def test_two_objects_side_by_side_stay_two() -> None:
    image = picture((150, 80, 198, 160), (206, 80, 250, 160))
    (found,) = TiledPredictor(Spots(), "2x2").predict([image])
    assert len(found) == 2
    assert min(ious(found, image)) > 0.85


def test_masks_of_different_sides_are_brought_to_one() -> None:
    image = picture((30, 30, 90, 90), (200, 100, 260, 180))
    (found,) = TiledPredictor(Spots(mask_sides=(28, 14, 40)), "2x2").predict([image])
    assert found.masks.shape[-1] == 40
    assert min(ious(found, image)) > 0.85


def test_the_model_sees_whole_frames_and_tiles_in_its_batches() -> None:
    predictor = Spots()
    images = [picture((10, 10, 40, 40)), picture(size=(100, 100)), picture((5, 5, 60, 60))]
    found = TiledPredictor(predictor, "2x2").predict(images)
    assert predictor.batches == [3] * 5
    assert [len(each) for each in found] == [1, 0, 1]
    assert found[1].size == (100, 100)
    few = Spots()
    TiledPredictor(few, "2x2", batch_size=5).predict(images)
    assert few.batches == [5] * 3


@pytest.mark.parametrize("tiles", ["3x2", "auto"])
def test_an_object_keeps_its_id_over_seams(tiles: str) -> None:
    """A spot too small for the whole frame crosses two seams; another stands on one."""
    frames = [picture((4 + 8 * n, 60, 12 + 8 * n, 68), (196, 160, 204, 168)) for n in range(12, 38)]
    search = Search(model=Spots(), tiles=tiles, score=0.3)
    ids = [set(objects.ids.tolist()) for _, objects in find(frames, search)]
    assert ids == [{1, 2}] * 26


@pytest.mark.parametrize("tiles", ["0x2", "2", "17x1", "2x2x2", "-1x3", "many", ""])
def test_tiles_that_cannot_be_are_refused_at_once(tiles: str, model: str, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="are not auto or COLUMNSxROWS"):
        ModelOptions(tiles=tiles)
    clip = write_scene(tmp_path / "in.mp4", frames=2)
    sentence = fails(
        "overlay", "--model", model, "--tiles", tiles, clip, tmp_path / "o.mp4", code=2
    )
    assert "COLUMNSxROWS" in sentence


def test_detection_files_say_which_tiles_were_used(tmp_path: Path) -> None:
    clip = write_scene(tmp_path / "in.mp4", frames=4)
    for tiles in (None, "2x2"):
        detect_to_file(
            clip, tmp_path / f"{tiles}.vidseg", search=Search(model=Spots(), tiles=tiles)
        )
    assert "tiles" not in read_detections(tmp_path / "None.vidseg").header.options
    assert read_detections(tmp_path / "2x2.vidseg").header.options["tiles"] == "2x2"


def test_parts_with_other_tiles_are_not_merged(tmp_path: Path) -> None:
    clip = write_scene(tmp_path / "in.mp4", frames=6)
    for span, tiles in (((0, 3), "2x2"), ((3, None), "3x2")):
        search = Search(model=Spots(), tiles=tiles, batch_size=3)
        detect_part(clip, tmp_path / "parts", span, search=search, options=RunOptions())
    with pytest.raises(InputError, match="are of different runs"):
        merge(tmp_path / "parts", tmp_path / "out.vidseg")


def test_the_command_line_looks_at_tiles(
    oracle: OraclePredictor, model: str, tmp_path: Path
) -> None:
    clip = write_scene(tmp_path / "in.mp4", frames=3)
    done = run("overlay", "--model", model, "--tiles", "2x2", clip, tmp_path / "out.mp4")
    assert done.exit_code == 0, done.output
    assert sum(oracle.batches) == 3 * 5


def test_a_model_tells_at_which_size_it_sees_frames() -> None:
    assert load_predictor("everyday", device="cpu").input_size == (360, 480)
    assert load_predictor("everyday", device="cpu", size=180).input_size == (180, 240)
