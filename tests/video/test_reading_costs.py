"""What reading costs: bytes read, memory, and that leaving early never hangs."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from tests.support import corpus
from tests.support.scenes import write_scene
from vidseg.video.decoding.reader import read_frames
from vidseg.video.probe import probe

EARLY_CLOSES = """
import sys
import av
from vidseg.video.decoding.reader import read_frames
from vidseg.video.probe import probe

av.logging.set_level(av.logging.DEBUG)  # as importing some releases of torchvision does
info = probe(sys.argv[1])
for number in range(int(sys.argv[2])):
    frames = read_frames(info)
    for _ in range(1 + number % 5):
        next(frames)
    frames.close()
"""
LINUX = pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="needs Linux's /proc")


def bytes_read() -> int:
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("rchar")).split()[1])


def test_a_threaded_decoder_is_left_early_without_a_deadlock(tmp_path: Path) -> None:
    path = write_scene(tmp_path / "clip.mp4", frames=60)
    code = [sys.executable, "-c", EARLY_CLOSES, str(path), "40"]
    subprocess.run(code, check=True, capture_output=True)


@LINUX
def test_an_mp4_is_read_no_further_than_needed(tmp_path: Path) -> None:
    """A second among 20; libavformat itself looks at a megabyte when a file is opened."""
    path = write_scene(
        tmp_path / "long.mp4", frames=600, sound=1, size=(256, 384), codec="mjpeg",
        pixel_format="yuvj420p", options={"qmin": "1", "qmax": "1"},
    )  # fmt: skip
    size, before = path.stat().st_size, bytes_read()
    info = probe(path)
    middle = bytes_read()
    assert len(list(read_frames(info, start=Fraction(12), end=Fraction(13)))) == 30
    assert info.frames == 600
    assert middle - before < size / 4
    assert bytes_read() - middle < size / 4


@LINUX
def test_memory_does_not_depend_on_the_size_of_the_file(tmp_path: Path) -> None:
    """A gigabyte of a box that holds nothing, in a sparse file."""
    small = corpus.fast_start(tmp_path)
    large = tmp_path / "large.mp4"
    with large.open("wb") as file:
        file.write(small.read_bytes())
        file.write((1 << 30).to_bytes(4, "big") + b"free")
        file.truncate(file.tell() + (1 << 30) - 8)
    code = (
        "import resource, sys\n"
        "from vidseg.video.probe import probe\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "info = probe(sys.argv[1])\n"
        "assert info.frames == 60 and not info.damage\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    grown = [
        int(
            subprocess.run(
                [sys.executable, "-c", code, str(path)], check=True, capture_output=True
            ).stdout
        )
        for path in (small, large)
    ]
    assert abs(grown[1] - grown[0]) < 20 * 1024
