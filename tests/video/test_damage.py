"""Damaged input gives its good frames and an error, or a warning; no frame is repeated."""

from fractions import Fraction
from pathlib import Path

import pytest
from PIL import Image as Pictures

from tests.support import corpus
from tests.support.reading import codes, read
from tests.support.scenes import scene_image, write_scene
from vidseg.errors import DamagedInputError
from vidseg.structures.frame import Frame
from vidseg.video.decoding.reader import read_frames
from vidseg.video.probe import probe


def read_until_damage(path: Path) -> tuple[list[Frame], DamagedInputError]:
    frames: list[Frame] = []
    with pytest.raises(DamagedInputError) as caught:
        frames.extend(read_frames(probe(path)))  # keeps what came before the error
    return frames, caught.value


def assert_only_good_frames(frames: list[Frame]) -> None:
    assert codes(frames) == [frame.index for frame in frames]
    for frame in frames:
        assert abs(frame.time - Fraction(frame.index, 30)) <= Fraction(1, 1000)


CODINGS = {
    "h264.mp4": {"options": {"g": "15", "bf": "2"}},
    "h264.mkv": {"options": {"g": "15"}},
    "h264.flv": {"options": {"g": "15"}},
    "mpeg2.ts": {"codec": "mpeg2video"},
    "mpeg4.avi": {},
    "vp9.webm": {"options": {"g": "15"}},
    "hevc.mp4": {"codec": "libx265", "options": {"x265-params": "keyint=15:log-level=none"}},
}


def write_coding(folder: Path, name: str) -> Path:
    front = {"movflags": "faststart"} if name.endswith("mp4") else {}
    return write_scene(folder / name, frames=90, container_options=front, **CODINGS[name])


@pytest.mark.parametrize("name", CODINGS)
@pytest.mark.parametrize("part", [0.35, 0.8])
def test_truncated_file(tmp_path: Path, name: str, part: float) -> None:
    path = corpus.cut(write_coding(tmp_path, name), part)
    if name.endswith("ts"):  # a transport stream announces no end: only a truncated frame shows it
        assert_only_good_frames(read(path, keep_going=True))
        return
    frames, error = read_until_damage(path)
    assert_only_good_frames(frames)
    assert error.read == len(frames)
    assert 90 * part * 0.5 < len(frames) < 90 * part * 1.3
    assert "cut off" in str(error) or "announces" in str(error)


@pytest.mark.parametrize("name", CODINGS)
@pytest.mark.parametrize("value", [None, 0], ids=["noise", "zeros"])
def test_hole_in_the_middle(tmp_path: Path, name: str, value: int | None) -> None:
    path = corpus.hole(write_coding(tmp_path, name), 0.5, value=value)
    frames, error = read_until_damage(path)
    assert_only_good_frames(frames)
    assert error.read == len(frames) > 20


@pytest.mark.parametrize("name", ["h264.mp4", "hevc.mp4", "mpeg4.avi"])
def test_keep_going_leaves_out_corrupted_frames(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = corpus.hole(write_coding(tmp_path, name), 0.5)
    frames = read(path, keep_going=True)
    assert_only_good_frames(frames)
    assert 60 < len(frames) < 90
    assert frames[-1].index == 89
    assert [f"{90 - len(frames)} of its frames" in r.message for r in caplog.records] == [True]


def test_damage_after_the_part_does_not_matter(tmp_path: Path) -> None:
    path = corpus.hole(write_coding(tmp_path, "h264.mp4"), 0.8)
    assert codes(read(path, end=Fraction(1))) == list(range(30))


def test_part_after_damage_is_reached(tmp_path: Path) -> None:
    path = corpus.hole(write_coding(tmp_path, "h264.mp4"), 0.4)
    assert codes(read(path, start=Fraction(5, 2))) == list(range(75, 90))


def test_folder_with_a_broken_photo(tmp_path: Path) -> None:
    for name in ("1.png", "2.png", "3.png"):
        Pictures.fromarray(scene_image(int(name[0]))).save(tmp_path / name)
    data = (tmp_path / "2.png").read_bytes()
    (tmp_path / "2.png").write_bytes(data[: len(data) // 2])
    frames, error = read_until_damage(tmp_path)
    assert (codes(frames), error.read) == ([1], 1)
    kept = read(tmp_path, keep_going=True)
    assert [(f.index, f.time) for f in kept] == [(0, 0), (2, 2)]


@pytest.mark.parametrize("suffix", [".gif", ".png"])
def test_truncated_animation(tmp_path: Path, suffix: str) -> None:
    whole = corpus.animation(tmp_path, suffix, [50] * 12)
    path = corpus.cut(whole, 0.6)
    frames, _ = read_until_damage(path)
    assert codes(frames) == list(range(len(frames)))
    assert 3 <= len(frames) < 12
