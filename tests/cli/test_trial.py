"""--preview and --dry-run on the commands that draw."""

import json
from pathlib import Path

import pytest
from PIL import Image as Picture

from tests.support.commands import fails, run
from tests.support.doubles import OraclePredictor
from tests.support.scenes import write_scene

COMMANDS = {
    "overlay": ("--alpha", "0.3"),
    "splash": ("--class", "disc"),
    "draw": ("--effect", "pixelate"),
    "cutout": ("--no-refine",),
}


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_scene(tmp_path / "in.mp4", frames=60, options={"g": "10", "sc_threshold": "0"})


@pytest.mark.parametrize("command", COMMANDS)
def test_a_preview_is_all_that_is_written(
    command: str, clip: Path, tmp_path: Path, model: str, oracle: OraclePredictor
) -> None:
    look, out = tmp_path / "look.png", tmp_path / "out.mov"
    words = [command, "--model", model, *COMMANDS[command], clip, out, "--preview", look]
    result = run(*words)
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert "look.png: 9 frames" in result.stderr
    assert Picture.open(look).width == 3 * 240 + 4 * 8
    assert len(oracle.seen) == 9
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4", "look.png"]
    assert "look.png exists already" in fails(*words)
    assert run(*words, "--force").exit_code == 0
    assert "is left out" in run(*words, "--skip-existing").stderr


def test_a_preview_does_not_mind_an_output_that_exists(
    clip: Path, tmp_path: Path, model: str, oracle: OraclePredictor
) -> None:
    (tmp_path / "out.mp4").write_bytes(b"mine")
    words = ["--model", model, clip, tmp_path / "out.mp4", "--preview", tmp_path / "look.png"]
    assert run("overlay", *words).exit_code == 0
    assert (tmp_path / "out.mp4").read_bytes() == b"mine"


def test_a_preview_of_wrong_options_is_refused(
    clip: Path, tmp_path: Path, model: str, oracle: OraclePredictor
) -> None:
    def says(*words: object) -> str:
        return fails("splash", "--model", model, *words, "--preview", tmp_path / "look.png", code=2)

    assert "there are 2" in says(clip, clip.with_name("b.mp4"), f"{tmp_path}/out/")
    assert "leave --id" in says("--id", "1", clip, tmp_path / "out.mp4")
    assert "--crf" in says("--crf", "x", clip, tmp_path / "out.mp4")
    assert not oracle.seen


@pytest.mark.parametrize("command", COMMANDS)
def test_a_dry_run_tells_and_writes_nothing(
    command: str, clip: Path, tmp_path: Path, model: str, oracle: OraclePredictor
) -> None:
    out = tmp_path / "out.mov"
    words = [command, "--model", model, *COMMANDS[command], clip, out, "--dry-run"]
    result = run(*words)
    assert result.exit_code == 0, result.output
    (told,) = json.loads(result.stdout)["outputs"]
    assert (told["source"], told["target"]) == (str(clip), str(out))
    assert told["frames"] == 60
    assert told["size"] == {"width": 192, "height": 128}
    assert told["seconds"]["lowest"] <= told["seconds"]["median"] <= told["seconds"]["highest"]
    assert told["bytes"]["lowest"] <= told["bytes"]["median"] <= told["bytes"]["highest"]
    assert told["peak_memory_bytes"] > 50_000_000
    assert "B of memory; measured on " in result.stderr
    assert "out.mov: 60 frames of 192 x 128; about" in result.stderr
    assert "Nothing was written." in result.stderr
    assert oracle.seen
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]
    out.write_bytes(b"mine")
    assert "out.mov exists already" in fails(*words)
    assert out.read_bytes() == b"mine"


def test_a_dry_run_of_several_inputs(
    clip: Path, tmp_path: Path, model: str, oracle: OraclePredictor
) -> None:
    other = write_scene(tmp_path / "b.mp4", frames=20)
    result = run("splash", "--model", model, clip, other, f"{tmp_path}/out/", "--dry-run")
    assert [each["frames"] for each in json.loads(result.stdout)["outputs"]] == [60, 20]
    assert "all: about" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_dry_run_names_the_detections_too(
    clip: Path, tmp_path: Path, model: str, oracle: OraclePredictor
) -> None:
    saved = tmp_path / "found.vidseg"
    words = ["--model", model, "--save-detections", saved, clip, tmp_path / "out.mp4"]
    result = run("splash", *words, "--dry-run")
    assert json.loads(result.stdout)["saved_detections"] == str(saved)
    assert f"{saved}: the detections" in result.stderr
    assert not saved.exists()
    said = fails("splash", *words, "--dry-run", "--preview", tmp_path / "look.png", code=2)
    assert "choose one" in said
