"""What becomes of the streams beside the video: copied, converted, or left out with a warning."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.support import corpus
from tests.support.scenes import write_scene
from tests.video.test_writer import add_extras, copy, sound
from vidseg.video.probe import probe

needs_parameter_copies = pytest.mark.skipif(
    tuple(map(int, av.__version__.split(".")[:2])) < (18, 1),
    reason="earlier releases of PyAV cannot copy a stream without a decoder",
)


def with_apac(folder: Path) -> Path:
    """AAC for all players, and a second track that ffmpeg has no decoder for, as of an iPhone 16."""
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
