"""Several processes train one model: together, to the bit, and none waits for one that is gone."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from tests.support import commands
from tests.support.commands import ROOT
from tests.training.test_train import rows, same
from vidseg.models.checkpoint import load_state


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `two_processes` leaves; the two are forked from one that imports torch once."""
    folder = tmp_path_factory.mktemp("runs")
    words = [sys.executable, "-m", "tests.training.two_processes", str(folder)]
    subprocess.run(words, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True)
    return folder


@pytest.fixture
def said(runs: Path) -> dict[str, list[str]]:
    return json.loads((runs / "said.json").read_text())


def test_gradients_are_averaged(said: dict[str, list[str]]) -> None:
    assert said["averaged"] == ["1.5 1.5"] * 2


def test_two_processes_give_the_same_weights_each_time(
    runs: Path, said: dict[str, list[str]]
) -> None:
    assert said["begin"] == ["step 6, measured: True", "step 6, measured: False"]
    assert same(load_state(runs / "whole" / "last.pt"), load_state(runs / "again" / "last.pt"))
    assert [row["step"] for row in rows(runs / "whole") if "loss" in row] == [1, 2, 3, 4, 5, 6]


def test_one_that_is_told_to_stop_stops_both_and_the_run_resumes_to_the_same(
    runs: Path, said: dict[str, list[str]]
) -> None:
    assert [text[:6] for text in said["stopped"]] == ["step 4"] * 2
    assert same(load_state(runs / "whole" / "last.pt"), load_state(runs / "resumed" / "last.pt"))


def test_a_lost_process_ends_the_other_and_a_restart_goes_on(
    runs: Path, said: dict[str, list[str]]
) -> None:
    assert said["lost"][0].startswith("VidsegError: Another process that trains along has ended")
    assert said["restarted"] == ["step 6"] * 2
    assert same(load_state(runs / "whole" / "last.pt"), load_state(runs / "lost" / "last.pt"))


def test_a_loss_of_one_that_is_not_a_number_ends_both(said: dict[str, list[str]]) -> None:
    assert all(
        text.startswith("DivergedError: Training diverged at step 2") for text in said["nan"]
    )


def test_a_photo_that_one_cannot_read_ends_both_and_keeps_the_steps(
    runs: Path, said: dict[str, list[str]]
) -> None:
    assert all(text.endswith("The photo a.jpg cannot be read.") for text in said["unreadable"])
    assert load_state(runs / "unreadable" / "last.pt")["step"] == 2


def test_another_number_of_processes_is_refused(said: dict[str, list[str]]) -> None:
    assert "was started with 2 processes, and these are 1" in said["alone"][0]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Four annotated photos."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(4):
        picture = Image.new("RGB", (96, 64), "gray")
        ImageDraw.Draw(picture).ellipse((20, 10 + number, 60, 50), fill="red")
        picture.save(folder / f"{number}.jpg")
        outline = [[20, 10], [60, 10], [60, 50], [20, 50]]
        shape = {"label": "disc", "shape_type": "polygon", "points": outline}
        facts = {"imagePath": f"{number}.jpg", "imageData": None, "version": "5"}
        size = {"imageWidth": 96, "imageHeight": 64}
        (folder / f"{number}.json").write_text(json.dumps({"shapes": [shape], **facts, **size}))
    return folder


@pytest.fixture
def _asked_for(request: pytest.FixtureRequest) -> None:
    if "slow" not in str(request.config.getoption("markexpr")):
        pytest.skip("starts torch eight times; run with -m slow")


SHORT = ("--weights", "bundled", "--image-size", "64", "--precision", "float32", "--workers", "0")


def training(*words: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        preexec_fn=commands._listen,
    )


@pytest.mark.slow
@pytest.mark.usefixtures("_asked_for")
def test_devices_train_together_and_stop_together(photos: Path, tmp_path: Path) -> None:
    words = ("vidseg", "train", photos, "--devices", 2, "--out", tmp_path / "run", *SHORT)
    running = training(*words, "--steps", "1000")
    while not (tmp_path / "run" / "photos.json").exists():
        assert running.poll() is None, running.communicate()
        time.sleep(0.1)
    time.sleep(5)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate()
    assert running.returncode == 130, said
    assert said.count("Error: Stopped at step") == 1
    step = load_state(tmp_path / "run" / "last.pt")["step"]
    assert f"Stopped at step {step} of 1000, which is saved" in said


@pytest.mark.slow
@pytest.mark.usefixtures("_asked_for")
def test_torchrun_starts_again_after_a_process_is_killed(photos: Path, tmp_path: Path) -> None:
    runs = tmp_path / "whole", tmp_path / "killed"
    for out in runs:
        torchrun = ("torch.distributed.run", "--standalone", "--nproc-per-node=2")
        words = ("vidseg", "train", photos, "--out", out, *SHORT, "--steps", "12", "--every", "4")
        running = training(*torchrun, "--max-restarts=2", "-m", *words)
        metrics = out / "metrics.jsonl"
        while out.name == "killed" and not (
            metrics.exists() and '"step": 4' in metrics.read_text()
        ):
            assert running.poll() is None, running.communicate()
            time.sleep(0.05)
        if out.name == "killed":
            children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text()
            os.kill(int(children.split()[-1]), signal.SIGKILL)
        _, said = running.communicate()
        assert running.returncode == 0, said
    assert same(*(load_state(out / "last.pt") for out in runs))
