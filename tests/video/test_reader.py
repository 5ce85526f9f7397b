"""Frames as they are read: none lost, doubled or shifted; upright and in the right colours."""

import errno
import json
import logging
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support import corpus
from tests.support.reading import codes, read
from tests.support.scenes import scene_image, write_scene
from vidseg.structures.frame import Frame
from vidseg.video.decoding.reader import read_frames
from vidseg.video.large_arrays import in_own_memory
from vidseg.video.probe import probe

VIDEOS = Path(__file__).resolve().parents[3] / "shared" / "data" / "videos"
MANIFEST = VIDEOS / "manifest.json"


def assert_whole(path: Path, count: int = 30, first: int = 0) -> list[Frame]:
    """All frames are there, in order, with indexes, times and durations that fit together."""
    info, frames = probe(path), read(path)
    assert codes(frames) == list(range(first, first + count))
    assert [frame.index for frame in frames] == list(range(count))
    assert info.frames == count
    assert frames[0].time == info.start
    assert frames[-1].time + frames[-1].duration == info.duration
    for before, after in pairwise(frames):
        assert before.time + before.duration == after.time
    for frame in frames:
        assert frame.image.shape == (*info.size, 3)
        assert frame.image.flags.writeable
        assert frame.image.flags.c_contiguous
    return frames


def write_scene_of(pixel_format: str, rotation: int = 0) -> Callable[[Path], Path]:
    return lambda folder: write_scene(
        folder / "clip.mp4", pixel_format=pixel_format, rotation=rotation
    )


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".ts", ".avi", ".flv"])
@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(60000, 1001)], ids=str)
def test_every_frame_in_every_container(tmp_path: Path, suffix: str, rate: Fraction) -> None:
    sound = 0 if suffix == ".avi" else 1  # its muxer leaves a frame out to let the sound begin
    frames = assert_whole(write_scene(tmp_path / f"clip{suffix}", rate=rate, sound=sound))
    for frame in frames:
        assert abs(frame.time - frames[0].time - frame.index / rate) <= Fraction(1, 1000)


@pytest.mark.parametrize("rate", ["24000/1001", "30000/1001", "30", "60000/1001", "120"])
def test_times_are_exact_in_mp4(tmp_path: Path, rate: str) -> None:
    frames = read(write_scene(tmp_path / "clip.mp4", rate=Fraction(rate)))
    assert [frame.time for frame in frames] == [index / Fraction(rate) for index in range(30)]
    assert {frame.duration for frame in frames} == {1 / Fraction(rate)}


@pytest.mark.parametrize(
    "make", [write_scene_of("yuv420p"), write_scene_of("yuv444p", rotation=90), corpus.hdr]
)
def test_large_images_are_the_same_in_memory_of_their_own(
    tmp_path: Path, make: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make(tmp_path)
    small = read(path)
    monkeypatch.setattr("vidseg.video.large_arrays.MIN_MAPPED_BYTES", 0)
    for before, after in zip(small, read(path), strict=True):
        np.testing.assert_array_equal(before.image, after.image)
        assert after.image.flags.writeable
        assert after.image.flags.c_contiguous
        assert not after.image.flags.owndata


def test_an_image_stays_where_it_is_if_there_is_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(size: int) -> None:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr("vidseg.video.large_arrays.MIN_MAPPED_BYTES", 0)
    monkeypatch.setattr("vidseg.video.large_arrays._mapping", full)
    image = np.zeros((4, 6, 3), np.uint8)
    assert in_own_memory(image) is image


@pytest.mark.parametrize(
    ("suffix", "codec", "pixel_format"),
    [
        (".mp4", "libx265", "yuv420p"),
        (".mp4", "libx264", "yuv420p10le"),
        (".mp4", "libx264", "yuv444p"),
        (".mkv", "libx264", "gray"),
        (".avi", "mjpeg", "yuvj420p"),
        (".ts", "mpeg2video", "yuv420p"),
        (".mov", "prores_ks", "yuv422p10le"),
        (".mkv", "ffv1", "bgr0"),
    ],
)
def test_codecs_and_pixel_formats(
    tmp_path: Path, suffix: str, codec: str, pixel_format: str
) -> None:
    path = tmp_path / f"clip{suffix}"
    assert_whole(write_scene(path, codec=codec, pixel_format=pixel_format))


@pytest.mark.parametrize(
    "make",
    [
        *(corpus.delayed_video, corpus.late_start, corpus.timecode, corpus.two_videos),
        *(corpus.cover_art, corpus.with_subtitles, corpus.no_duration, corpus.fragmented),
    ],
)
def test_healthy_oddities_are_read_whole(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    assert_whole(make(tmp_path))


def test_variable_rate_keeps_every_time(tmp_path: Path) -> None:
    frames = assert_whole(corpus.variable_rate(tmp_path), 40)
    assert frames[21].time == Fraction(2, 3) + Fraction(1, 10)
    assert [frames[5].duration, frames[25].duration] == [Fraction(1, 30), Fraction(1, 10)]


def test_screen_recording_keeps_its_gaps(tmp_path: Path) -> None:
    frames = assert_whole(corpus.screen_recording(tmp_path), 9)
    assert [frame.time * 30 for frame in frames] == [0, 1, 2, 40, 41, 160, 161, 162, 300]


def test_edit_list_cuts(tmp_path: Path) -> None:
    frames = assert_whole(corpus.edit_list(tmp_path), 20, first=10)
    assert frames[0].time == 0


def test_frames_that_depend_on_missing_ones_at_the_start_are_no_damage(tmp_path: Path) -> None:
    assert_whole(corpus.open_start(tmp_path), 45, first=15)


def test_avi_with_reordered_frames_is_counted_at_its_rate(tmp_path: Path) -> None:
    options = {"preset": "veryfast", "bf": "2"}
    assert_whole(write_scene(tmp_path / "b.avi", codec="libx264", options=options))


def test_elementary_stream(tmp_path: Path) -> None:
    assert_whole(write_scene(tmp_path / "b.h264", options={"preset": "veryfast", "bf": "2"}))


def test_one_frame(tmp_path: Path) -> None:
    (frame,) = assert_whole(write_scene(tmp_path / "one.mp4", frames=1), 1)
    assert frame.duration == Fraction(1, 30)


@pytest.mark.parametrize("name", ["odd.mp4", "odd.webm"])
def test_odd_size(tmp_path: Path, name: str) -> None:
    pixel_format = "yuv444p" if name.endswith("mp4") else "yuv420p"
    assert_whole(write_scene(tmp_path / name, size=(129, 193), pixel_format=pixel_format))


def test_new_size_on_the_way_is_scaled(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    frames = read(corpus.new_size(tmp_path))
    assert codes(frames) == list(range(60))
    assert {frame.image.shape for frame in frames} == {(128, 192, 3)}
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_joined_files_go_on(tmp_path: Path) -> None:
    path = corpus.clock_set_back(tmp_path)
    info, frames = probe(path), read(path)
    assert codes(frames) == list(range(60))
    first = Fraction(1920, 90000)  # the sound begins earlier by the delay of its encoder
    assert (info.start, info.frames, info.duration) == (first, 60, first + 2)
    assert [frame.time for frame in frames] == [first + Fraction(i, 30) for i in range(60)]


# Upright


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_pictures_stand_upright(tmp_path: Path, rotation: int) -> None:
    path = write_scene(tmp_path / "turned.mp4", frames=4, rotation=rotation, size=(120, 200))
    for frame in assert_whole(path, 4):
        assert difference(frame.image, scene_image(frame.index, (120, 200))) < 4


def test_mirrored_picture(tmp_path: Path) -> None:
    assert_whole(corpus.mirrored(tmp_path), 12)


def difference(image: Any, wanted: Any) -> float:
    return float(np.abs(image.astype(int) - wanted.astype(int)).mean())


# Colours


@pytest.mark.parametrize(
    ("written", "tags"),
    [
        ("bt709", corpus.BT709_TAGS),
        ("smpte170m", {"colorspace": 6}),
        ("bt2020nc", {"colorspace": 9}),
        ("smpte170m", {}),
    ],
    ids=["709", "601", "2020", "untagged"],
)
@pytest.mark.parametrize("full_range", [False, True], ids=["tv", "pc"])
def test_colours_follow_the_tags(
    tmp_path: Path, written: str, tags: dict[str, int], full_range: bool
) -> None:
    tags = {**tags, "color_range": 2 if full_range else 1}
    path = write_scene(
        tmp_path / "c.mkv", frames=2, matrix=written, full_range=full_range, tags=tags,
        pixel_format="yuv444p", options={"crf": "0"},
    )  # fmt: skip
    for frame in read(path):
        assert difference(frame.image, scene_image(frame.index)) < 1


def test_ten_bits_reach_white(tmp_path: Path) -> None:
    path = write_scene(tmp_path / "ten.mkv", frames=2, pixel_format="yuv420p10le")
    image = read(path)[1].image
    assert image[2:8, 2:20].min() >= 254


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_hdr_is_tone_mapped(tmp_path: Path, transfer: str) -> None:
    frames = read(corpus.hdr(tmp_path, transfer))
    assert codes(frames) == list(range(6))
    for frame in frames:
        error = frame.image.astype(float) - scene_image(frame.index)
        assert 10 * np.log10(255**2 / np.mean(error**2)) > 26


def test_alpha_is_dropped(tmp_path: Path) -> None:
    for frame in read(corpus.alpha(tmp_path)):
        assert np.array_equal(frame.image, scene_image(frame.index))


# A part of the source


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".avi"])
@pytest.mark.parametrize("start", [Fraction(0), Fraction(1, 2), Fraction(19, 10), Fraction(2)])
def test_part_keeps_indexes_and_times_of_the_whole(
    tmp_path: Path, suffix: str, start: Fraction
) -> None:
    path = write_scene(tmp_path / f"clip{suffix}", frames=70, options={"g": "12"})
    end = start + Fraction(1, 3)
    wanted = [f for f in read(path) if start <= f.time < end]
    part = read(path, start=start, end=end)
    assert len(part) in (9, 10, 11)
    assert [(f.index, f.time, f.duration) for f in part] == [
        (f.index, f.time, f.duration) for f in wanted
    ]
    assert codes(part) == [f.index for f in part]
    for frame, whole in zip(part, wanted, strict=True):
        np.testing.assert_array_equal(frame.image, whole.image)


@pytest.mark.parametrize("suffix", [".ts", ".mkv", ".mp4"])
@pytest.mark.parametrize("options", ["open-gop=1:keyint=15:bframes=3", "intra-refresh=1:keyint=15"])
def test_part_of_a_stream_without_clean_random_access(
    tmp_path: Path, options: str, suffix: str
) -> None:
    x264 = {"preset": "veryfast", "x264-params": options}
    path = write_scene(tmp_path / f"clip{suffix}", frames=60, sound=1, options=x264)
    first = probe(path).start
    part = read(path, start=first + 1, end=first + Fraction(4, 3) - Fraction(1, 1000))
    assert codes(part) == [f.index for f in part] == list(range(30, 40))


def test_start_after_the_end_gives_nothing(tmp_path: Path) -> None:
    assert read(write_scene(tmp_path / "clip.mp4"), start=Fraction(9)) == []


def test_reader_can_be_closed_early(tmp_path: Path) -> None:
    frames = read_frames(probe(write_scene(tmp_path / "clip.mp4")))
    next(frames)
    frames.close()


# Real videos


def real_videos() -> list[Any]:
    if not MANIFEST.exists():
        return [pytest.param({}, marks=pytest.mark.skip(reason="no real videos on this machine"))]
    return [
        pytest.param(entry, id=entry["file"], marks=[pytest.mark.slow] if _is_long(entry) else [])
        for entry in json.loads(MANIFEST.read_text())
    ]


def _is_long(entry: dict[str, Any]) -> bool:
    width, height = entry["size"]
    return width * height * entry["frames_decoded"] > 60_000_000


@pytest.mark.parametrize("entry", real_videos())
def test_real_videos_have_as_many_frames_as_known(entry: dict[str, Any]) -> None:
    info = probe(VIDEOS / entry["file"])
    count, last = 0, None
    for frame in read_frames(info):
        count, last = count + 1, frame
    assert count == info.frames == (entry["frames_decoded"] or info.frames)
    assert last is not None
    assert last.time + last.duration == info.duration
    assert [info.size[1], info.size[0]] == entry["size"]
    assert info.damage == ""


@pytest.mark.parametrize("start", [12, 13, 20, 25])
def test_parts_begin_inside_open_groups_of_pictures(tmp_path: Path, start: int) -> None:
    """Their keyframes depend on nothing, but release earlier frames by name."""
    groups = {"x264-params": "open-gop=1:keyint=12:bframes=3:b-pyramid=normal", "preset": "medium"}
    path = write_scene(tmp_path / "open.mp4", frames=40, options=groups)
    frames = list(read_frames(probe(path), start=Fraction(start, 30)))
    assert codes(frames) == list(range(start, 40))
    assert [frame.index for frame in frames] == list(range(start, 40))


def test_colours_are_not_darker(tmp_path: Path) -> None:
    """swscale's fast path truncates, which makes every colour darker by one or more."""
    source = write_scene(
        tmp_path / "clip.mp4", frames=2, options={"qp": "0", "preset": "ultrafast"}
    )
    drawn = np.stack([scene_image(0), scene_image(1)]).astype(int)
    shown = np.stack([frame.image for frame in read(source)]).astype(int)
    inside = (drawn > 8) & (drawn < 247)
    assert abs((shown - drawn)[inside].mean()) < 0.6
