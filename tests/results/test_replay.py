"""Detections that are saved by one command and used by others, also after a run was broken off."""

import random
import signal
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support import plugged
from tests.support.commands import ROOT, fails, process, run
from tests.support.doubles import BrokenPredictor, OraclePredictor
from tests.support.scenes import read_barcode, scene_image, scene_instances, write_scene
from vidseg.results._part_file import part_of
from vidseg.results.vidseg_file import read_detections
from vidseg.video.decoding.reader import read_frames
from vidseg.video.probe import probe


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_scene(tmp_path / "in.mp4", frames=20)


@pytest.fixture
def saved(clip: Path, model: str, oracle: OraclePredictor, tmp_path: Path) -> Path:
    assert run("detect", "--model", model, clip, tmp_path / "a.vidseg").exit_code == 0
    return tmp_path / "a.vidseg"


def images(path: Path) -> list[np.ndarray]:
    return [frame.image for frame in read_frames(probe(path))]


def assert_alike(a: Path, b: Path) -> None:
    for one, other in zip(images(a), images(b), strict=True):
        np.testing.assert_array_equal(one, other)


def test_detect_saves_every_frame_with_its_exact_time(clip: Path, saved: Path) -> None:
    read = read_detections(saved)
    assert read.header.source["name"] == "in.mp4"
    assert read.header.classes == {1: "disc", 2: "rectangle"}
    assert (read.header.kept_score, read.header.labels) == (0.05, None)
    for (moment, instances), frame in zip(read, read_frames(probe(clip)), strict=True):
        assert (moment.index, moment.time, moment.duration) == (
            frame.index,
            frame.time,
            frame.duration,
        )
        np.testing.assert_array_equal(instances.masks, scene_instances(frame.index).masks)


@pytest.mark.parametrize("command", ["overlay", "splash", "frames"])
def test_saved_detections_give_the_same_output(
    command: str, clip: Path, saved: Path, model: str, oracle: OraclePredictor, tmp_path: Path
) -> None:
    end = "" if command == "frames" else ".mp4"
    plain, again = tmp_path / f"plain{end}", tmp_path / f"again{end}"
    words = ["--score", "0.87", "--class", "disc,rectangle"]
    assert run(command, *words, "--model", model, clip, plain).exit_code == 0
    looked = len(oracle.seen)
    assert run(command, *words, "--detections", saved, clip, again).exit_code == 0
    assert len(oracle.seen) == looked
    if command == "frames":
        for path in plain.iterdir():
            assert path.read_bytes() == (again / path.name).read_bytes()
    else:
        assert_alike(plain, again)


@pytest.mark.parametrize("words", [("--model", "balloon"), ("--every", 5), ("--tiles", "2x2")])
def test_what_saved_detections_cannot_follow_is_refused(
    words: tuple[object, ...], clip: Path, saved: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out.mp4"
    said = fails("overlay", "--detections", saved, *words, clip, target, code=2)
    assert f"leave {words[0]} out" in said
    assert not target.exists()


def test_neither_model_nor_torch_is_loaded(clip: Path, saved: Path, tmp_path: Path) -> None:
    code = "import sys; sys.modules['torch'] = None"
    words = ["overlay", "--detections", saved, clip, tmp_path / "out.mp4"]
    ended = process(*words, code=code)
    assert ended.communicate()[1].startswith(str(tmp_path / "out.mp4"))
    assert ended.returncode == 0


def test_what_a_command_finds_is_saved_beside_its_output(
    clip: Path, saved: Path, model: str, tmp_path: Path
) -> None:
    words = ["--model", model, "--save-detections", tmp_path / "b.vidseg"]
    assert run("splash", *words, clip, tmp_path / "out.mp4").exit_code == 0
    assert (tmp_path / "b.vidseg").read_bytes() == saved.read_bytes()


def test_a_part_and_a_folder_of_photos(
    clip: Path, model: str, oracle: OraclePredictor, tmp_path: Path
) -> None:
    part, photos = tmp_path / "part.vidseg", tmp_path / "photos"
    span = ["--start", "0.2", "--end", "0.4"]
    assert run("detect", "--model", model, *span, clip, part).exit_code == 0
    assert [moment.index for moment, _ in read_detections(part)] == list(range(6, 12))
    assert run("splash", "--detections", part, *span, clip, tmp_path / "part.mp4").exit_code == 0
    sentence = fails("splash", "--detections", part, clip, tmp_path / "whole.mp4")
    assert "has no record of frame 0" in sentence
    photos.mkdir()
    for index in (3, 12):
        cv2.imwrite(str(photos / f"{index}.png"), scene_image(index)[..., ::-1])
    assert run("detect", "--model", model, photos, tmp_path / "p.vidseg").exit_code == 0
    assert read_detections(tmp_path / "p.vidseg").header.source["photos"] == ["3.png", "12.png"]
    words = ["splash", "--detections", tmp_path / "p.vidseg", photos, tmp_path / "splashed"]
    assert run(*words).exit_code == 0
    assert [read_barcode(image) for image in images(tmp_path / "splashed")] == [3, 12]


def test_several_inputs_get_a_file_each(
    clip: Path, model: str, oracle: OraclePredictor, tmp_path: Path
) -> None:
    other = write_scene(tmp_path / "other.mkv", frames=3)
    assert run("detect", "--model", model, clip, other, tmp_path / "found").exit_code == 0
    assert len(list(read_detections(tmp_path / "found" / "in.vidseg"))) == 20
    assert len(list(read_detections(tmp_path / "found" / "other.vidseg"))) == 3


def test_a_file_of_another_video_is_refused(saved: Path, tmp_path: Path) -> None:
    other = write_scene(tmp_path / "other.mp4", frames=20, first=1)
    sentence = fails("overlay", "--detections", saved, other, tmp_path / "out.mp4")
    assert "was made from another input (in.mp4, 192 x 128" in sentence
    assert not (tmp_path / "out.mp4").exists()


def test_what_was_not_kept_cannot_be_asked_for(
    clip: Path, model: str, oracle: OraclePredictor, tmp_path: Path
) -> None:
    file = tmp_path / "b.vidseg"
    words = ["--model", model, "--class", "disc", "--keep-score", "0.3"]
    assert run("detect", *words, clip, file).exit_code == 0
    use = ("splash", "--detections", file)
    where = (clip, tmp_path / "out.mp4")
    assert "scores of 0.3 or more" in fails(*use, "--score", "0.2", *where, code=2)
    assert "without looking for rectangle" in fails(*use, "--class", "rectangle", *where, code=2)
    assert "did you mean disc?" in fails(*use, "--class", "disk", *where, code=2)
    assert "leave --model out" in fails(*use, "--model", model, *where, code=2)
    again = ("--save-detections", tmp_path / "c.vidseg")
    assert "not saved again" in fails(*use, *again, *where, code=2)
    assert "belongs to one input" in fails(
        *use, clip, clip.parent / "x.mp4", tmp_path / "d", code=2
    )


def test_files_of_detections_are_not_overwritten(saved: Path, clip: Path, model: str) -> None:
    before = saved.read_bytes()
    assert "--force" in fails("detect", "--model", model, clip, saved)
    part_of(saved).write_bytes(before[:2000])
    assert "--force" in fails("detect", "--model", model, "--resume", clip, saved)
    saved.unlink()
    assert "--resume" in fails("detect", "--model", model, clip, saved)
    resumed = run("detect", "--model", model, "--resume", clip, saved)
    assert resumed.exit_code == 0
    assert saved.read_bytes() == before
    whole = run("detect", "--model", model, "--force", clip, saved)
    counted = [each.stderr.rpartition("; ")[2] for each in (resumed, whole)]
    assert counted[0] == counted[1]
    assert "in 0 of" not in counted[0]


def test_detections_are_not_overwritten_by_what_is_made_of_them(saved: Path, clip: Path) -> None:
    before = saved.read_bytes()
    words = ("--force", "--format", "csv")
    assert "the input itself" in fails("export", *words, saved, saved)
    assert "the input itself" in fails("frames", *words, "--detections", saved, clip, saved)
    assert saved.read_bytes() == before


def test_a_run_with_other_options_is_not_resumed(saved: Path, clip: Path, model: str) -> None:
    saved.rename(part_of(saved))
    words = ("detect", "--model", model, "--resume")
    assert "started with kept_score 0.05, now 0.2;" in fails(
        *words, "--keep-score", "0.2", clip, saved, code=2
    )
    assert "started with labels None, now " in fails(*words, "--class", "disc", clip, saved, code=2)
    assert "started with end None, now 3/10;" in fails(*words, "--end", "0.3", clip, saved, code=2)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_run_that_saves_nothing_is_not_resumed(clip: Path, tmp_path: Path, model: str) -> None:
    words = ("--model", model, "--resume", clip, tmp_path / "out.mp4")
    assert "the file of --save-detections" in fails("overlay", *words, code=2)
    assert not (tmp_path / "out.mp4").exists()


def test_a_run_of_another_input_is_not_resumed(saved: Path, tmp_path: Path, model: str) -> None:
    saved.rename(part_of(saved))
    other = write_scene(tmp_path / "other.mp4", frames=5)
    sentence = fails("detect", "--model", model, "--resume", other, saved, code=2)
    assert "started with source name in.mp4, now other.mp4; give the same input" in sentence


def test_killed_runs_resume_to_the_same_file(
    clip: Path, saved: Path, oracle: OraclePredictor, tmp_path: Path
) -> None:
    """Killed at random moments, the last time after ten frames were written."""
    out, chance = tmp_path / "killed.vidseg", random.Random(0)
    words = ["--model", plugged.MODEL, "--resume", "--batch-size", "2", clip, out]
    for batches, written in ((1, 0), (2, 0), (8, 10)):
        running = process("detect", *words, code=plugged.BLOCKED.format(batches=batches))
        assert running.stdout is not None
        for _ in range(batches + 1):
            assert running.stdout.readline() == "predicting\n"
        while _frames_in(part_of(out)) < written:
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.05))
        running.send_signal(signal.SIGKILL)
        running.communicate()
    assert not out.exists()
    looked = len(oracle.seen)
    assert run("detect", *words).exit_code == 0
    assert 0 < len(oracle.seen) - looked < 20
    assert out.read_bytes() == saved.read_bytes()
    assert str(ROOT) not in out.read_bytes().decode(errors="replace")


@pytest.mark.parametrize("track", ["--track", "--no-track"])
def test_a_drawing_run_that_broke_goes_on_with_what_it_saved(
    track: str, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same video and the same detections as without the interruption, and only the frames
    that were missing are predicted again."""
    clip = write_scene(tmp_path / "in.mp4", frames=48)
    words = ["splash", track, "--model", model, "--batch-size", 4]
    monkeypatch.setattr("tests.support.plugged.predictor", OraclePredictor())
    whole = [*words, "--save-detections", tmp_path / "w.vidseg", clip, tmp_path / "w.mp4"]
    assert run(*whole).exit_code == 0
    monkeypatch.setattr("tests.support.plugged.predictor", BrokenPredictor(at=39))
    broken = [*words, "--save-detections", tmp_path / "b.vidseg", clip, tmp_path / "b.mp4"]
    assert "BrokenPredictor failed in frames" in fails(*broken)
    assert "--resume" in fails(*broken)
    idle = OraclePredictor()
    monkeypatch.setattr("tests.support.plugged.predictor", idle)
    assert run(*broken, "--resume").exit_code == 0
    assert min(index for index in idle.seen if index is not None) >= 16
    assert (tmp_path / "b.vidseg").read_bytes() == (tmp_path / "w.vidseg").read_bytes()
    assert_alike(tmp_path / "w.mp4", tmp_path / "b.mp4")


def _frames_in(part: Path) -> int:
    """How many lines follow the header."""
    return part.read_bytes().count(b"\n") - 1 if part.exists() else 0
