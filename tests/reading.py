"""Reading whole files in tests."""

from pathlib import Path
from typing import Any

from tests.scenes import read_barcode
from vidseg.structures.frame import Frame
from vidseg.video.probe import probe
from vidseg.video.reader import read_frames


def read(path: Path, **options: Any) -> list[Frame]:
    return list(read_frames(probe(path), **options))


def codes(frames: list[Frame]) -> list[int]:
    return [read_barcode(frame.image) for frame in frames]
