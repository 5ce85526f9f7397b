"""Effects with a state, which starts anew in every run."""

import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.support.random_instances import blobs
from tests.support.scenes import read_barcode, write_scene
from vidseg.effects import Effect, drawing
from vidseg.effects.chain import Chain, Only, Split
from vidseg.effects.decorations import Contour, Trace
from vidseg.effects.parse import EFFECTS, parse_effect
from vidseg.effects.privacy import Fill, Pixelate
from vidseg.effects.replace_background import ReplaceBackground
from vidseg.structures.colors import color_of
from vidseg.structures.frame import Frame, Image
from vidseg.structures.instances import Instances

SIZE = (120, 160)
NONE = Instances.empty(SIZE)
GREY: Image = np.full((*SIZE, 3), 128, np.uint8)


def frame(index: int, rate: int = 30, image: Image = GREY) -> Frame:
    return Frame(index, Fraction(index, rate), image)


def at(x: float, y: float, track_id: int = 1, label: int = 1) -> Instances:
    """One solid object of 20 x 20 pixels centred at (x, y)."""
    return replace(
        blobs(1, SIZE),
        boxes=np.array([[x - 10, y - 10, x + 10, y + 10]], np.float32),
        masks=np.full((1, 28, 28), 255, np.uint8),
        ids=np.array([track_id]),
        labels=np.array([label]),
    )


def run(effect: Effect, *found: Instances) -> list[Image]:
    with drawing(effect) as draw:
        return [draw(frame(index), objects) for index, objects in enumerate(found)]


@pytest.mark.parametrize("name", EFFECTS)
def test_the_first_frame_of_a_run_is_the_plain_effect(name: str) -> None:
    effect = parse_effect(name, {1: "disc"})
    objects = at(60, 60)
    (first,) = run(effect, objects)
    assert np.array_equal(first, effect(GREY, objects)) or name == "trace"
    assert not np.shares_memory(first, GREY)


@pytest.mark.parametrize("name", EFFECTS)
def test_every_run_begins_anew(name: str) -> None:
    effect = parse_effect(name, {1: "disc"})
    found = [at(40.0 + 5 * n, 60) if n != 3 else NONE for n in range(6)]
    for first, second in zip(run(effect, *found), run(effect, *found), strict=True):
        assert np.array_equal(first, second)


@pytest.mark.parametrize("effect", [Fill(hold=2), Chain((Fill(hold=2), Contour()))], ids=str)
def test_a_lost_object_stays_hidden(effect: Effect) -> None:
    seen, *missed, gone = run(effect, at(60, 60), NONE, NONE, NONE)
    black = (seen[52:68, 52:68] == 0).all()
    assert black
    for picture in missed:
        assert (picture[50:70, 50:70] == 0).all()
    assert np.array_equal(gone, GREY)


def test_without_hold_nothing_is_drawn_for_a_lost_object() -> None:
    _, missed = run(Chain((Contour(), Fill(hold=0))), at(60, 60), NONE)
    assert np.array_equal(missed, GREY)


def test_only_selected_objects_are_held_even_if_their_class_changes() -> None:
    effect = Only(Fill(hold=5), labels=frozenset({1}))
    _, other, wavering = run(effect, at(60, 60), at(120, 30, 2, 2), at(60, 60, 1, 2))
    assert (other[50:70, 50:70] == 0).all()
    assert (other[20:40, 110:130] == 128).all()
    assert (wavering[50:70, 50:70] == 0).all()


def test_trace_draws_the_path_of_an_object() -> None:
    found = [at(20.0 + 6 * n, 60) for n in range(20)]
    pictures = run(Trace(length=10, width=3, color=(255, 0, 0)), *found)
    last = pictures[-1].astype(int)
    place = 20 + 6 * 19
    assert last[60, place].tolist() == [255, 0, 0]
    strength = last[60, :, 0] - 128
    assert strength[place - 8] > 90
    assert strength[place - 50 : place].min() > 5
    assert strength[place - 8] > strength[place - 30] > strength[place - 50]
    assert not strength[: place - 60].any()
    assert not strength[place + 6 :].any()
    assert np.array_equal(last[:50], np.full((50, 160, 3), 128))


def test_a_path_fades_when_its_object_is_gone_and_then_ends() -> None:
    found = [at(20.0 + 6 * n, 60) for n in range(10)]
    pictures = run(Trace(length=5), *found, *[NONE] * 6)
    changed = [int(np.abs(picture.astype(int) - 128).sum()) for picture in pictures]
    assert changed[9] > changed[10] > changed[12] > 0
    assert changed[15] == 0
    assert np.array_equal(run(Trace(), at(60, 60, -1), at(70, 60, -1))[1], GREY)


def test_every_path_has_its_colour_and_comes_over_the_edge() -> None:
    first, second = at(10, 40, 1), at(150, 90, 2)
    both = replace(
        blobs(2, SIZE),
        boxes=np.concatenate([first.boxes, second.boxes]),
        ids=np.array([1, 2]),
    )
    moved = replace(both, boxes=both.boxes + np.float32(8))
    picture = run(Trace(), both, replace(moved, boxes=moved.boxes.clip(0, 160)))[1]
    for x, y, name in ((18, 48, 1), (154, 98, 2)):
        assert np.abs(picture[y, x].astype(int) - color_of(name)).max() < 40


def backdrop(path: Path, frames: int, rate: int) -> Path:
    return write_scene(path, frames=frames, rate=Fraction(rate), size=SIZE)


def shown(path: Path, count: int, rate: int, first: int = 0) -> list[int]:
    """The backdrop's frame behind each of `count` frames without objects."""
    with drawing(ReplaceBackground(file=path)) as draw:
        return [read_barcode(draw(frame(first + n, rate), NONE)) for n in range(count)]


def test_a_video_behind_the_objects_keeps_its_own_pace(tmp_path: Path) -> None:
    path = backdrop(tmp_path / "behind.mp4", 6, 10)
    assert shown(path, 12, 30) == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert shown(path, 5, 10) == [0, 1, 2, 3, 4]
    assert shown(path, 3, 5) == [0, 2, 4]


def test_it_starts_again_at_its_end_and_with_the_first_frame_drawn(tmp_path: Path) -> None:
    path = backdrop(tmp_path / "behind.mp4", 4, 30)
    assert shown(path, 10, 30) == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]
    assert shown(path, 6, 30, first=100) == [0, 1, 2, 3, 0, 1]
    assert shown(path, 5, 10) == [0, 3, 2, 1, 0]


def test_an_animation_and_a_single_frame_play_too(tmp_path: Path) -> None:
    path = tmp_path / "behind.png"
    write_scene(path, frames=3, rate=Fraction(10), size=SIZE, pixel_format="rgb24")
    assert shown(path, 7, 10) == [0, 1, 2, 0, 1, 2, 0]
    path = backdrop(tmp_path / "one.mp4", 1, 10)
    assert shown(path, 5, 10) == [0, 0, 0, 0, 0]


def test_the_background_is_closed_and_not_drawn_on(tmp_path: Path) -> None:
    path = backdrop(tmp_path / "behind.mp4", 3, 1)
    image = np.full((*SIZE, 3), 255, np.uint8)
    with drawing(ReplaceBackground(file=path)) as draw:
        before = draw(frame(0, 30, image), NONE)
        draw(frame(1, 30, image), at(60, 60))
        after = draw(frame(2, 30, image), NONE)
    assert np.array_equal(before, after)
    handles = [os.readlink(f"/proc/self/fd/{one}") for one in os.listdir("/proc/self/fd")
               if os.path.islink(f"/proc/self/fd/{one}")]  # fmt: skip
    assert str(path) not in handles


def test_a_frame_of_another_size_gets_a_background_of_its_size(tmp_path: Path) -> None:
    path = backdrop(tmp_path / "behind.mp4", 3, 30)
    with drawing(ReplaceBackground(file=path)) as draw:
        for size in ((60, 80), (120, 160), (30, 200)):
            image = np.zeros((*size, 3), np.uint8)
            assert draw(frame(0, 30, image), Instances.empty(size)).shape == image.shape


def test_split_shows_the_frame_itself_beside_all_that_came_before_it(tmp_path: Path) -> None:
    path = backdrop(tmp_path / "behind.mp4", 3, 30)
    chain = Chain((ReplaceBackground(file=path), Pixelate(), Split(0.5)))
    picture = run(chain, NONE)[0]
    assert np.array_equal(picture[:, :78], GREY[:, :78])
    assert not np.array_equal(picture[:, 82:], GREY[:, 82:])
