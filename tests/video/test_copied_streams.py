"""What becomes of the streams beside the video: copied, converted, or left out with a warning."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from tests.support import corpus
from tests.support.edit_lists import set_edits
from tests.support.scenes import write_scene
from tests.video.test_writer import add_extras, copy, extras, sound, sound_times, timed_barcodes
from vidseg.video.decoding.reader import read_frames
from vidseg.video.encoding._spherical import reserve_mark, write_mark
from vidseg.video.encoding._stream_copier import StreamCopier
from vidseg.video.encoding._timecode import later_timecode, source_timecode
from vidseg.video.encoding.writer import open_writer
from vidseg.video.probe import probe

needs_parameter_copies = pytest.mark.skipif(
    tuple(map(int, av.__version__.split(".")[:2])) < (18, 1),
    reason="earlier releases of PyAV cannot copy a stream without a decoder",
)


def with_apac(folder: Path) -> Path:
    """AAC, and beside it a track that ffmpeg has no decoder for, as in clips of an iPhone 16."""
    source = write_scene(folder / "two.mov", sound=2)
    data = source.read_bytes()
    second = data.rindex(b"trak")
    path = folder / "apac.mov"
    changed = data[second:].replace(b"mp4a", b"apac").replace(b"esds", b"dapa")
    path.write_bytes(data[:second] + changed)
    return path


def test_sound_without_a_decoder_is_left_out_with_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = with_apac(tmp_path)
    for name, muxer in (("out.mp4", "mp4"), ("out.mkv", "matroska")):
        caplog.clear()
        out = copy(source, tmp_path / name)
        assert [s.codec for s in out.streams] == ["h264", "aac"]
        assert set(sound(out.path)) <= set(sound(source))
        assert [r.message for r in caplog.records if r.levelname == "WARNING"] == [
            f"Stream 2 (unknown audio) cannot be stored in {muxer}; it is left out."
        ]


@needs_parameter_copies
def test_sound_without_a_decoder_is_copied_where_the_container_holds_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = with_apac(tmp_path)
    out = copy(source, tmp_path / "out.mov")
    assert [s.codec for s in out.streams] == ["h264", "aac", "unknown"]
    assert sound(out.path, 1) == sound(source, 1)
    assert b"apac" in out.path.read_bytes()
    assert not caplog.records


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv", "out.webm"])
def test_subtitles_without_a_decoder_are_left_out_with_a_warning(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    source = tmp_path / "in.mkv"
    add_extras(write_scene(tmp_path / "plain.mp4", sound=2), source)
    source.write_bytes(source.read_bytes().replace(b"S_TEXT/UTF8", b"S_TEXT/USFX"))
    assert probe(source).streams[3].codec == "unknown"
    out = copy(source, tmp_path / name)
    assert "subtitle" not in [s.kind for s in out.streams]
    assert "Stream 3 (unknown subtitle) cannot be stored" in caplog.text


def is_shown(packet: av.Packet) -> bool:
    """Not hidden by an edit list, nor dropped by the decoder before second 0."""
    return bool(packet.size) and not packet.is_discard and (packet.pts or 0) >= 0


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv"])
def test_sound_that_edits_cut_out_of_the_middle_is_left_out(tmp_path: Path, name: str) -> None:
    whole = write_scene(tmp_path / "whole.mp4", frames=90, sound=1)
    edits = [(Fraction(0), Fraction(1)), (Fraction(2), Fraction(1))]
    source = set_edits(whole, tmp_path / "in.mp4", edits)
    out = copy(source, tmp_path / name)
    indices = [index for index, _ in timed_barcodes(out)]
    assert indices == [*range(30), *range(60, 90)]
    with av.open(str(source)) as container:
        packets: list[Any] = list(container.demux(container.streams.audio[0]))
    shown = [(bytes(p), p.pts * p.time_base) for p in packets if is_shown(p)]
    with av.open(str(out.path)) as container:
        packets: list[Any] = list(container.demux(container.streams.audio[0]))
    found = [(bytes(p), p.pts * p.time_base) for p in packets if is_shown(p)]
    assert [data for data, _ in found] == [data for data, _ in shown]
    assert all(
        abs(after - before) <= Fraction(1, 500)
        for (_, after), (_, before) in zip(found, shown, strict=True)
    )


def samples_heard(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(frame.samples for frame in container.decode(container.streams.audio[0]))


@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_f32le"])
def test_sound_that_players_skip_in_mp4_becomes_aac_with_a_warning(
    tmp_path: Path, codec: str, caplog: pytest.LogCaptureFixture
) -> None:
    source = corpus.with_sound(write_scene(tmp_path / "plain.mkv"), tmp_path / "in.mkv", codec)
    out = copy(source, tmp_path / "out.mp4")
    assert [s.codec for s in out.streams] == ["h264", "aac"]
    assert "cannot be played in mp4; it is converted to aac" in caplog.text
    assert abs(samples_heard(out.path) - samples_heard(source)) <= 2048


def test_sound_of_a_high_sample_rate_is_converted_too(tmp_path: Path) -> None:
    plain = write_scene(tmp_path / "plain.mkv")
    source = corpus.with_sound(plain, tmp_path / "in.mkv", "pcm_s16le", rate=192000)
    out = copy(source, tmp_path / "out.mp4")
    with av.open(str(out.path)) as container:
        assert container.streams.audio[0].codec_context.sample_rate == 96000


PHONE_TAGS = {
    "com.apple.quicktime.make": "Apple",
    "com.apple.quicktime.location.ISO6709": "+47.6062-122.3321+056.000/",
    "com.apple.quicktime.creationdate": "2024-06-01T12:34:56+0200",
    "title": "Ferry",
}


def tagged(path: Path, tags: dict[str, str]) -> Path:
    plain = write_scene(path.with_name("plain.mov"))
    options = {"movflags": "+use_metadata_tags"}
    with av.open(str(plain)) as old, av.open(str(path), "w", container_options=options) as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        new.metadata.update(tags)
        for packet in old.demux():
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    return path


def test_tags_of_phones_are_kept(tmp_path: Path) -> None:
    source = tagged(tmp_path / "in.mov", PHONE_TAGS)
    copy(source, tmp_path / "out.mkv")
    for given, name in ((source, "out.mp4"), (source, "out.mov"), ("out.mkv", "again.mp4")):
        copy(tmp_path / given, tmp_path / name)
        with av.open(str(tmp_path / name)) as container:
            assert PHONE_TAGS.items() <= container.metadata.items()


@pytest.mark.parametrize(
    ("timecode", "frames", "rate", "later"),
    [
        ("01:00:00:00", 15, Fraction(30), "01:00:00:15"),
        ("00:00:59;28", 2, Fraction(30000, 1001), "00:01:00;02"),
        ("00:09:59;29", 1, Fraction(30000, 1001), "00:10:00;00"),
        ("00:00:00;00", 107892, Fraction(30000, 1001), "01:00:00;00"),
        ("00:00:59;58", 2, Fraction(60000, 1001), "00:01:00;04"),
        ("23:59:59:24", 1, Fraction(25), "00:00:00:00"),
        ("10:00:00:23", 1, Fraction(24000, 1001), "10:00:01:00"),
    ],
)
def test_timecodes_count_frames(timecode: str, frames: int, rate: Fraction, later: str) -> None:
    assert later_timecode(timecode, frames, rate) == later


@pytest.mark.parametrize("name", ["out.mov", "out.mp4", "out.mkv"])
def test_the_timecode_goes_on_where_the_cut_begins(tmp_path: Path, name: str) -> None:
    source = corpus.timecode(tmp_path)
    for start, expected in ((None, "01:00:00:00"), (Fraction(1, 2), "01:00:00:15")):
        target = tmp_path / name
        target.unlink(missing_ok=True)
        copy(source, target, start=start)
        with av.open(str(target)) as container:
            assert source_timecode(container, container.streams.video[0]) == expected


@pytest.mark.parametrize("name", ["a.mp4", "a.mov"])
@pytest.mark.parametrize("layout", ["", ", top-bottom", ", left-right"])
def test_the_mark_of_360_degree_videos_is_kept(tmp_path: Path, name: str, layout: str) -> None:
    """ffmpeg reads the mark; the source gets it from us, as nothing else here writes it."""
    plain = tagged(tmp_path / "in.mov", PHONE_TAGS)
    info = replace(probe(plain), projection="equirectangular" + layout)
    marked = tmp_path / "marked.mp4"
    with open_writer(marked, info) as writer:
        for frame in read_frames(info):
            writer.write(frame)
    out = copy(marked, tmp_path / name)
    assert out.projection == info.projection
    assert [index for index, _ in timed_barcodes(out)] == list(range(30))
    with av.open(str(out.path)) as container:
        assert PHONE_TAGS.items() <= container.metadata.items()


def test_the_title_of_the_video_stands_beside_the_mark(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    info = replace(probe(write_scene(tmp_path / "in.mp4")), projection="equirectangular")
    with av.open(str(path), "w", container_options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 192, 128, "yuv420p"
        stream.metadata["title"] = "Bälle"
        mark = reserve_mark(stream, info, "mp4")
        container.mux(stream.encode(av.VideoFrame(192, 128, "yuv420p")))
        container.mux(stream.encode())
    write_mark(path, mark)
    name = "Bälle".encode()
    title = (8 + len(name)).to_bytes(4, "big") + b"name" + name
    assert (8 + len(title)).to_bytes(4, "big") + b"udta" + title + mark in path.read_bytes()
    assert probe(path).projection == "equirectangular"


def test_a_360_degree_mark_that_cannot_be_kept_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    info = replace(probe(write_scene(tmp_path / "in.mp4", frames=3)), projection="cubemap")
    with open_writer(tmp_path / "out.mp4", info) as writer:
        for frame in read_frames(info):
            writer.write(frame)
    assert "mark as a 360 degree video (cubemap) is left out" in caplog.text


COUNTER = Path("/proc/self/io")


def bytes_read() -> int:
    """By this process since its start, from files and caches."""
    return int(COUNTER.read_text().split("rchar: ")[1].split()[0])


@pytest.mark.skipif(not COUNTER.exists(), reason="needs Linux' count of bytes read")
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_copying_reads_only_what_the_cut_needs(tmp_path: Path, suffix: str) -> None:
    plain = write_scene(tmp_path / "plain.mp4", frames=900, sound=1, options={"g": "30"})
    source = corpus.remux(plain, tmp_path / f"in{suffix}")  # interleaves them
    info, start = probe(source), Fraction(10)
    target = av.open(str(tmp_path / f"out{suffix}"), "w")
    copier = StreamCopier(info, target, "mp4" if suffix == ".mp4" else "matroska")
    before = bytes_read()
    copier.begin(start, start + Fraction(1, 2), start)
    copier.finish()
    read = bytes_read() - before
    copier.close()
    target.close()
    assert len(sound(tmp_path / f"out{suffix}")) in (23, 24)
    assert read < source.stat().st_size / 4


def test_sound_that_starts_after_the_cut_is_not_lost(tmp_path: Path) -> None:
    source = write_scene(
        tmp_path / "in.mp4", frames=300, sound=1, sound_start=Fraction(5), sound_seconds=Fraction(2)
    )
    out = copy(source, tmp_path / "out.mp4", start=Fraction(4), end=Fraction(8))
    assert len(sound(out.path)) in range(len(sound(source)) - 1, len(sound(source)) + 1)
    assert abs(sound_times(out.path)[0] - 1) < Fraction(1, 20)


def test_a_cut_keeps_the_subtitle_that_began_before_it(tmp_path: Path) -> None:
    source = tmp_path / "in.mkv"
    add_extras(write_scene(tmp_path / "plain.mp4", frames=600, sound=2), source, first=14000)
    out = copy(source, tmp_path / "out.mkv", start=Fraction(29, 2), end=Fraction(31, 2))
    assert extras(out.path)["texts"] == [b"two"]
    assert out.frames == 30
