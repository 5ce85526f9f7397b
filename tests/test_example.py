"""The example video is what its script paints, and the script's masks are true."""

import importlib
import itertools
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from vidseg.structures.frame import Image

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
VIDEO = EXAMPLES / "balloons.mp4"
LOOKED_AT = (0, 31, 77, 119)


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLES)
        return importlib.import_module("make_balloons")


@pytest.fixture(scope="module")
def visible(maker: ModuleType) -> NDArray[np.intp]:
    """Visible pixels of each balloon in every sixth frame, (frames, N)."""
    frames = range(0, maker.FRAMES, 6)
    return np.array([maker.truth(index).sum((1, 2)) for index in frames])


@pytest.fixture(scope="module")
def decoded() -> list[Image]:
    with av.open(VIDEO) as film:
        frames: Iterator[Any] = film.decode(video=0)
        return [frame.to_ndarray(format="rgb24") for frame in frames]


def psnr(a: Image, b: Image) -> float:
    error = np.mean((a.astype(np.float32) - b) ** 2)
    return float(10 * np.log10(255**2 / error))


def test_file_is_small_and_plays_everywhere(maker: ModuleType) -> None:
    assert VIDEO.stat().st_size < 1_000_000
    with av.open(VIDEO) as film:
        video, audio = film.streams.video[0], film.streams.audio[0]
        assert (video.codec_context.name, video.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (video.height, video.width) == maker.SIZE == (720, 1280)
        assert (video.average_rate, video.frames) == (maker.RATE, maker.FRAMES)
        assert audio.codec_context.name == "aac"
        assert audio.duration
        assert audio.time_base
        sound, film_length = audio.duration * audio.time_base, maker.FRAMES / maker.RATE
        assert abs(sound - film_length) < Fraction(1, 20)


def test_moov_comes_first() -> None:
    """So that the video starts to play before it is loaded."""
    data = VIDEO.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("index", LOOKED_AT)
def test_file_shows_what_the_script_paints(
    maker: ModuleType, decoded: list[Image], index: int
) -> None:
    assert len(decoded) == maker.FRAMES
    near = [psnr(maker.scene(at % maker.FRAMES)[0], decoded[index]) for at in (index, index + 8)]
    assert near[0] > 33
    assert near[0] > near[1] + 3


@pytest.mark.parametrize("index", LOOKED_AT)
def test_masks_are_where_balloons_change_the_picture(maker: ModuleType, index: int) -> None:
    image, masks = maker.scene(index)
    bare, none = maker.scene(index, balloons=())
    assert none.shape == (0, *maker.SIZE)
    changed = np.abs(image.astype(int) - bare).max(2) > 25
    whole = masks.any(0)
    assert changed[whole].mean() > 0.97
    # what changes beside the masks is half covered rims and strings, both a few pixels thin
    beside = (changed & ~whole).astype(np.uint8)
    assert not cv2.erode(beside, np.ones((9, 9), np.uint8)).any()


def test_each_mask_is_its_balloon_alone_less_what_is_nearer(maker: ModuleType) -> None:
    _, masks = maker.scene(31)
    assert (masks.sum(0) <= 1).all()
    for row in range(len(masks)):
        nearer = maker.scene(31, balloons=maker.BALLOONS[row:])[1]
        np.testing.assert_array_equal(nearer[0], masks[row])


def test_balloons_overlap(maker: ModuleType) -> None:
    overlaps = 0
    for first, second in itertools.combinations(maker.BALLOONS, 2):
        alone = [maker.scene(31, balloons=[one])[1][0] for one in (first, second)]
        overlaps += bool((alone[0] & alone[1]).sum() > 500)
    assert overlaps >= 2


def test_balloons_leave_and_come_back(visible: NDArray[np.intp]) -> None:
    def returns(seen: NDArray[np.bool_]) -> bool:
        away = np.flatnonzero(~seen)
        return len(away) > 0 and bool(seen[: away[0]].any() and seen[away[-1] :].any())

    assert sum(returns(seen) for seen in (visible > 0).T) >= 2
    assert ((visible > 0).sum(1) >= 4).all()


def test_sizes_and_colours_differ(maker: ModuleType) -> None:
    heights = [balloon.height for balloon in maker.BALLOONS]
    assert min(heights) <= 100
    assert max(heights) >= 240
    colors = np.array([balloon.color for balloon in maker.BALLOONS], int)
    apart = [np.abs(a - b).max() for a, b in itertools.combinations(colors, 2)]
    assert len(colors) >= 6
    assert min(apart) > 50


def test_sound_is_heard_and_not_clipped(maker: ModuleType) -> None:
    sound = maker.tune()
    assert sound.shape == (2, maker.FRAMES / maker.RATE * maker.SOUND_RATE)
    assert 0.3 < np.abs(sound).max() < 1


def test_label_map_numbers_balloons(maker: ModuleType) -> None:
    masks = np.zeros((3, 2, 2), bool)
    masks[0, 0, 0] = masks[2, 1, 1] = True
    np.testing.assert_array_equal(maker.label_map(masks), [[1, 0], [0, 3]])


@pytest.fixture(scope="module")
def everyday() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLES)
        return importlib.import_module("make_everyday")


@pytest.mark.parametrize("index", LOOKED_AT)
def test_everyday_shows_what_its_script_films(everyday: ModuleType, index: int) -> None:
    path = EXAMPLES / "everyday.mp4"
    assert path.stat().st_size < 1_000_000
    with av.open(path) as film:
        stream: Iterator[Any] = film.decode(video=0)
        frames: list[Image] = [frame.to_ndarray(format="rgb24") for frame in stream]
    assert len(frames) == everyday.FRAMES
    image, masks = everyday.scene(index)
    assert masks.shape == (len(everyday.ACTORS), *everyday.SIZE)
    assert (masks.sum(0) <= 1).all()
    assert (masks.sum((1, 2)) > 0).all()
    assert psnr(image, frames[index]) > 30


def test_every_photo_of_everyday_is_attributed(everyday: ModuleType) -> None:
    table = (EXAMPLES / "everyday/ATTRIBUTION.md").read_text()
    for _, photo, *_ in [everyday.FIELD, *(actor.source for actor in everyday.ACTORS)]:
        assert photo in table
    for path in (EXAMPLES / "everyday").glob("*.[jw]*"):
        assert f"`{path.name}`" in table
