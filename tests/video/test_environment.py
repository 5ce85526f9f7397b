"""What is set in the environment for a library, and what its settings must not do."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import ROOT
from vidseg.video.environment import default_variable

NAME = "VIDSEG_TEST_VARIABLE"


def test_a_variable_is_set_within_the_block_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(NAME, raising=False)
    with default_variable(NAME, "1"):
        assert os.environ[NAME] == "1"
    assert NAME not in os.environ


def test_what_the_user_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "mine")
    with default_variable(NAME, "1"):
        assert os.environ[NAME] == "mine"
    assert os.environ[NAME] == "mine"


@pytest.mark.parametrize("module", ["moviepy", "vidseg.video.moviepy_clip"])
def test_no_program_that_a_stray_env_file_names_runs(module: str, tmp_path: Path) -> None:
    """The first shows that the trap works: moviepy by itself runs the program."""
    ran, program = tmp_path / "ran", tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch '{ran}'\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    named = f"FFMPEG_BINARY={program}\nFFPLAY_BINARY={program}\nPATH_OF_NOBODY=1\n"
    (tmp_path / ".env").write_text(named)
    code = f"import os, {module}; print('PATH_OF_NOBODY' in os.environ, end='')"
    clean = {name: value for name, value in os.environ.items() if not name.endswith("_BINARY")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**clean, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    by_itself = module == "moviepy"
    assert (ran.exists(), done.stdout) == (by_itself, str(by_itself))
