"""Reading whole files in tests."""

from pathlib import Path
from typing import Any

from tests.support.scenes import read_barcode
from vidseg.structures.frame import Frame
from vidseg.video.decoding.reader import read_frames
from vidseg.video.probe import probe


def read(path: Path, **options: Any) -> list[Frame]:
    return list(read_frames(probe(path), **options))


def codes(frames: list[Frame]) -> list[int]:
    return [read_barcode(frame.image) for frame in frames]
