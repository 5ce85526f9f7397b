"""Interlaced frames come out without combing, one for each."""

import logging
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support import corpus
from tests.support.reading import codes, read
from tests.support.scenes import scene_image, write_scene
from vidseg.video.probe import probe


def combing(image: Any) -> float:
    """Mean difference of a line and the mean of its neighbours, in the lower half."""
    lines = image[len(image) // 2 :].astype(float)
    return float(np.abs(lines[1:-1] - (lines[:-2] + lines[2:]) / 2).mean())


def test_interlaced_frames_are_deinterlaced_with_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = corpus.interlaced(tmp_path)
    assert probe(path).interlaced
    kept = read(path, keep_interlaced=True)
    assert caplog.records == []
    frames = read(path)
    assert ["interlaced" in record.message for record in caplog.records] == [True]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert codes(frames) == [frame.index for frame in frames] == list(range(12))
    assert [(f.time, f.duration) for f in frames] == [(f.time, f.duration) for f in kept]
    for frame, combed in zip(frames, kept, strict=True):
        assert frame.image.shape == combed.image.shape
        drawn = combing(scene_image(frame.index))
        assert combing(frame.image) - drawn < 0.3 * (combing(combed.image) - drawn)


def test_parts_of_an_interlaced_video(tmp_path: Path) -> None:
    path = corpus.interlaced(tmp_path)
    part = read(path, start=Fraction(5, 25), end=Fraction(8, 25))
    assert codes(part) == [frame.index for frame in part] == [5, 6, 7]
    for frame, whole in zip(part, read(path)[5:8], strict=True):
        np.testing.assert_array_equal(frame.image, whole.image)


def test_progressive_frames_are_left_as_they_are(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_scene(tmp_path / "plain.mkv", codec="mpeg2video", frames=6)
    assert not probe(path).interlaced
    for frame, kept in zip(read(path), read(path, keep_interlaced=True), strict=True):
        np.testing.assert_array_equal(frame.image, kept.image)
    assert caplog.records == []
