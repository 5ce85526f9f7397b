"""`vidseg draw` from end to end on scenes, with an oracle in the model's place."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.ndimage import binary_dilation, binary_erosion

from tests.support.commands import ROOT, fails, run
from tests.support.doubles import OraclePredictor
from tests.support.scenes import SIZE, read_barcode, scene_image, scene_masks, write_scene
from vidseg.cli.commands.draw import EffectText
from vidseg.effects.replace_background import CHROMA_GREEN
from vidseg.structures.frame import Frame
from vidseg.video.decoding.reader import read_frames
from vidseg.video.probe import probe

README = (ROOT / "README.md").read_text()
FINE = ("--crf", "4")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_scene(tmp_path / "in.mp4", frames=12)


def frames_of(path: Path) -> list[Frame]:
    return list(read_frames(probe(path)))


def drawn(clip: Path, model: str, out: Path, *effects: str, options: tuple[str, ...] = ()) -> None:
    words = [word for effect in effects for word in ("--effect", effect)]
    result = run("draw", "--model", model, *FINE, *options, *words, clip, out)
    assert result.exit_code == 0, result.output
    assert result.stdout == ""


@pytest.mark.usefixtures("oracle")
def test_objects_of_one_class_are_hidden(clip: Path, model: str, tmp_path: Path) -> None:
    drawn(clip, model, tmp_path / "out.mp4", "fill:class=disc,color=red")
    frames = frames_of(tmp_path / "out.mp4")
    assert [read_barcode(frame.image) for frame in frames] == list(range(12))
    for frame in frames:
        discs, rectangle = scene_masks(frame.index)[:2].any(axis=0), scene_masks(frame.index)[2]
        near = np.asarray(binary_dilation(discs, iterations=12), bool)
        inside = np.asarray(binary_erosion(discs, iterations=3), bool)
        assert np.abs(frame.image[inside].astype(int) - (255, 0, 0)).max() < 30
        kept = np.asarray(binary_erosion(rectangle, iterations=3), bool) & ~near
        assert np.abs(frame.image[kept].astype(int) - scene_image(frame.index)[kept]).mean() < 12


@pytest.mark.usefixtures("oracle")
def test_a_preset_is_drawn_by_both_commands(clip: Path, model: str, tmp_path: Path) -> None:
    drawn(clip, model, tmp_path / "out.mp4", "green-screen")
    again = tmp_path / "again.mp4"
    result = run("run", "--model", model, *FINE, clip, "--to", f"green-screen={again}")
    assert result.exit_code == 0, result.output
    for path in (tmp_path / "out.mp4", again):
        for frame in frames_of(path):
            masks = scene_masks(frame.index).any(axis=0)
            far = ~np.asarray(binary_dilation(masks, iterations=9), bool)
            assert np.abs(np.median(frame.image[far], axis=0) - CHROMA_GREEN).max() < 6


@pytest.mark.usefixtures("oracle")
def test_several_effects_in_one_run(clip: Path, model: str, tmp_path: Path) -> None:
    effects = ("dim-background:amount=1", "split:at=0.5", "trace:color=white")
    drawn(clip, model, tmp_path / "out.mp4", *effects)
    for before, after in zip(frames_of(clip), frames_of(tmp_path / "out.mp4"), strict=True):
        masks = scene_masks(before.index).any(axis=0)
        far = ~np.asarray(binary_dilation(masks, iterations=9), bool)
        left, right = far.copy(), far.copy()
        left[:, SIZE[1] // 2 - 6 :] = right[:, : SIZE[1] // 2 + 6] = False
        assert np.abs(after.image[left].astype(int) - before.image[left]).mean() < 6
        assert np.median(after.image[right]) < 10


@pytest.mark.usefixtures("oracle")
def test_a_video_behind_the_objects(clip: Path, model: str, tmp_path: Path) -> None:
    behind = write_scene(tmp_path / "behind.mp4", frames=5, first=40)
    out = tmp_path / "out.mp4"
    drawn(clip, model, out, f"replace-background:file={behind}", options=("--start", "0.1"))
    assert [read_barcode(frame.image) - 40 for frame in frames_of(out)] == [
        0,
        1,
        2,
        3,
        4,
        0,
        1,
        2,
        3,
    ]


@pytest.mark.usefixtures("oracle")
def test_a_photo_and_several_inputs(model: str, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), scene_image(3)[..., ::-1])
    inputs = tmp_path / "a.png", tmp_path / "b.png"
    words = ["--effect", "pixelate", "--effect", "trace"]
    assert run("draw", "--model", model, *words, *inputs, f"{tmp_path}/out/").exit_code == 0
    first, second = (np.asarray(cv2.imread(f"{tmp_path}/out/{path.name}")) for path in inputs)
    assert np.array_equal(first, second)
    assert not np.array_equal(first, scene_image(3)[..., ::-1])


def test_wrong_effects_are_wrong_options(clip: Path, model: str, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"

    def says(effect: str) -> str:
        return fails("draw", "--model", model, "--effect", effect, clip, out, code=2)

    assert "did you mean pixelate?" in says("pixelat")
    assert "did you mean cells?" in says("pixelate:cell=3")
    assert "cells must be a whole number" in says("pixelate:cells=a")
    assert "knows no class 'disk' (did you mean disc?)" in says("pixelate:class=disk")
    assert run("draw", "--model", model, clip, out).exit_code == 2
    assert not out.exists()


def test_a_missing_backdrop_is_told_before_the_weights_load(
    clip: Path, model: str, tmp_path: Path, oracle: OraclePredictor
) -> None:
    words = ["--model", model, "--effect", f"replace-background:file={tmp_path / 'no.png'}"]
    assert "no.png does not exist" in fails("draw", *words, clip, tmp_path / "out.mp4")
    assert not oracle.seen
    assert not (tmp_path / "out.mp4").exists()


def test_a_backdrop_is_not_overwritten(
    clip: Path, model: str, tmp_path: Path, oracle: OraclePredictor
) -> None:
    behind = write_scene(tmp_path / "behind.mp4", frames=5)
    before = behind.read_bytes()
    effect = f"replace-background:class=disc,file={behind}"
    words = ["draw", "--model", model, "--effect", effect, "--effect", "blur", "-f"]
    assert "behind.mp4" in fails(*words, clip, behind)
    assert behind.read_bytes() == before
    assert not oracle.seen


def test_effects_name_the_classes_that_are_looked_for(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a model is found that knows them; one effect for all objects wants all classes."""
    asked = []

    def search(classes: tuple[str, ...], **_: object) -> None:
        asked.append(classes)
        raise KeyboardInterrupt

    monkeypatch.setattr("vidseg.pipeline.search.Search", search)
    for words in (
        ["--effect", "blur:class=balloon", "--effect", "split"],
        ["--effect", "blur:class=balloon", "--effect", "contour"],
        ["--effect", "blur:class=balloon+cat,id=3", "--effect", "halo:class=cat"],
        ["--effect", "blur:class=balloon", "--class", "dog"],
    ):
        run("draw", *words, clip, tmp_path / "out.mp4")
    assert asked == [("balloon",), (), ("balloon", "cat"), ("dog",)]


def test_effects_come_from_the_environment_too() -> None:
    text = "blur:class=hot air balloon;contour"
    assert EffectText().split_envvar_value(text) == ["blur:class=hot air balloon", "contour"]
