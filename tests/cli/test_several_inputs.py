"""Several inputs: folders of videos, outputs that exist, what was found, addresses."""

from pathlib import Path

import pytest

from tests.support.commands import fails, run
from tests.support.doubles import OraclePredictor
from tests.support.scenes import write_scene
from vidseg.cli import main


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    folder = tmp_path / "clips"
    folder.mkdir()
    for name in ("a.mp4", "b.mkv", "c.mp4"):
        write_scene(folder / name, frames=5)
    (folder / "notes.txt").write_text("not a video")
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_of_videos_stands_for_its_videos(clips: Path, model: str, tmp_path: Path) -> None:
    assert run("splash", "--model", model, clips, f"{tmp_path}/out/").exit_code == 0
    assert names(tmp_path / "out") == ["a.mp4", "b.mkv", "c.mp4"]
    assert run("detect", "--model", model, clips, f"{tmp_path}/found/").exit_code == 0
    assert names(tmp_path / "found") == ["a.vidseg", "b.vidseg", "c.vidseg"]
    assert run("frames", "--model", model, clips, tmp_path / "masks").exit_code == 0
    assert names(tmp_path / "masks") == ["a", "b", "c"]


def test_so_does_a_folder_of_one_video(clips: Path, model: str, tmp_path: Path) -> None:
    for name in ("b.mkv", "c.mp4"):
        (clips / name).unlink()
    for command, written in (("splash", "a.mp4"), ("detect", "a.vidseg"), ("frames", "a")):
        assert run(command, "--model", model, clips, tmp_path / command).exit_code == 0
        assert names(tmp_path / command) == [written]
    assert run("splash", "--model", model, clips, tmp_path / "one.mp4").exit_code == 0
    assert (tmp_path / "one.mp4").is_file()


def test_existing_outputs_are_told_one_by_one(clips: Path, model: str, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "b.mkv").write_text("kept")
    words = ["splash", "--model", model, clips, f"{tmp_path}/out/"]
    first = run(*words)
    assert first.exit_code == 1
    assert "b.mkv exists already" in first.stderr
    assert "1 of 3 inputs failed" in first.stderr
    assert (tmp_path / "out" / "b.mkv").read_text() == "kept"
    assert names(tmp_path / "out") == ["a.mp4", "b.mkv", "c.mp4"]


def test_skip_existing_goes_on_with_a_batch(
    clips: Path, model: str, tmp_path: Path, oracle: OraclePredictor
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.mp4").write_text("kept")
    words = ["splash", "--skip-existing", "--model", model, clips, f"{tmp_path}/out/"]
    assert run(*words).exit_code == 0
    assert (tmp_path / "out" / "a.mp4").read_text() == "kept"
    assert len(oracle.seen) == 10
    again = run(*words)
    assert again.exit_code == 0
    assert "c.mp4 exists" in again.stderr
    assert len(oracle.seen) == 10


def test_the_summary_counts_what_was_found(clips: Path, model: str, tmp_path: Path) -> None:
    done = run("splash", "--model", model, clips / "a.mp4", tmp_path / "a.mp4")
    assert "3 objects, in 5 of 5 frames" in done.stderr


@pytest.mark.parametrize("command", ["splash", "overlay", "frames", "detect", "cutout"])
def test_nothing_found_is_a_warning(
    command: str, clips: Path, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Blind(OraclePredictor):
        def _look(self, image):  # type: ignore[no-untyped-def]
            found = super()._look(image)
            return found[:0]

    monkeypatch.setattr("tests.support.plugged.predictor", Blind())
    target = {"frames": "out", "detect": "out.vidseg", "cutout": "out.mov"}.get(command, "out.mp4")
    done = run(command, "--model", model, clips / "a.mp4", tmp_path / target)
    assert done.exit_code == 0
    assert "Warning: No object was found in any of the 5 frames." in done.stderr
    assert "; no objects" in done.stderr


@pytest.mark.parametrize("address", ["ftp://host/x.mp4", "rtsp://camera/1"])
def test_addresses_are_echoed_as_typed(address: str, model: str, tmp_path: Path) -> None:
    assert address in fails("overlay", "--model", model, address, tmp_path / "o.mp4", code=2)


def test_resuming_what_is_finished_is_done(clips: Path, model: str, tmp_path: Path) -> None:
    words = ["detect", "--resume", "--model", model, clips / "a.mp4", tmp_path / "a.vidseg"]
    assert run(*words).exit_code == 0
    found = (tmp_path / "a.vidseg").read_bytes()
    again = run(*words)
    assert again.exit_code == 0
    assert "a.vidseg exists" in again.stderr
    assert (tmp_path / "a.vidseg").read_bytes() == found


def test_an_existing_folder_as_out_is_refused_where_it_may_mean_two_things(
    clips: Path, model: str, tmp_path: Path, oracle: OraclePredictor
) -> None:
    (tmp_path / "out").mkdir()
    words = ("splash", "--model", model, clips / "a.mp4")
    sentence = fails(*words, tmp_path / "out")
    assert f"write {tmp_path}/out/ for a file in it, or --force for the frames in it" in sentence
    assert names(tmp_path / "out") == []
    assert run(*words, f"{tmp_path}/out/").exit_code == 0
    assert names(tmp_path / "out") == ["a.mp4"]
    assert run(*words, "--force", tmp_path / "out").exit_code == 0
    assert len(names(tmp_path / "out")) == 6


def test_commands_without_a_batch_do_not_take_skip_existing() -> None:
    for command in ("train", "evaluate", "compare", "export", "run"):
        options = {name for each in main.commands[command].params for name in each.opts}
        assert "--force" in options
        assert "--skip-existing" not in options
    assert "--skip-existing" in {n for each in main.commands["overlay"].params for n in each.opts}
