"""`vidseg.evaluate`: the command as one call, with a predictor of one's own."""

from fractions import Fraction
from pathlib import Path

import pytest

import vidseg
from tests.cli.test_evaluate import davis, photos
from tests.support.doubles import OraclePredictor
from tests.support.scenes import CLASSES, write_scene
from vidseg.errors import InputError, OptionError
from vidseg.pipeline.evaluate import evaluate
from vidseg.pipeline.evaluation_request import EvaluationOptions
from vidseg.pipeline.run_options import RunOptions
from vidseg.structures.span import Span


def test_photos_by_a_predictor_of_ones_own(tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    run = RunOptions(on_frame=lambda done, total: seen.append((done, total)))
    found = vidseg.evaluate(photos(tmp_path / "data"), OraclePredictor(), run=run)
    assert found.report["masks"]["AP"] == pytest.approx(1)
    assert found.report["model"] == "OraclePredictor"
    assert set(found.report["classes"]) == set(CLASSES.values())
    assert any(line.startswith("masks") for line in found.table)
    assert found.notes == []
    assert seen == [(1, 3), (2, 3), (3, 3)]
    one = evaluate(tmp_path / "data", OraclePredictor(), classes="disc")
    assert set(one.report["classes"]) == {"disc"}


def test_clips_and_videos(tmp_path: Path) -> None:
    pytest.importorskip("trackeval")
    clips = evaluate(davis(tmp_path / "davis"), OraclePredictor())
    assert clips.report["all"]["id_switches"] == 0
    video = write_scene(tmp_path / "in.mp4", frames=12)
    options = EvaluationOptions(max_gap=3)
    steady = evaluate(video, OraclePredictor(), options=options, span=Span(end=Fraction("0.2")))
    assert (steady.report["frames"], steady.report["longest_gap"]) == (6, 3)
    with pytest.raises(OptionError, match="without annotations"):
        evaluate(tmp_path / "davis", OraclePredictor(), span=Span(end=Fraction("0.2")))


def test_what_is_refused(tmp_path: Path) -> None:
    data = photos(tmp_path / "data")
    with pytest.raises(OptionError, match="Say what to evaluate"):
        evaluate(data)
    with pytest.raises(OptionError, match="take the place of a model"):
        evaluate(data, OraclePredictor(), detections=data / "r.json")
    with pytest.raises(InputError, match="does not exist"):
        evaluate(tmp_path / "gone", OraclePredictor())
    with pytest.raises(OptionError, match="max_objects must be a whole number and at least 1"):
        EvaluationOptions(max_objects=0)
