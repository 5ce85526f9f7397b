"""A disk that is full and a folder that takes nothing: real ones, mounted for the test."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import fails
from tests.support.doubles import OraclePredictor
from tests.support.scenes import write_scene

OUTPUTS = [
    ("overlay", "out.mp4", ("--crf", "0")),
    ("overlay", "out.mkv", ("--crf", "0")),
    ("splash", "out.webm", ("--crf", "4")),
    ("overlay", "out.gif", ()),
    ("frames", "out", ("--image",)),
    ("detect", "out.vidseg", ()),
]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_scene(tmp_path / "in.mp4", frames=30, sound=1)


def mounted(folder: Path, options: str) -> Iterator[Path]:
    """`folder` as a file system of its own, where this user may mount one."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True)
    except OSError:
        pytest.skip("there is no mount on this machine")
    if done.returncode:
        pytest.skip("this user may not mount a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of two pages of memory."""
    yield from mounted(tmp_path / "small", "size=8k")


@pytest.fixture
def closed_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk that can only be read, also by root."""
    yield from mounted(tmp_path / "closed", "ro")


@pytest.mark.parametrize(("command", "name", "options"), OUTPUTS)
def test_a_full_disk_is_one_sentence_and_leaves_nothing(
    command: str, name: str, options: tuple[str, ...], clip: Path, model: str,
    small_disk: Path, oracle: OraclePredictor,
) -> None:  # fmt: skip
    said = fails(command, *options, "--model", model, clip, small_disk / name)
    assert "No space left" in said
    kept = ["out.vidseg.part"] if command == "detect" else []  # what `--resume` goes on with
    assert [path.name for path in small_disk.iterdir()] == kept


@pytest.mark.parametrize(("command", "name", "options"), OUTPUTS)
def test_a_disk_that_can_only_be_read_is_refused_at_once(
    command: str, name: str, options: tuple[str, ...], clip: Path, model: str,
    closed_disk: Path, oracle: OraclePredictor,
) -> None:  # fmt: skip
    said = fails(command, *options, "--model", model, clip, closed_disk / name)
    assert "cannot be written" in said
    assert not oracle.batches
