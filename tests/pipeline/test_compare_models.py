"""vidseg compare: figures of several models on one input."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.commands import ROOT, fails, process, write_scene_model
from tests.support.random_instances import blobs
from tests.support.scenes import write_scene
from vidseg.cli.commands.compare import table
from vidseg.effects.side_by_side import side_by_side, size_beside
from vidseg.errors import OptionError
from vidseg.pipeline.compare_models import Comparison, compare, matched
from vidseg.video.probe import probe

VIDEO = ROOT / "examples" / "balloons.mp4"
NAMES = {1: "one", 2: "two", 3: "three"}


def both(folder: Path) -> list[object]:
    """The bundled model under two names."""
    copy = folder / "copy.pt"
    copy.write_bytes((ROOT / "vidseg/models/balloon.pt").read_bytes())
    return ["--model", "balloon", "--model", copy]


def test_a_model_agrees_with_itself(tmp_path: Path) -> None:
    target = tmp_path / "both.mp4"
    ran = process("compare", *both(tmp_path), "--end", 0.1, VIDEO, target)
    answer, report = ran.communicate()
    assert ran.returncode == 0, report
    facts = json.loads(answer)
    one, other = facts["models"]
    assert one["objects"] == other["objects"] > 0
    assert one["frames"] == other["frames"] == 3
    assert one["peak_bytes"] > 1e8
    assert facts["agreements"][0]["f_measure"] == 1
    assert facts["agreements"][0]["mean_iou"] == pytest.approx(1)
    assert "100.0%" in report
    info = probe(target)
    assert (info.size, info.frames) == ((1440, 1280), 3)


def test_objects_match_by_class_and_overlap() -> None:
    objects = blobs(6, (200, 300), classes=3)
    assert matched(objects, objects[::-1], NAMES, NAMES) == pytest.approx([1.0] * 6)
    assert matched(objects, objects, NAMES, dict.fromkeys(NAMES, "other")) == []
    assert matched(objects[:0], objects, NAMES, NAMES) == []


@pytest.mark.parametrize(
    ("size", "count", "whole"),
    [
        ((720, 1280), 2, (1440, 1280)),
        ((1280, 720), 2, (1280, 1440)),
        ((2160, 3840), 2, (3840, 3414)),
        ((101, 99), 3, (100, 300)),
    ],
)
def test_pictures_beside_each_other(
    size: tuple[int, int], count: int, whole: tuple[int, int]
) -> None:
    images = [np.full((*size, 3), 40 * n, np.uint8) for n in range(count)]
    picture = side_by_side(images, ["title"] * count)
    assert picture.shape == (*whole, 3)
    assert size_beside(size, count) == whole
    assert all((image == image[0, 0]).all() for image in images)


def test_wrong_options_come_before_anything_starts(tmp_path: Path) -> None:
    assert "two models" in fails("compare", "--model", "balloon", VIDEO, code=2)
    words: list[Any] = ["compare", *both(tmp_path), VIDEO]
    assert "zebra" in fails(*words, "--class", "zebra", code=2)
    assert "score" in fails(*words, "--score", 7, code=2)
    (tmp_path / "there.mp4").write_bytes(b"mine")
    assert "exists" in fails(*words, tmp_path / "there.mp4")
    assert (tmp_path / "there.mp4").read_bytes() == b"mine"
    with pytest.raises(OptionError):
        compare(VIDEO, {"balloon": {"model": "balloon"}})


def test_an_error_of_a_model_is_that_of_the_comparison(tmp_path: Path) -> None:
    assert "missing.mp4" in fails("compare", *both(tmp_path), tmp_path / "missing.mp4")


def test_the_table_of_models_that_find_nothing() -> None:
    from vidseg.pipeline.compare_models import Agreement, Measured

    models = tuple(Measured(name, 1, 2, 4, 1000) for name in ("a", "b"))
    lines = table(Comparison(models, (Agreement(("a", "b"), 0, 1.0, None),)))
    assert lines[1].split() == ["a", "1.0s", "0.500s", "2.0", "0", "MB", "0.0"]
    assert lines[3] == "a and b agree: 100.0% of the objects"


@pytest.mark.parametrize("name", ["out.png", "out.jpg"])
def test_what_cannot_become_the_output_comes_before_the_models(
    name: str, model: str, tmp_path: Path
) -> None:
    clip = write_scene(tmp_path / "in.mp4", frames=3)
    other = write_scene_model(tmp_path / "other.pt")  # neither has weights: they must not load
    words = ["--model", model, "--model", other, clip, tmp_path / name]
    assert "cannot become a photo" in fails("compare", *words, code=2)


def test_ctrl_c_is_one_sentence_of_one_process(tmp_path: Path) -> None:
    words = ["compare", *both(tmp_path), "--progress", VIDEO]
    running = process(*words)
    assert running.stderr is not None
    while "frames" not in (told := running.stderr.readline() + running.stderr.read(40)):
        assert told, "it ended by itself"
    for list_of in Path("/proc").glob(f"{running.pid}/task/*/children"):
        for child in list_of.read_text().split():
            os.kill(int(child), signal.SIGINT)
    time.sleep(1)  # a child that listens would end, and the comparison fail
    os.kill(running.pid, signal.SIGINT)
    _, rest = running.communicate()
    assert running.returncode == 130
    assert "Traceback" not in rest
