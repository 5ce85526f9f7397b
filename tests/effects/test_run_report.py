"""Warnings after a run about effects that had nothing to draw on."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.support.commands import run
from tests.support.doubles import OraclePredictor
from tests.support.random_instances import blobs
from tests.support.scenes import write_scene
from vidseg.effects.parse import parse_effects
from vidseg.effects.run_report import RunReport
from vidseg.structures.frame import Moment
from vidseg.structures.instances import Instances

NAMES = {1: "person", 2: "dog"}
SIZE = (40, 60)
NOTHING = Instances.empty(SIZE)


def one(label: int, track: int = -1) -> Instances:
    found = blobs(1, SIZE)
    return replace(found, labels=np.array([label]), ids=np.array([track]))


def warnings(effect: str, *found: Instances, rate: int = 10, **shown) -> list[str]:
    report = RunReport(parse_effects([effect], NAMES), NAMES, **shown)
    for index, instances in enumerate(found):
        duration = Fraction(1, rate) if rate else Fraction(0)
        report.add(Moment(index, index * duration, duration), instances)
    return report.warnings()


@pytest.mark.parametrize("name", ["blur", "pixelate", "fill"])
def test_an_effect_that_hides_says_that_it_hid_nothing(name: str) -> None:
    assert warnings(name, NOTHING, NOTHING, labels=[1, 2], score=0.5) == [
        f"{name} hid nothing: no dog or person with a score of at least 0.5 was found. "
        "Look at the result; a lower score hides more."
    ]
    assert warnings(name, one(1), one(2)) == []


def test_only_the_objects_that_it_is_for_count() -> None:
    (warning,) = warnings("blur:class=person", one(2), one(2), labels=[1, 2])
    assert "blur hid nothing: no person was found." in warning
    (warning,) = warnings("blur", NOTHING)
    assert "no object was found." in warning
    hidden, unknown = warnings("blur:id=9", one(1, track=1), score=0.5)
    assert "blur hid nothing: no object with the id 9 was found." in hidden
    assert "No object had the id 9; ids were 1 to 1." in unknown


def test_spans_without_anything_hidden_are_named() -> None:
    found = [one(1), NOTHING, NOTHING, one(1), NOTHING, one(1)]
    (warning,) = warnings("blur:hold=0", *found)
    assert "hid nothing in 3 of 6 frames (0.1 s to 0.3 s, 0.4 s to 0.5 s): no" in warning
    (warning,) = warnings("blur:hold=0", *found, rate=0)
    assert "(frames 1 to 2, frame 4): no object was found there." in warning


def test_of_many_spans_the_longest_are_named() -> None:
    (warning,) = warnings("blur:hold=0", *[NOTHING, one(1)] * 3, NOTHING, NOTHING)
    assert "in 5 of 8 frames (0 s to 0.1 s, 0.2 s to 0.3 s, 0.6 s to 0.8 s and 1 more)" in warning


def test_what_is_held_is_hidden() -> None:
    assert warnings("blur:hold=2", one(1, track=3), NOTHING, NOTHING) == []
    (warning,) = warnings("blur:hold=2", one(1, track=3), *[NOTHING] * 3)
    assert "in 1 of 4 frames (0.3 s to 0.4 s)" in warning
    assert warnings("blur:hold=2", one(1), NOTHING) != []


def test_effects_that_show_say_nothing() -> None:
    assert warnings("contour", NOTHING) == []


def test_ids_that_never_occur_are_named() -> None:
    assert warnings("contour:id=3+7", one(1, track=3), one(1, track=5)) == [
        "No object had the id 7; ids were 3 to 5."
    ]
    assert warnings("contour:id=7", NOTHING) == ["No object had the id 7; no object was tracked."]


def test_the_command_warns(tmp_path: Path, model: Path, oracle: OraclePredictor) -> None:
    clip = write_scene(tmp_path / "in.mp4", frames=4)
    words = ["--effect", "blur:class=disc", "--effect", "contour:id=99", "--score", "0.97"]
    result = run("draw", *words, "--model", model, clip, tmp_path / "out.mp4")
    assert result.exit_code == 0
    assert "blur hid nothing: no disc with a score of at least 0.97 was found." in result.stderr
    assert "No object had the id 99; " in result.stderr
