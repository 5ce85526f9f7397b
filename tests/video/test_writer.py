"""A written video keeps what its source has: frames, times, shape, colours, sound and the rest."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.support import corpus
from tests.support.scenes import SIZE, read_barcode, scene_image, write_scene
from vidseg.errors import FrameError, OptionError, OutputError
from vidseg.structures.frame import Frame
from vidseg.video.codecs import choose_codec, output_kind
from vidseg.video.decoding.reader import read_frames
from vidseg.video.encoding._hardware_encoders import can_encode
from vidseg.video.encoding._svt_av1 import TASKS
from vidseg.video.encoding.writer import open_writer
from vidseg.video.info import Color, VideoInfo
from vidseg.video.probe import probe

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "videos"
MATROSKA_HIDES_PADDING = av.library_versions["libavcodec"] >= (63,)
"""Whether ffmpeg knows how much of copied sound is an encoder's start, and Matroska skips it."""
fails_in_old_svt = pytest.mark.skipif(
    av.library_versions["libavcodec"] >= (63,), reason="the SVT-AV1 of PyAV 19 encodes any size"
)
RATES = [Fraction(24000, 1001), Fraction(30000, 1001), Fraction(30), Fraction(60000, 1001)]


def copy(
    source: Path,
    target: Path,
    *,
    start: Fraction | None = None,
    end: Fraction | None = None,
    codec: str | None = None,
) -> VideoInfo:
    """Read and write all frames unchanged, then probe the output."""
    info = probe(source)
    quick = None if codec in ("prores", "av1") or target.suffix == ".gif" else "ultrafast"
    encoding = choose_codec(target, codec, None, quick)
    with open_writer(target, info, encoding=encoding, start=start, end=end) as writer:
        for frame in read_frames(info, start=start, end=end):
            writer.write(frame)
    return probe(target)


def timed_barcodes(info: VideoInfo) -> list[tuple[int, Fraction]]:
    return [(read_barcode(frame.image), frame.time) for frame in read_frames(info)]


def sound(path: Path, track: int = 0) -> list[bytes]:
    with av.open(str(path)) as container:
        packets = container.demux(container.streams.audio[track])
        return [bytes(packet) for packet in packets if packet.size]


def sound_times(path: Path, track: int = 0) -> list[Fraction]:
    """Of the packets, from the first video frame on."""
    with av.open(str(path)) as container:
        video: Any = container.streams.video[0]
        first = video.start_time * video.time_base
        packets: list[Any] = list(container.demux(container.streams.audio[track]))
        return [p.pts * p.time_base - first for p in packets if p.pts is not None]


def facts(**changes: Any) -> VideoInfo:
    base = VideoInfo(
        path=Path("none.mp4"),
        kind="animation",
        size=SIZE,
        rate=Fraction(30),
        constant_rate=True,
        frames=None,
        duration=None,
        time_base=Fraction(1, 30),
    )
    return replace(base, **changes)


def scenes(count: int = 8, size: tuple[int, int] = SIZE, rate: int = 30) -> Iterator[Frame]:
    for index in range(count):
        yield Frame(index, Fraction(index, rate), scene_image(index, size), Fraction(1, rate))


def write(target: Path, info: VideoInfo, frames: Iterator[Frame], codec: str | None = None) -> None:
    with open_writer(target, info, encoding=choose_codec(target, codec)) as writer:
        for frame in frames:
            writer.write(frame)


@pytest.mark.parametrize("rate", [*RATES, Fraction(120)], ids=str)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_constant_rates_keep_frames_times_rate_and_sound(
    tmp_path: Path, rate: Fraction, suffix: str
) -> None:
    source = write_scene(tmp_path / "in.mp4", frames=24, rate=rate, sound=2)
    out = copy(source, tmp_path / f"out{suffix}")
    assert (out.constant_rate, out.frames) == (True, 24)
    found = timed_barcodes(out)
    assert [index for index, _ in found] == list(range(24))
    tick = 0 if suffix != ".mkv" else Fraction(1, 1000)
    assert all(abs(time - out.start - index / rate) <= tick for index, time in found)
    for track in (0, 1):
        # the encoder's first packet, before second 0, which newer Matroska muxers can hide
        hidden = 1 if suffix == ".mkv" and not MATROSKA_HIDES_PADDING else 0
        assert sound(out.path, track) == sound(source, track)[hidden:]
        before, after = sound_times(source, track)[hidden:], sound_times(out.path, track)
        times = zip(after, before, strict=True)
        assert all(abs(new - old) <= max(tick, Fraction(1, 48000)) for new, old in times)
    with av.open(str(out.path)) as container:
        announced = container.streams.video[0].average_rate
    # ffmpeg reads Matroska's 16683333 ns a frame as 19001/317
    assert announced == rate or (suffix == ".mkv" and announced == Fraction(19001, 317))


def test_variable_rate_keeps_every_time_and_the_last_duration(tmp_path: Path) -> None:
    ticks = [0, 3003, 9009, 12012, 30030, 90000, 91000, 180000]
    times = [Fraction(tick, 90000) for tick in ticks]
    source = write_scene(tmp_path / "in.mkv", times=times, sound=1)
    info = probe(source)
    for name in ("out.mp4", "out.mkv", "out.mov"):
        out = copy(source, tmp_path / name)
        before, after = list(read_frames(info)), list(read_frames(out))
        assert [f.time - out.start for f in after] == [f.time - info.start for f in before]
        assert [read_barcode(f.image) for f in after] == list(range(len(ticks)))
        assert after[-1].duration == before[-1].duration


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_late_sound_and_late_video_keep_their_offset(tmp_path: Path, suffix: str) -> None:
    late = write_scene(tmp_path / "in.mp4", sound=1, sound_start=Fraction(1, 2))
    out = copy(late, tmp_path / f"late{suffix}")
    assert abs(sound_times(out.path)[0] - sound_times(late)[0]) <= Fraction(1, 1000)
    early = tmp_path / f"early{suffix}"
    info = replace(probe(late), start=Fraction(1, 2))
    frames = [replace(f, time=f.time + Fraction(1, 2)) for f in read_frames(probe(late))]
    write(early, info, iter(frames))
    found = probe(early)
    with av.open(str(early)) as container:
        streams: list[Any] = list(container.streams)
        first = [s.start_time * s.time_base for s in streams]
    assert abs(first[0] - first[1]) <= Fraction(22, 1000)
    assert [index for index, _ in timed_barcodes(found)] == list(range(30))


def test_sound_longer_than_the_picture_stays_long(tmp_path: Path) -> None:
    source = write_scene(tmp_path / "in.mp4", sound=1, sound_seconds=Fraction(3))
    out = copy(source, tmp_path / "out.mp4")
    assert sound(out.path) == sound(source)
    assert out.frames == 30


def test_a_cut_takes_the_nearest_packets(tmp_path: Path) -> None:
    source = write_scene(tmp_path / "in.mp4", frames=60, sound=1)
    start, end = Fraction(1, 2), Fraction(3, 2)
    out = copy(source, tmp_path / "out.mp4", start=start, end=end)
    assert timed_barcodes(out) == [(15 + i, Fraction(i, 30)) for i in range(30)]
    packets, all_packets = sound(out.path), sound(source)
    first = all_packets.index(packets[0])
    assert packets == all_packets[first : first + len(packets)]
    offset = sound_times(source)[first] - start
    assert abs(offset) <= Fraction(1024, 48000) / 2 + Fraction(1, 1000)
    assert abs(sound_times(out.path)[0] - offset) <= Fraction(1, 48000)
    assert abs(len(packets) * Fraction(1024, 48000) - 1) <= Fraction(1024, 48000)


def add_extras(source: Path, target: Path, first: int = 100) -> None:
    """The same streams with titles, languages, chapters, and subtitles from `first` ms on."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        streams: dict[int, Any] = {
            s.index: new.add_stream_from_template(s, opaque=True) for s in old.streams
        }
        new.metadata.update({"title": "Bälle & mehr", "comment": "a: b"})
        for number, stream in enumerate(streams.values()):
            stream.metadata["language"] = ("eng", "deu", "fra")[number]
        streams[1].disposition, streams[2].disposition = 1, 0
        text: Any = new.add_mux_stream("subrip")
        text.metadata["language"] = "ita"
        text.time_base = Fraction(1, 1000)
        chapters: Any = [
            {"id": i, "start": 500 * i, "end": 500 * (i + 1), "time_base": Fraction(1, 1000)}
            | {"metadata": {"title": f"part {i}"}}
            for i in range(2)
        ]
        new.set_chapters(chapters)
        for packet in old.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream_index]
                new.mux(packet)
        for number, words in enumerate((b"<i>one</i>", b"two")):
            packet = av.Packet(words)
            packet.stream, packet.time_base = text, Fraction(1, 1000)
            packet.pts = packet.dts = first + 400 * number
            packet.duration = 300
            new.mux(packet)


def extras(path: Path) -> dict[str, Any]:
    with av.open(str(path)) as container:
        texts = []
        packets: Iterator[Any] = container.demux(*container.streams.subtitles)
        for packet in packets:
            texts += [rect.dialogue.strip() for rect in packet.decode() if packet.size]
        chapters: list[Any] = list(container.chapters())
        return {
            "title": container.metadata.get("title"),
            "comment": container.metadata.get("comment") or container.metadata.get("COMMENT"),
            "languages": [
                s.metadata.get("language") for s in container.streams if s.type != "data"
            ],
            "default": [bool(int(s.disposition) & 1) for s in container.streams.audio],
            "chapters": [
                (c["metadata"]["title"], c["start"] * c["time_base"], c["end"] * c["time_base"])
                for c in chapters
            ],
            "texts": [text for text in texts if text],
        }


def test_titles_languages_subtitles_and_chapters_come_along(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plain = write_scene(tmp_path / "plain.mp4", sound=2)
    source = tmp_path / "in.mkv"
    add_extras(plain, source)
    for name in ("out.mkv", "out.mp4", "out.mov"):
        out = copy(source, tmp_path / name)
        before, after = extras(source), extras(out.path)
        after["chapters"] = [
            (title, *(round(float(t), 1) for t in times)) for title, *times in after["chapters"]
        ]
        assert after["chapters"] == [("part 0", 0.0, 0.5), ("part 1", 0.5, 1.0)]
        assert after["texts"][-1] == b"two"
        assert b"one" in after["texts"][0]
        after["languages"] = [{"ger": "deu"}.get(tag, tag) for tag in after["languages"]]
        for key in ("title", "comment", "languages", "default"):
            assert after[key] == before[key], (name, key)
        for track in (0, 1):
            assert sound(out.path, track) == sound(source, track)
    assert "srt" in caplog.text
    assert "mov_text" in caplog.text


def test_webm_gets_opus_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = write_scene(tmp_path / "in.mp4", sound=1)
    out = copy(source, tmp_path / "out.webm")
    assert [s.codec for s in out.streams] == ["vp9", "opus"]
    assert (
        "Stream 1 (aac audio) cannot be stored in webm; it is converted to libopus" in caplog.text
    )
    assert [index for index, _ in timed_barcodes(out)] == list(range(30))
    with av.open(str(out.path)) as container:
        samples = sum(f.samples for f in container.decode(container.streams.audio[0]))
    assert abs(samples - 48000) <= 2 * 960


def test_sound_with_damaged_packets_is_copied_all_the_same(tmp_path: Path) -> None:
    source = SHARED / "moviepy_video_with_failing_audio.mp4"
    if not source.exists():
        pytest.skip("needs the shared videos")
    info = probe(source)
    target = tmp_path / "out.mp4"
    with open_writer(target, info, encoding=choose_codec(target, preset="ultrafast")) as writer:
        for index, frame in enumerate(read_frames(info, end=Fraction(1))):
            writer.write(replace(frame, image=frame.image[:64, :64].copy()))
            assert index < 100
    assert sound(target) == sound(source)


DIFFICULT = [
    corpus.variable_rate,
    corpus.screen_recording,
    corpus.delayed_video,
    corpus.late_start,
    corpus.edit_list,
    corpus.timecode,
    corpus.two_videos,
    corpus.cover_art,
    corpus.with_subtitles,
    corpus.mirrored,
    corpus.open_start,
    corpus.clock_set_back,
    corpus.no_duration,
    corpus.fragmented,
    corpus.fast_start,
    corpus.alpha,
]


@pytest.mark.parametrize("make", DIFFICULT, ids=lambda make: make.__name__)
def test_difficult_files_come_out_with_their_frames_and_times(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    source = make(tmp_path)
    out = copy(source, tmp_path / "written.mp4")
    info = probe(source)
    before, after = list(read_frames(info)), list(read_frames(out))
    # times that a coarse clock rounded return to the exact grid
    slack = info.time_base / 2 if info.constant_rate else 0
    for new, old in zip(after, before, strict=True):
        assert abs(new.time - old.time) <= slack
        assert abs(new.duration - old.duration) <= 2 * slack
        assert read_barcode(new.image) == read_barcode(old.image)
    with av.open(str(source)) as old_file, av.open(str(out.path)) as new_file:
        kinds = [
            [s.type for s in file.streams if s.type in ("audio", "subtitle")]
            for file in (old_file, new_file)
        ]
        assert kinds[0] == kinds[1]
        assert len(new_file.chapters()) == len(old_file.chapters())


def test_sound_stays_with_the_pictures_where_the_clock_was_set_back(tmp_path: Path) -> None:
    source = corpus.clock_set_back(tmp_path)
    target = tmp_path / "out.mp4"
    copy(source, target)
    assert len(sound(target)) == len(sound(source))
    times = sound_times(target)
    half = len(times) // 2
    later = [second - first for first, second in zip(times[:half], times[half:], strict=True)]
    assert 1 <= later[0] < 1 + Fraction(1024, 48000)  # after the end of the first part
    assert all(abs(step - 1) < Fraction(1, 1000) for step in later[1:])


def test_sound_whose_channels_have_no_names_is_copied_into_mov(tmp_path: Path) -> None:
    """Matroska stores for PCM only how many channels there are."""
    plain = write_scene(tmp_path / "plain.mkv")
    source = corpus.with_sound(plain, tmp_path / "pcm.mkv", "pcm_s16le")
    target = tmp_path / "out.mov"
    copy(source, target)
    assert b"".join(sound(target)) == b"".join(sound(source))


def test_converted_sound_begins_and_ends_when_it_did(tmp_path: Path) -> None:
    source = write_scene(tmp_path / "late.webm", sound=1, sound_start=Fraction(1, 4))
    target = tmp_path / "out.mov"
    copy(source, target)
    begins = Fraction(1, 4) - Fraction(1024, 48000)  # the encoder begins with a packet of silence
    assert abs(sound_times(target)[0] - begins) < Fraction(1, 100)


def test_frames_of_sound_without_a_time_follow_the_one_before(tmp_path: Path) -> None:
    """The decoder of Windows Media ends with one."""
    plain = write_scene(tmp_path / "plain.avi")
    source = corpus.with_sound(plain, tmp_path / "clip.wmv", "wmav2")
    target = tmp_path / "out.mp4"
    copy(source, target)
    assert abs(sound_times(target)[-1] - 1) < Fraction(1, 10)


def test_damaged_sound_is_left_out_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = write_scene(tmp_path / "clip.ts", sound=1)
    data = bytearray(source.read_bytes())
    with av.open(str(source)) as container:
        where = [p.pos for p in container.demux(container.streams.audio[0]) if p.size][20]
    start = data.index(b"\xff\xf1", where)
    data[start : start + 7] = bytes(7)  # the header of a packet of AAC
    source.write_bytes(data)
    copied = copy(source, tmp_path / "out.mp4")
    assert copied.frames == 30
    assert len(sound(copied.path)) > 20
    assert "sound is damaged" in caplog.text


@pytest.mark.parametrize("suffix", [".mkv", ".webm"])
def test_sound_that_the_decoder_drops_at_the_start_is_kept(tmp_path: Path, suffix: str) -> None:
    """It lies before second 0, and Matroska tells the decoder to drop it."""
    source = write_scene(tmp_path / f"clip{suffix}", sound=1)
    target = tmp_path / f"out{suffix}"
    copy(source, target)
    assert sound(target) == sound(source)
    for new, old in zip(sound_times(target), sound_times(source), strict=True):
        assert abs(new - old) <= Fraction(1, 1000)


def test_video_made_of_rgb_gets_the_range_that_plays_everywhere(tmp_path: Path) -> None:
    options = {"qp": "0"}
    source = write_scene(
        tmp_path / "rgb.mkv", codec="libx264rgb", pixel_format="rgb24", options=options,
        tags={"color_range": 2},
    )  # fmt: skip
    out = copy(source, tmp_path / "out.mp4")
    assert (out.pixel_format, out.color.range) in (("yuv420p", "tv"), ("yuv420p", "unknown"))
    shown = next(read_frames(out)).image
    assert np.abs(shown.astype(int) - scene_image(0)).mean() < 4


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_covers_are_kept(tmp_path: Path, name: str) -> None:
    target = tmp_path / name
    copy(corpus.cover_art(tmp_path), target, start=Fraction(1, 2))
    with av.open(str(target)) as container:
        covers = [s for s in container.streams.video if int(s.disposition) & 0x400]
        assert len(covers) + len(container.streams.attachments) == 1


def test_the_last_delay_of_an_animated_image_is_kept(tmp_path: Path) -> None:
    source = corpus.animation(tmp_path, ".gif", [200, 200, 100])
    out = copy(source, tmp_path / "out.mp4")
    assert [f.duration for f in read_frames(out)] == [Fraction(d, 10) for d in (2, 2, 1)]


@pytest.mark.parametrize("size", [(129, 193), (127, 192), (1, 1), (17, 16)])
def test_odd_sizes_become_even_by_repeating_the_edge(tmp_path: Path, size: tuple[int, int]) -> None:
    target = tmp_path / "out.mp4"
    write(target, facts(size=size), scenes(3, size))
    info = probe(target)
    assert info.size == (size[0] + size[0] % 2, size[1] + size[1] % 2)
    assert info.pixel_format == "yuv420p"
    if size[0] > 100:
        shown = next(read_frames(info)).image
        assert np.abs(shown[-1].astype(int) - shown[-2]).mean() < 12


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out.mov", "out.webm", "out.gif"])
def test_the_display_aspect_is_kept(tmp_path: Path, name: str) -> None:
    target = tmp_path / name
    write(target, facts(pixel_aspect=Fraction(64, 45)), scenes(3))
    info = probe(target)
    found = Fraction(info.size[1], info.size[0]) * info.pixel_aspect
    assert abs(found - Fraction(192, 128) * Fraction(64, 45)) < Fraction(1, 50)


COLORS = [
    Color(),
    Color("bt709", "tv", "bt709", "bt709"),
    Color("smpte170m", "tv", "smpte170m", "smpte170m"),
    Color("bt709", "pc", "bt709", "bt709"),
    Color("bt470bg", "pc"),
    Color("bt2020nc", "tv", "bt2020", "bt2020-10"),
]


@pytest.mark.parametrize("color", COLORS, ids=lambda c: f"{c.matrix}-{c.range}")
@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out.mov"])
def test_colours_come_back_under_the_same_tags(tmp_path: Path, color: Color, name: str) -> None:
    target = tmp_path / name
    patches = np.array([(200, 30, 40), (30, 180, 60), (40, 60, 220), (128, 128, 128)], np.uint8)
    image = np.repeat(np.repeat(patches[None], 64, 0), 48, 1)
    frames = (Frame(i, Fraction(i, 30), image, Fraction(1, 30)) for i in range(3))
    size = (64, 192)
    encoding = choose_codec(target, crf=4)
    with open_writer(target, facts(size=size, color=color), encoding=encoding) as writer:
        for frame in frames:
            writer.write(frame)
    info = probe(target)
    assert info.color.matrix == color.matrix
    if color.range != "unknown":
        assert info.color == color
    shown = next(read_frames(info)).image
    for number, patch in enumerate(patches):
        found = shown[16:48, 48 * number + 16 : 48 * number + 32].reshape(-1, 3).mean(0)
        assert np.abs(found - patch).max() <= 3


def test_tone_mapped_hdr_is_tagged_as_what_it_became(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    pq = Color("bt2020nc", "tv", "bt2020", "smpte2084")
    write(target, facts(color=pq, hdr=True), scenes(3))
    assert probe(target).color == Color("bt709", "tv", "bt709", "bt709")


@pytest.mark.parametrize(
    ("name", "codec", "found"),
    [
        ("a.mp4", "hevc", "hevc"),
        ("a.mkv", "av1", "av1"),
        ("a.mp4", "vp9", "vp9"),
        ("a.mov", "prores", "prores"),
        ("a.m4v", None, "h264"),
    ],
)
def test_every_codec_keeps_every_frame(
    tmp_path: Path, name: str, codec: str | None, found: str, capfd: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / name
    write(target, facts(), scenes(12), codec)
    info = probe(target)
    assert info.streams[0].codec == found
    assert [index for index, _ in timed_barcodes(info)] == list(range(12))
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(not TASKS.is_dir(), reason="needs Linux's list of threads")
def test_no_thread_of_an_encoder_is_a_real_time_one(tmp_path: Path) -> None:
    info = facts()
    with open_writer(tmp_path / "a.mkv", info, encoding=choose_codec("a.mkv", "av1")) as writer:
        for frame in scenes(3):
            writer.write(frame)
        policies = {os.sched_getscheduler(int(task)) for task in os.listdir(TASKS)}
        assert policies == {os.SCHED_OTHER}
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


@pytest.mark.parametrize("cores", [1, 3, 64])
def test_frames_come_whole_from_any_number_of_threads(
    tmp_path: Path, cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vidseg.cpu_budget.cores", lambda: cores)
    source = write_scene(tmp_path / "in.mp4")
    written = timed_barcodes(copy(source, tmp_path / "out.mp4"))
    assert written == timed_barcodes(probe(source))


AUTO = choose_codec("a.mp4", "auto")
needs_nvenc = pytest.mark.skipif(not can_encode(AUTO, SIZE), reason="needs an NVIDIA card")


def test_auto_encodes_only_h264_on_the_card() -> None:
    assert AUTO.encoder == "h264_nvenc"
    assert AUTO.fallback == choose_codec("a.mp4")
    assert choose_codec("a.mp4", "auto", 30, "slow").options["cq"] == "30"
    for name in ("a.webm", "a.gif", "a.png", "folder"):
        assert choose_codec(name, "Auto") == choose_codec(name)
    assert choose_codec("a.mp4", "auto", 0) == choose_codec("a.mp4", None, 0)  # lossless


@pytest.mark.parametrize("encoder", ["h264_nvenc_of_tomorrow", "h264_vaapi"])
def test_without_the_card_the_processor_encodes_every_frame(
    tmp_path: Path, encoder: str, capfd: pytest.CaptureFixture[str]
) -> None:
    target, encoding = tmp_path / "a.mp4", replace(AUTO, encoder=encoder)
    with open_writer(target, facts(), encoding=encoding) as sink:
        for frame in scenes(12):
            sink.write(frame)
    assert [index for index, _ in timed_barcodes(probe(target))] == list(range(12))
    assert capfd.readouterr() == ("", "")


def test_an_encoder_that_runs_is_used(tmp_path: Path) -> None:
    target, encoding = tmp_path / "a.mkv", replace(AUTO, encoder="mpeg4", options={"b": "9M"})
    with open_writer(target, facts(), encoding=replace(encoding, container="matroska")) as sink:
        for frame in scenes(12):
            sink.write(frame)
    info = probe(target)
    assert info.streams[0].codec == "mpeg4"
    assert [index for index, _ in timed_barcodes(info)] == list(range(12))


@needs_nvenc
def test_the_card_encodes_every_frame(tmp_path: Path) -> None:
    target = tmp_path / "a.mp4"
    write(target, facts(), scenes(12), "auto")
    info = probe(target)
    assert info.streams[0].codec == "h264"
    assert [index for index, _ in timed_barcodes(info)] == list(range(12))


def test_mp4_starts_with_its_index(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    write(target, facts(), scenes())
    data = target.read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")
    assert target.stat().st_mode & 0o777 == 0o666 & ~current_umask()


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("rate", [10, 15, 24, 30, 50])
def test_gif_delays_do_not_drift(tmp_path: Path, rate: int) -> None:
    target = tmp_path / "out.gif"
    write(target, facts(rate=Fraction(rate)), scenes(20, rate=rate))
    frames = list(read_frames(probe(target)))
    assert [read_barcode(f.image) for f in frames] == list(range(20))
    assert [f.time for f in frames] == [
        Fraction(round(Fraction(100 * i, rate)), 100) for i in range(20)
    ]


def test_the_last_frame_of_a_gif_keeps_its_own_delay(tmp_path: Path) -> None:
    target = tmp_path / "out.gif"
    frames = list(scenes(3))
    frames[-1] = replace(frames[-1], duration=Fraction(2))
    write(target, facts(), iter(frames))
    assert [f.duration for f in read_frames(probe(target))][-1] == 2


def test_a_gif_above_fifty_frames_a_second_says_what_it_leaves_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path / "out.gif", facts(rate=Fraction(100)), scenes(20, rate=100))
    assert "10 of 20 frames are left out" in caplog.text


def test_one_frame_is_a_video_too(tmp_path: Path) -> None:
    write(tmp_path / "out.mp4", facts(), scenes(1))
    found = probe(tmp_path / "out.mp4")
    assert (found.frames, found.duration) == (1, Fraction(1, 30))


def test_frames_of_other_sizes_are_fitted_into_the_first(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    frames = [*scenes(2), Frame(2, Fraction(2, 30), np.full((64, 64, 3), 255, np.uint8))]
    write(target, facts(), iter(frames))
    shown = list(read_frames(probe(target)))[2].image
    assert shown.shape[:2] == SIZE
    assert shown[:, 96].mean() > 240
    assert shown[:, 4].mean() < 12


def test_no_frames_is_an_error_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no frame"):
        write(tmp_path / "out.mp4", facts(), iter(()))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_loop_leaves_no_file(tmp_path: Path, error: type[BaseException]) -> None:
    source = write_scene(tmp_path / "in.mp4", sound=1)
    info = probe(source)
    target = tmp_path / "out.mp4"

    def broken() -> Iterator[Frame]:
        for frame in read_frames(info):
            yield frame
            if frame.index == 20:
                raise error

    with pytest.raises(error):
        write(target, info, broken())
    assert list(tmp_path.iterdir()) == [source]


def test_wrong_shapes_are_refused(tmp_path: Path) -> None:
    grey = Frame(0, Fraction(0), np.zeros(SIZE, np.uint8))
    floats: Any = np.zeros((*SIZE, 3), np.float32)
    nothing: Any = None
    for frame in (grey, Frame(0, Fraction(0), floats), Frame(0, Fraction(0), nothing)):
        with pytest.raises(FrameError, match="uint8, got"):
            write(tmp_path / "out.mp4", facts(), iter([frame]))
    assert list(tmp_path.iterdir()) == []


def test_an_encoder_that_fails_midway_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vidseg.video.encoding.encoder import VideoEncoder

    real = VideoEncoder.encode

    def failing(self: VideoEncoder, frame: Frame) -> list[Any]:
        if frame.index == 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, frame)

    monkeypatch.setattr(VideoEncoder, "encode", failing)
    with pytest.raises(OutputError, match=r"No space left on the disk for .*out\.mp4"):
        write(tmp_path / "out.mp4", facts(), scenes(12))
    assert list(tmp_path.iterdir()) == []


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from tests.video.test_writer import facts, scenes, write
from vidseg.errors import OutputError
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    write(Path(sys.argv[1]), facts(), scenes(60))
except OutputError as error:
    print(error)
else:
    sys.exit("no error")
"""


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out.gif"])
@pytest.mark.parametrize("limit", [100, 8000])
def test_a_file_that_cannot_grow_is_an_error(tmp_path: Path, name: str, limit: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / name), str(limit)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "exceeded the largest file allowed" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("codec", "size", "rate"),
    [
        ("hevc", (8, 8), 30),
        pytest.param("av1", (2, 2), 30, marks=fails_in_old_svt),
        ("av1", SIZE, 1000),
    ],
)
def test_what_an_encoder_cannot_do_is_one_sentence(
    tmp_path: Path, codec: str, size: tuple[int, int], rate: int
) -> None:
    info = facts(size=size, rate=Fraction(rate))
    with pytest.raises(OutputError, match=f"{codec} cannot encode .* choose another `codec`"):
        write(tmp_path / "out.mp4", info, scenes(2, size), codec)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "width"), [("out.webp", 16384), ("out.jpg", 65536)])
def test_photos_too_wide_for_their_format_are_named(
    tmp_path: Path, name: str, width: int, capfd: pytest.CaptureFixture[str]
) -> None:
    wide = Frame(0, Fraction(0), np.zeros((4, width, 3), np.uint8))
    with pytest.raises(
        OutputError, match=rf"{name} cannot hold an image of {width}x4: .* use .png"
    ):
        write(tmp_path / name, facts(kind="photo", frames=1), iter([wide]))
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr().err == ""


def test_a_lost_packet_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vidseg.video.encoding.encoder import VideoEncoder

    real = VideoEncoder.flush
    monkeypatch.setattr(VideoEncoder, "flush", lambda self: real(self)[:-1])
    with pytest.raises(OutputError, match="holds 7 frames where 8 were written"):
        write(tmp_path / "out.mp4", facts(), scenes())
    assert list(tmp_path.iterdir()) == []


def test_photos(tmp_path: Path) -> None:
    photo = facts(kind="photo", frames=1)
    for suffix in (".png", ".jpg", ".webp", ".bmp", ".tiff"):
        target = tmp_path / f"ä{suffix}"
        write(target, photo, scenes(1))
        shown = next(read_frames(probe(target))).image
        assert np.abs(shown.astype(int) - scene_image(0)).mean() < 3
    with pytest.raises(OptionError, match=r"holds one image and the input 30"):
        open_writer(tmp_path / "film.png", facts(frames=30))
    with pytest.raises(OutputError, match="one image"):
        write(tmp_path / "two.png", facts(), scenes(2))


def test_a_folder_of_photos_keeps_their_names(tmp_path: Path) -> None:
    names = ("a b.jpg", "ü.png", "c.heic")
    info = facts(kind="folder", frames=3, photos=tuple(tmp_path / "in" / n for n in names))
    write(tmp_path / "out", info, scenes(3))
    found = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert found == sorted(["a b.jpg", "ü.png", "c.heic.png"])
    write(tmp_path / "numbered", facts(frames=2), scenes(2))
    assert sorted(p.name for p in (tmp_path / "numbered").iterdir()) == ["00000.png", "00001.png"]


def test_kinds_of_output_follow_the_name() -> None:
    named = {"a.MP4": "video", "a.gif": "animation", "a.jpeg": "photo", "some folder": "folder"}
    for name, kind in named.items():
        assert output_kind(name) == kind
    with pytest.raises(OptionError, match=r"'a\.txt' .* use one of \.mp4"):
        output_kind("a.txt")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a.mp4", "h265x"), "Unknown codec 'h265x': did you mean h265"),
        (("a.mp4", "aut"), "Unknown codec 'aut': did you mean auto"),
        (("a.webm", "h264"), r"\.webm does not hold h264; it holds vp9, av1"),
        (("a.mp4", None, 52), "from 0 to 51, got 52"),
        (("a.mp4", None, -1), "from 0 to 51, got -1"),
        (("a.mp4", None, None, "warp"), "Unknown preset 'warp' for h264; choose one of ultrafast"),
        (("a.mov", "prores", 20), "prores has no crf setting"),
        (("a.gif", None, None, "fast"), "gif has no presets"),
        (("a.png", "h264"), "Photos have no codec"),
    ],
)
def test_wrong_encodings_are_refused_at_once(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        choose_codec(*arguments)
