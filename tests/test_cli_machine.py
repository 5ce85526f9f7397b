"""How many threads the program allows itself."""

import os
from pathlib import Path

import pytest

from vidseg.cli.machine import cores, limit_threads


@pytest.fixture(autouse=True)
def _eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)


@pytest.mark.parametrize(
    ("text", "count"),
    [("200000 100000", 2), ("50000 100000", 1), ("max 100000", 8), ("9900000 100000", 8), ("", 8)],
)
def test_a_quota_limits_the_cores(text: str, count: int, tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text(text)
    assert cores(tmp_path / "cpu.max") == count


def test_no_quota_leaves_all_cores(tmp_path: Path) -> None:
    assert cores(tmp_path / "none") == 8


def test_threads_wait_asleep_unless_the_user_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cv2.setNumThreads", lambda _: None)
    for name in ("OMP_NUM_THREADS", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, "")  # to be taken away again afterwards
        monkeypatch.delenv(name)
    limit_threads()
    assert os.environ["OMP_WAIT_POLICY"] == "passive"
    assert int(os.environ["OMP_NUM_THREADS"]) == cores()
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    limit_threads()
    assert os.environ["OMP_WAIT_POLICY"] == "active"
