"""How many threads the program allows itself."""

import os
import subprocess
import sys

import pytest

from tests.support.commands import ROOT
from vidseg.cli.batch import several_frames
from vidseg.cli.threads import limit_threads

OPENBLAS = "OPENBLAS_NUM_THREADS"


@pytest.fixture(autouse=True)
def _eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vidseg.cpu_budget.cores", lambda: 8)
    monkeypatch.setattr("vidseg.cli.threads.cores", lambda: 8)
    monkeypatch.setattr("cv2.setNumThreads", lambda _: None)
    for name in ("OMP_NUM_THREADS", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, "")  # to be taken away again afterwards
        monkeypatch.delenv(name)


@pytest.mark.parametrize(("several", "threads"), [(True, "2"), (False, "8")])
def test_one_frame_gets_all_cores_and_several_share_them(several: bool, threads: str) -> None:
    limit_threads(several=several)
    assert os.environ["OMP_NUM_THREADS"] == threads
    assert os.environ["OMP_WAIT_POLICY"] == "passive"


def test_the_user_has_the_last_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    limit_threads()
    assert os.environ["OMP_WAIT_POLICY"] == "active"
    assert os.environ["OMP_NUM_THREADS"] == "3"


@pytest.mark.parametrize(
    ("sources", "several"),
    [(["a.JPG", "b.png"], False), (["a.jpg", "b.mp4"], True), (["a.gif"], True), (["dir"], True)],
)
def test_photos_come_one_at_a_time(sources: list[str], several: bool) -> None:
    assert several_frames(sources) is several


COMMAND = """
import os, sys
import vidseg.cli
assert "numpy" not in sys.modules, "too late for its threads"
vidseg.cli.main(["classes", "--model", "balloon"], standalone_mode=False)
print(os.environ["OPENBLAS_NUM_THREADS"])
"""


@pytest.mark.parametrize(("given", "threads"), [(None, "1"), ("4", "4")])
def test_numpy_gets_one_thread_before_it_is_imported(given: str | None, threads: str) -> None:
    variables = {name: value for name, value in os.environ.items() if name != OPENBLAS}
    variables |= {} if given is None else {OPENBLAS: given}
    command = [sys.executable, "-c", COMMAND]
    done = subprocess.run(command, env=variables, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1:] == [threads], done.stderr
