"""The picture that --watch renews."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from tests.support.commands import fails, run
from tests.support.doubles import BrokenPredictor, OraclePredictor
from tests.support.scenes import read_barcode, scene_image, write_scene
from vidseg.effects import Splash
from vidseg.errors import OptionError, OutputError
from vidseg.pipeline import _watch
from vidseg.pipeline._watch import Watch
from vidseg.pipeline.outputs import VideoOutput
from vidseg.pipeline.run import run as run_outputs
from vidseg.pipeline.run_options import RunOptions
from vidseg.pipeline.search import Search


def shown(path: Path) -> int:
    with PIL.Image.open(path) as picture:
        return read_barcode(np.asarray(picture))


def test_the_newest_frame_is_written_every_two_seconds(tmp_path: Path) -> None:
    target, now, seen = tmp_path / "watch.jpg", [0.0], []
    watch = Watch(target, clock=lambda: now[0])
    for index in range(60):
        watch.show(scene_image(index), "the first output")
        watch.show(scene_image(999), "another output")
        seen.append(shown(target))
        now[0] += 0.125
    assert sorted(set(seen)) == [0, 16, 32, 48]
    assert list(tmp_path.iterdir()) == [target]


def test_a_transparent_picture_is_shown_over_a_chessboard(tmp_path: Path) -> None:
    image = np.zeros((24, 24, 4), np.uint8)
    Watch(tmp_path / "watch.png").show(image, None)
    with PIL.Image.open(tmp_path / "watch.png") as picture:
        assert picture.mode == "RGB"
        assert len(np.unique(np.asarray(picture))) == 2


def test_a_picture_that_cannot_be_written_ends_the_watch_and_not_the_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    watch = Watch(tmp_path / "gone" / "watch.jpg")
    for index in range(3):
        watch.show(scene_image(index), None)
    assert caplog.text.count("is no longer renewed") == 1


def test_a_run_that_fails_leaves_the_last_frame_it_drew(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(_watch, "WATCH_SECONDS", 0.0)
    clip, target = write_scene(tmp_path / "in.mp4", frames=20), tmp_path / "watch.jpg"
    outputs = [VideoOutput(tmp_path / "out.mp4", Splash())]
    search = Search(model=BrokenPredictor(at=15), batch_size=1)
    with pytest.raises(RuntimeError):
        run_outputs(clip, outputs, search=search, options=RunOptions(watch=target))
    assert 0 < shown(target) < 15
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize(
    ("command", "out"),
    [("overlay", "out.mp4"), ("splash", "out"), ("draw", "out.mp4"), ("cutout", "out.mov")],
)
def test_commands_that_draw_have_it(
    command: str, out: str, oracle: OraclePredictor, model: str, tmp_path: Path
) -> None:
    clip, target = write_scene(tmp_path / "in.mp4", frames=4), tmp_path / "watch.jpg"
    effect = ["--effect", "blur"] if command == "draw" else []
    result = run(command, *effect, "--model", model, "--watch", target, clip, tmp_path / out)
    assert result.exit_code == 0, result.output
    assert target.exists()


def test_run_shows_its_first_drawn_output(oracle: OraclePredictor, model: str, tmp_path) -> None:
    clip, target = write_scene(tmp_path / "in.mp4", frames=4), tmp_path / "watch.png"
    kinds = [f"coco={tmp_path}/a.json", f"splash={tmp_path}/b.mp4", f"overlay={tmp_path}/c.mp4"]
    to = [word for kind in kinds for word in ("--to", kind)]
    assert run("run", clip, *to, "--model", model, "--watch", target).exit_code == 0
    with PIL.Image.open(target) as picture:
        left = np.asarray(picture)[60:, :20]
    assert np.ptp(left, axis=2).max() == 0, "splash is grey there"


def test_a_run_that_draws_nothing_is_refused(model: str, tmp_path: Path) -> None:
    clip = write_scene(tmp_path / "in.mp4", frames=2)
    words = ("run", clip, "--to", f"coco={tmp_path}/a.json", "--model", model)
    assert "nothing to watch" in fails(*words, "--watch", tmp_path / "watch.png", code=2)
    assert sorted(tmp_path.iterdir()) == [clip]


def test_what_exists_is_kept_and_other_names_are_refused(model: str, tmp_path: Path) -> None:
    clip, target = write_scene(tmp_path / "in.mp4", frames=2), tmp_path / "watch.jpg"
    target.write_text("mine")
    words = ("splash", "--model", model, clip, tmp_path / "out.mp4")
    assert "--force" in fails(*words, "--watch", target)
    assert target.read_text() == "mine"
    assert "is a picture" in fails(*words, "--watch", tmp_path / "watch.mp4", code=2)
    several = ("splash", "--model", model, clip, write_scene(tmp_path / "b.mp4"), f"{tmp_path}/o/")
    assert "workers draw" in fails(*several, "--watch", "w.jpg", "--workers", 2, code=2)
    photo = tmp_path / "in.png"
    PIL.Image.fromarray(scene_image(0)).save(photo)
    outputs = [VideoOutput(tmp_path / "out.png", Splash())]
    search = Search(model=OraclePredictor())
    with pytest.raises(OutputError, match="is the input itself"):
        run_outputs(photo, outputs, search=search, options=RunOptions(watch=photo))
    with pytest.raises(OptionError, match="Two outputs"):
        run_outputs(photo, outputs, search=search, options=RunOptions(watch=tmp_path / "out.png"))
