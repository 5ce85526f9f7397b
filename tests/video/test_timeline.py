"""Times and counts of frames before any of them is read, and the same while reading."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.support import corpus
from tests.support.field_pictures import write_fields
from tests.support.reading import codes, read
from tests.support.scenes import write_scene
from vidseg.video.demuxing._mp4_index import with_shown_end
from vidseg.video.demuxing.container import choose_stream, open_container, read_only
from vidseg.video.demuxing.timeline import Timeline, TimelineScan, indexed_timeline
from vidseg.video.environment import default_variable
from vidseg.video.probe import probe

NOT_CODED = (5, 6, 12, 20)


def scanned(path: Path) -> Timeline:
    with open_container(path) as container:
        stream = choose_stream(container, path)
        scan = TimelineScan(stream)
        for packet in read_only(container, stream):
            scan.add(packet)
        return scan.timeline()


def indexed(path: Path) -> Timeline | None:
    with open_container(path) as container:
        stream = choose_stream(container, path)
        return indexed_timeline(path, container, stream, next(read_only(container, stream)))


def plain(folder: Path) -> Path:
    return write_scene(folder / "plain.mp4", sound=1, options={"g": "12", "bf": "0"})


def reordered(folder: Path) -> Path:
    options = {"x264-params": "bframes=3:b-pyramid=normal:open-gop=1:keyint=12"}
    return write_scene(folder / "reordered.mov", frames=50, options=options)


def fast_start(folder: Path) -> Path:
    return corpus.fast_start(folder, sound=1)


def doubled(folder: Path) -> Path:
    return corpus.doubled_timestamp(folder, ".mp4")


def matroska(folder: Path) -> Path:
    options = {"x264-params": "bframes=3:b-pyramid=normal:open-gop=1:keyint=12"}
    return write_scene(folder / "reordered.mkv", frames=50, sound=2, options=options)


def av1(folder: Path) -> Path:
    with default_variable("SVT_LOG", "1"):  # else it talks on, in all later tests
        options = {"preset": "12"}
        return write_scene(folder / "av1.webm", frames=20, codec="libsvtav1", options=options)


def doubled_matroska(folder: Path) -> Path:
    return corpus.doubled_timestamp(folder, ".mkv")


def screen_recording(folder: Path) -> Path:
    return corpus.remux(corpus.screen_recording(folder), folder / "gaps.mkv")


def webm(folder: Path) -> Path:
    return write_scene(folder / "sound.webm", sound=1)


@pytest.mark.parametrize(
    "make",
    [
        *(plain, reordered, fast_start, corpus.variable_rate, corpus.screen_recording),
        *(doubled, corpus.delayed_video, corpus.timecode, corpus.cover_art),
        *(matroska, webm, av1, doubled_matroska, screen_recording, corpus.no_duration),
        *(corpus.late_start, corpus.two_videos, corpus.with_subtitles, corpus.open_start_matroska),
    ],
)
def test_an_index_tells_what_the_packets_tell(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    path = make(tmp_path)
    by_index, by_packets = indexed(path), scanned(path)
    assert by_index is not None
    np.testing.assert_array_equal(by_index.pts, by_packets.pts)
    np.testing.assert_array_equal(by_index.keys, by_packets.keys)
    assert by_index.count == by_packets.count
    assert by_index.last_duration == by_packets.last_duration


@pytest.mark.parametrize(
    "make", [corpus.fragmented, corpus.edit_list, lambda folder: corpus.not_coded(folder, ".mp4")]
)
def test_where_only_packets_tell_the_index_is_not_used(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    assert indexed(make(tmp_path)) is None


@pytest.mark.parametrize("suffix", [".mkv", ".flv", ".mp4"])
def test_a_doubled_timestamp_leaves_the_others_as_they_are(tmp_path: Path, suffix: str) -> None:
    path = corpus.doubled_timestamp(tmp_path, suffix)
    info, frames = probe(path), read(path)
    wanted = [Fraction(time, 1000) for time in corpus.DOUBLED]
    wanted[4] = Fraction(1165, 10000)  # between its neighbours
    assert [frame.time for frame in frames] == wanted
    assert codes(frames) == list(range(13))
    assert (info.frames, info.constant_rate) == (13, False)
    assert frames[-1].time + frames[-1].duration == info.duration


def test_a_doubled_timestamp_is_mended_in_a_part_too(tmp_path: Path) -> None:
    path = corpus.doubled_timestamp(tmp_path, ".mkv")
    part = read(path, start=Fraction(13, 100), end=Fraction(1))
    assert codes(part) == [frame.index for frame in part] == [5, 6, 7, 8, 9]


def test_missing_timestamps_leave_the_others_as_they_are(tmp_path: Path) -> None:
    path = corpus.missing_timestamps(tmp_path)
    info, frames = probe(path), read(path)
    assert (info.frames, info.rate, info.constant_rate, info.timed) == (30, 30, True, True)
    assert codes(frames) == list(range(30))
    assert [frame.time for frame in frames] == [Fraction(number, 30) for number in range(30)]


@pytest.mark.parametrize("stamps", [1, 2])
@pytest.mark.parametrize("suffix", [".ts", ".mkv"])
def test_two_fields_are_one_frame(tmp_path: Path, suffix: str, stamps: int) -> None:
    path = write_fields(tmp_path / f"fields{suffix}", stamps=stamps)
    info, frames = probe(path), read(path, keep_interlaced=True)
    assert (info.frames, info.rate, info.constant_rate, info.timed) == (12, 25, True, True)
    assert codes(frames) == [frame.index for frame in frames] == list(range(12))
    assert [frame.time for frame in frames] == [Fraction(n, 25) for n in range(12)]
    if stamps == 2 or suffix == ".ts":  # Matroska's muxer states half of the duration
        assert frames[-1].duration == Fraction(1, 25)
    part = read(path, start=Fraction(9, 25), keep_interlaced=True)
    assert codes(part) == [frame.index for frame in part] == [9, 10, 11]


def test_a_bare_stream_of_fields(tmp_path: Path) -> None:
    write_fields(tmp_path / "fields.ts")
    info = probe(tmp_path / "bare.h264")
    assert (info.frames, info.rate, info.duration) == (12, 25, Fraction(12, 25))


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".avi"])
def test_pictures_that_are_not_coded_show_nothing(tmp_path: Path, suffix: str) -> None:
    path = corpus.not_coded(tmp_path, suffix, NOT_CODED)
    info, frames = probe(path), read(path)
    shown = [number for number in range(30) if number not in NOT_CODED]
    assert codes(frames) == shown
    assert (info.frames, info.duration) == (26, 1)
    for frame, number in zip(frames, shown, strict=True):
        assert abs(frame.time - Fraction(number, 30)) <= Fraction(1, 1000)
    part = read(path, start=Fraction(22, 30) - Fraction(1, 1000))
    assert [frame.index for frame in part] == list(range(shown.index(22), 26))


def test_an_avi_may_end_in_repeats(tmp_path: Path) -> None:
    path = corpus.ends_in_repeats(tmp_path)
    info, frames = probe(path), read(path)
    assert (info.damage, info.frames, info.rate, info.duration) == ("", 28, 30, 1)
    assert codes(frames) == list(range(28))
    assert frames[-1].duration == Fraction(3, 30)


def test_joined_files_go_on_though_the_second_clock_is_earlier(tmp_path: Path) -> None:
    path = corpus.joined_with_an_earlier_clock(tmp_path)
    info, frames = probe(path), read(path)
    assert (info.frames, info.rate, info.duration) == (60, 30, 2)
    assert codes(frames) == list(range(60))
    assert [frame.time for frame in frames] == [Fraction(n, 30) for n in range(60)]


def test_a_rate_of_a_frame_in_days_is_not_zero(tmp_path: Path) -> None:
    times = [Fraction(0), Fraction(1), Fraction(40 * 86400), Fraction(40 * 86400 + 7)]
    info = probe(write_scene(tmp_path / "days.mkv", times=times))
    assert info.frames == 4
    assert 0 < info.rate < Fraction(1, 10**5)


def test_the_end_of_a_variable_rate_with_reordered_frames() -> None:
    """An MP4 holds steps in decoding order: that after the last frame shown is another's."""
    pts, steps = np.array([0, 100, 300, 200]), np.array([100, 100, 150, 50])
    shown = np.array([True] * 4)
    assert with_shown_end(pts, steps.copy(), shown).tolist() == [100, 100, 100, 50]
    assert with_shown_end(pts, np.full(4, 100), shown).tolist() == [100] * 4
    assert with_shown_end(pts, steps.copy(), ~shown).tolist() == steps.tolist()
