"""What becomes of the streams beside the video: copied, converted, or left out with a warning."""

from fractions import Fraction
from pathlib import Path

import av
import pytest

from tests.support.edit_lists import set_edits
from tests.support.scenes import write_scene
from tests.video.test_writer import add_extras, copy, sound, timed_barcodes
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


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv"])
def test_sound_that_edits_cut_out_of_the_middle_is_left_out(tmp_path: Path, name: str) -> None:
    whole = write_scene(tmp_path / "whole.mp4", frames=90, sound=1, options={"g": "12"})
    edits = [(Fraction(0), Fraction(1)), (Fraction(2), Fraction(1))]
    source = set_edits(whole, tmp_path / "in.mp4", edits)
    out = copy(source, tmp_path / name)
    indices = [index for index, _ in timed_barcodes(out)]
    assert indices == [*range(30), *range(60, 90)]
    with av.open(str(source)) as container:
        packets = list(container.demux(container.streams.audio[0]))
    shown = [(bytes(p), p.pts * p.time_base) for p in packets if p.size and not p.is_discard]
    with av.open(str(out.path)) as container:
        packets = list(container.demux(container.streams.audio[0]))
    found = [(bytes(p), p.pts * p.time_base) for p in packets if p.size and not p.is_discard]
    assert [data for data, _ in found] == [data for data, _ in shown]
    assert all(
        abs(after - before) <= Fraction(1, 500)
        for (_, after), (_, before) in zip(found, shown, strict=True)
    )
