"""A few frames spread over an input: which ones, and how little is read for them."""

import itertools
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Picture

from tests.support.scenes import read_barcode, scene_image, write_scene
from vidseg.structures.frame import Frame
from vidseg.structures.span import Span
from vidseg.video.decoding import moments
from vidseg.video.decoding.moments import evenly, moment_times, read_chosen, read_moments
from vidseg.video.decoding.reader import read_frames
from vidseg.video.info import VideoInfo
from vidseg.video.probe import probe

PIXELS = {"in.mp4": "yuv420p", "in.avi": "yuv420p", "in.apng": "rgb24"}


def seen(path: Path, span: Span | None = None, count: int = 9) -> list[int]:
    """The indexes of the moments, which are those that their pictures spell."""
    frames = list(read_moments(probe(path), span or Span(), count))
    assert [read_barcode(frame.image) for frame in frames] == [frame.index for frame in frames]
    return [frame.index for frame in frames]


def test_items_come_from_the_middles_of_equal_parts() -> None:
    assert evenly(range(90), 9) == [5, 15, 25, 35, 45, 55, 65, 75, 85]
    assert evenly(range(4), 9) == [0, 1, 2, 3]
    assert evenly(range(10), 9)[-1] == 9


def test_keyframes_near_the_middles_are_taken(tmp_path: Path) -> None:
    path = write_scene(tmp_path / "in.mp4", frames=180, options={"g": "10", "sc_threshold": "0"})
    assert seen(path, count=3) == [30, 90, 150]
    assert seen(path) == [10, 30, 50, 70, 90, 110, 130, 150, 170]


def test_a_part_without_a_keyframe_is_decoded_up_to_its_middle(tmp_path: Path) -> None:
    path = write_scene(tmp_path / "in.mp4", frames=180, options={"g": "124", "sc_threshold": "0"})
    assert seen(path) == [10, 30, 50, 70, 90, 110, 124, 150, 170]


def test_only_what_is_near_a_keyframe_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_scene(tmp_path / "in.mp4", frames=180, options={"g": "10", "sc_threshold": "0"})
    asked: list[tuple[Fraction | None, int]] = []
    read = moments.read_frames

    def counting(info, **options):
        asked.append((options["start"], 0))
        for frame in read(info, **options):
            asked[-1] = asked[-1][0], asked[-1][1] + 1
            yield frame

    monkeypatch.setattr(moments, "read_frames", counting)
    seen(path, count=3)
    assert asked == [(Fraction(1), 1), (Fraction(3), 1), (Fraction(5), 1)]


@pytest.mark.parametrize("name", ["in.mp4", "in.apng", "in.avi"])
def test_moments_lie_in_the_span(name: str, tmp_path: Path) -> None:
    path = write_scene(tmp_path / name, frames=60, rate=Fraction(10), pixel_format=PIXELS[name])
    found = seen(path, Span(2, 4), count=4)
    assert len(found) == 4
    assert found == sorted({*found} & {*range(20, 40)})


@pytest.mark.parametrize("name", ["in.mp4", "in.apng"])
def test_a_short_input_gives_each_frame_once(name: str, tmp_path: Path) -> None:
    assert seen(write_scene(tmp_path / name, frames=5, pixel_format=PIXELS[name])) == [
        0,
        1,
        2,
        3,
        4,
    ]


@pytest.mark.parametrize("name", ["in.mp4", "in.apng"])
def test_a_short_video_gives_the_middles_exactly(name: str, tmp_path: Path) -> None:
    path = write_scene(tmp_path / name, frames=90, pixel_format=PIXELS[name], options={"g": "7"})
    found = seen(path)
    if probe(path).frames is None:  # a number that only decoding tells
        assert len(found) == 9
        assert max(b - a for a, b in itertools.pairwise(found)) <= 16
    else:
        assert found == [5, 15, 25, 35, 45, 55, 65, 75, 85]


def test_a_span_after_the_end_gives_none(tmp_path: Path) -> None:
    path = write_scene(tmp_path / "in.mp4", frames=40, options={"g": "10"})
    assert moment_times(probe(path), Span(7, 9), 9) == []
    assert seen(path, Span(7, 9)) == []


def test_of_a_folder_only_the_chosen_photos_are_opened(tmp_path: Path) -> None:
    for number in range(30):
        image = np.ascontiguousarray(scene_image(number)[..., ::-1])
        cv2.imwrite(str(tmp_path / f"{number:02d}.png"), image)
    wanted = [5, 15, 25]
    for path in tmp_path.glob("*.png"):
        if int(path.stem) not in (0, 14, *wanted):
            path.write_bytes(path.read_bytes()[:60])
    assert seen(tmp_path, count=3) == wanted
    frames = list(read_moments(probe(tmp_path), Span(14, 16), 3))
    assert [(frame.index, frame.time) for frame in frames if frame.index == 15] == [(15, 15)]


@pytest.mark.parametrize("chosen", [[0], [5, 6, 90, 91, 179], [44, 45, 46, 120, 400]])
def test_chosen_frames_are_those_with_these_indexes(tmp_path: Path, chosen: list[int]) -> None:
    options = {"g": "10", "sc_threshold": "0"}
    info = probe(write_scene(tmp_path / "in.mp4", frames=180, options=options))
    frames = list(read_chosen(info, chosen, Span()))
    assert [frame.index for frame in frames] == [index for index in chosen if index < 180]
    assert [read_barcode(frame.image) for frame in frames] == [frame.index for frame in frames]


def test_chosen_frames_that_are_far_apart_are_read_from_keyframes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"g": "10", "sc_threshold": "0"}
    info = probe(write_scene(tmp_path / "in.mp4", frames=180, options=options))
    ranges: list[tuple[int, int]] = []

    def reading(info: VideoInfo, *, first: int, stop: int, **_: bool) -> Iterator[Frame]:
        ranges.append((first, stop))
        return read_frames(info, first=first, stop=stop)

    monkeypatch.setattr("vidseg.video.decoding.moments.read_frames", reading)
    chosen = [3, 12, 95, 120]
    assert [frame.index for frame in read_chosen(info, chosen, Span())] == chosen
    assert ranges == [(3, 13), (95, 121)]


def test_chosen_photos_are_opened_alone(tmp_path: Path) -> None:
    for index in range(5):
        Picture.fromarray(scene_image(index)).save(tmp_path / f"{index}.png")
    info = probe(tmp_path)
    (tmp_path / "2.png").write_bytes(b"damaged")
    frames = list(read_chosen(info, [1, 3], Span()))
    assert [(frame.index, read_barcode(frame.image)) for frame in frames] == [(1, 1), (3, 3)]
    assert list(read_chosen(info, [], Span())) == []
