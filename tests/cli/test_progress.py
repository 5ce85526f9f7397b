"""Progress and announcements, with a clock and a terminal of the test's own."""

import json
from pathlib import Path

import pytest

from tests.support.commands import run
from tests.support.scenes import write_scene
from vidseg.cli.progress import Download, Progress, ProgressLines, duration


class Clock:
    """Seconds that the test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def play(progress: Progress, clock: Clock, *, frames: int, total: int | None, step: float) -> None:
    with progress:
        for done in range(1, frames + 1):
            progress.on_frame(done, total)
            clock.now += step


def test_a_long_run_is_announced_once_with_its_risk(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = Clock()
    play(Progress(bar=False, clock=clock), clock, frames=50, total=1000, step=2.0)
    said = capsys.readouterr().err
    assert said.count("This will take about 33 min") == 1
    assert "all of it is lost" in said


@pytest.mark.parametrize(
    ("total", "step", "quiet"), [(1000, 0.1, False), (None, 2.0, False), (1000, 2.0, True)]
)
def test_a_short_unknown_or_quiet_run_is_not_announced(
    total: int | None, step: float, quiet: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock()
    play(Progress(bar=False, quiet=quiet, clock=clock), clock, frames=90, total=total, step=step)
    assert capsys.readouterr().err == ""


def test_the_estimate_starts_at_the_first_frame(capsys: pytest.CaptureFixture[str]) -> None:
    """A model that took an hour to download says nothing about the speed."""
    clock = Clock()
    progress = Progress(bar=False, clock=clock)
    clock.now = 3600
    play(progress, clock, frames=80, total=100, step=0.1)
    assert capsys.readouterr().err == ""


def test_the_bar_counts_every_frame(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(bar=True) as progress:
        for done in range(1, 31):
            progress.on_frame(done, 30)
    assert "30/30" in capsys.readouterr().err
    assert progress.done == 30


def test_a_download_has_a_bar_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    bar = Download()
    for done in (0, 500_000, 1_000_000):
        bar.on_bytes(done, 1_000_000)
    assert "weights" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.25, "0.2 s"), (95, "1 min 35 s"), (3600 * 2 + 61, "2 h 1 min")]
)
def test_durations_read_well(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_bar_is_there_before_the_first_frame(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(bar=True) as progress:
        assert "loading" in capsys.readouterr().err
        progress.on_frame(1, 3)
        assert "/3 " in capsys.readouterr().err


def test_the_frames_of_an_earlier_run_do_not_count_in_the_estimate(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A run that is resumed at frame 900 of 2000, 2 s a frame: 1090 frames are left after 10."""
    clock = Clock()
    with Progress(bar=False, clock=clock) as progress:
        for done in range(901, 911):
            progress.on_frame(done, 2000)
            clock.now += 2.0
    assert "This will take about 36 min" in capsys.readouterr().err


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_programs_get_two_lines_a_second_and_one_at_the_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """100 frames, 0.125 s each, after a model that took a minute to load."""
    clock = Clock()
    clock.now = 60
    told = ProgressLines("in.mp4", clock=clock)
    play(Progress(bar=True, lines=told, clock=clock), clock, frames=100, total=200, step=0.125)
    first, *between, last = lines(capsys.readouterr().err)
    assert first == {
        "event": "progress",
        "file": "in.mp4",
        "unit": "frames",
        "done": 1,
        "total": 200,
        "per_second": None,
        "eta": None,
    }
    assert len(between) == 24
    assert all(line["event"] == "progress" for line in between)
    assert between[-1]["per_second"] == 8.0
    assert between[-1]["eta"] == round((200 - 97) / 8, 1)
    assert (last["event"], last["done"], last["total"], last["eta"]) == ("end", 100, 100, 0.0)


def test_a_run_that_fails_tells_programs_of_no_end(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(bar=False, lines=ProgressLines("in.mp4", clock=Clock()))

    def break_off() -> None:
        with progress:
            progress.on_frame(1, None)
            raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        break_off()
    (line,) = lines(capsys.readouterr().err)
    assert (line["event"], line["total"]) == ("progress", None)


def test_a_command_tells_programs_of_its_progress(model: str, tmp_path: Path) -> None:
    clip = write_scene(tmp_path / "in.mp4", frames=8)
    result = run("splash", "--model", model, "-q", "--progress-json", clip, tmp_path / "out.mp4")
    first, *_, last = lines(result.stderr)
    assert (first["event"], first["done"], first["total"]) == ("progress", 1, 8)
    assert (last["event"], last["file"], last["done"]) == ("end", str(clip), 8)
