"""How many cores there are, and how frames share them."""

from pathlib import Path

import pytest

from vidseg.cpu_budget import (
    MAX_FRAMES_AT_ONCE,
    codec_threads,
    cores,
    frames_at_once,
    threads_per_frame,
)


def machine_of(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(count)), raising=False)
    monkeypatch.setattr("vidseg.cpu_budget.CGROUP_CPU_MAX", Path("/nowhere"))


@pytest.mark.parametrize(
    ("text", "count"),
    [("200000 100000", 2), ("50000 100000", 1), ("max 100000", 8), ("9900000 100000", 8), ("", 8)],
)
def test_a_quota_limits_the_cores(
    text: str, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine_of(8, monkeypatch)
    (tmp_path / "cpu.max").write_text(text)
    assert cores(tmp_path / "cpu.max") == count
    assert cores(tmp_path / "none") == 8


@pytest.mark.parametrize(
    ("count", "threads", "frames"),
    [(1, 1, 1), (2, 1, 2), (4, 1, 4), (6, 2, 3), (8, 2, 4), (16, 4, 4), (64, 16, 4)],
)
def test_frames_share_the_cores(
    count: int, threads: int, frames: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine_of(count, monkeypatch)
    assert threads_per_frame() == threads
    assert frames_at_once(threads) == frames <= MAX_FRAMES_AT_ONCE
    assert frames_at_once(count) == frames_at_once(10 * count) == 1


@pytest.mark.parametrize(("count", "threads"), [(1, 1), (2, 2), (8, 8), (64, 8)])
def test_codecs_use_all_cores_up_to_a_limit_set_by_memory(
    count: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine_of(count, monkeypatch)
    assert codec_threads() == threads
