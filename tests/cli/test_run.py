"""The commands from end to end on scenes, with an oracle in the model's place."""

import json
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_erosion

from tests.support.commands import fails, run
from tests.support.doubles import OraclePredictor
from tests.support.scenes import CLASSES, read_barcode, scene_image, scene_masks, write_scene
from vidseg.structures.frame import Frame, Image
from vidseg.video.decoding.reader import read_frames
from vidseg.video.probe import probe

pytestmark = pytest.mark.usefixtures("oracle")

Mask = NDArray[np.bool_]
RATE = Fraction(30000, 1001)


FINE = ("--crf", "4")
"""At the default x264 may leave a faint colour behind where an object has moved away."""


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_scene(tmp_path / "in.mp4", frames=20, rate=RATE, sound=1)


def frames_of(path: Path) -> list[Frame]:
    return list(read_frames(probe(path)))


def spread(image: Image) -> np.ndarray:
    """(H, W): 0 for grey."""
    return image.max(-1).astype(int) - image.min(-1)


def clearly_in_and_out(mask: Mask) -> tuple[Mask, Mask]:
    """Pixels at least 5 inside, and at least 7 outside."""
    return (
        np.asarray(binary_erosion(mask, iterations=5), bool),
        ~np.asarray(binary_dilation(mask, iterations=7), bool),
    )


def assert_splashed(frame: Frame, label: int | None = None) -> None:
    """Colour well inside the objects, none well outside."""
    index = read_barcode(frame.image)
    masks = scene_masks(index)
    if label is not None:
        masks = masks[[OraclePredictor().predict([scene_image(index)])[0].labels == label][0]]
    inside, outside = clearly_in_and_out(np.logical_or.reduce(masks))
    assert np.median(spread(frame.image)[inside]) > 60
    assert spread(frame.image)[outside].max() < 40


def test_splash_keeps_frames_times_sound_and_colours(
    clip: Path, model: str, tmp_path: Path
) -> None:
    out = tmp_path / "out.mp4"
    result = run("splash", "--model", model, *FINE, clip, out)
    assert result.exit_code == 0
    assert result.stdout == ""
    assert result.stderr.startswith(f"{out}: 20 frames in ")
    frames = frames_of(out)
    assert [read_barcode(frame.image) for frame in frames] == list(range(20))
    assert [frame.time for frame in frames] == [index / RATE for index in range(20)]
    assert [stream.kind for stream in probe(out).streams] == ["video", "audio"]
    for frame in frames:
        assert_splashed(frame)


def test_splash_of_one_class_leaves_the_others_grey(clip: Path, model: str, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    assert run("splash", "--model", model, *FINE, "--class", "disc", clip, out).exit_code == 0
    for frame in frames_of(out):
        assert_splashed(frame, label=1)


def test_overlay_draws_on_the_objects_alone(clip: Path, model: str, tmp_path: Path) -> None:
    out = tmp_path / "out.mkv"
    words = ["--model", model, "--no-boxes", "--labels", "none", "--crf", "0", "--alpha", "1"]
    assert run("overlay", *words, clip, out).exit_code == 0
    for before, after in zip(frames_of(clip), frames_of(out), strict=True):
        changed = np.abs(before.image.astype(int) - after.image).max(-1) > 40
        inside, outside = clearly_in_and_out(np.logical_or.reduce(scene_masks(before.index)))
        assert changed[inside].any()
        assert not changed[outside].any()


def test_a_score_above_every_object_shows_none(clip: Path, model: str, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    assert run("splash", "--model", model, "--score", "0.99", clip, out).exit_code == 0
    assert all(spread(frame.image).max() < 40 for frame in frames_of(out))


def test_a_cut_keeps_the_indexes_of_the_source(clip: Path, model: str, tmp_path: Path) -> None:
    out = tmp_path / "masks"
    words = ["--start", "0.2", "--end", "00:00:00.4"]
    assert run("frames", "--model", model, *words, clip, out).exit_code == 0
    listed = json.loads((out / "instances.json").read_text())["frames"]
    expected = [i for i in range(20) if Fraction(1, 5) <= i / RATE < Fraction(2, 5)]
    assert [frame["index"] for frame in listed] == expected
    assert [Fraction(frame["time"]) for frame in listed] == [i / RATE for i in expected]


def test_frames_writes_masks_and_json(clip: Path, model: str, tmp_path: Path) -> None:
    out = tmp_path / "masks"
    words = ["--model", model, "--per-object", "--image", "--max-objects", "2"]
    assert run("frames", *words, clip, out).exit_code == 0
    report = json.loads((out / "instances.json").read_text())
    assert report["classes"] == {str(label): name for label, name in CLASSES.items()}
    assert report["kept_score"] == 0.5
    assert [len(frame["objects"]) for frame in report["frames"]] == [2] * 20
    assert len(list(out.glob("*.png"))) == 20
    assert len(list((out / "images").glob("*.png"))) == 20
    assert len(list((out / "objects").glob("*.png"))) == 40


def test_a_photo_becomes_a_photo(model: str, tmp_path: Path) -> None:
    photo, out = tmp_path / "in.png", tmp_path / "out.png"
    cv2.imwrite(str(photo), scene_image(5)[..., ::-1])
    assert run("splash", "--model", model, photo, out).exit_code == 0
    (splashed,) = frames_of(out)
    assert splashed.image.shape == scene_image(5).shape
    assert_splashed(splashed)


def test_a_folder_of_photos_becomes_a_folder(model: str, tmp_path: Path) -> None:
    photos, out = tmp_path / "in", tmp_path / "out"
    photos.mkdir()
    for index in (2, 10):
        cv2.imwrite(str(photos / f"{index}.png"), scene_image(index)[..., ::-1])
    assert run("splash", "--model", model, photos, out).exit_code == 0
    assert sorted(path.name for path in out.iterdir()) == ["10.png", "2.png"]
    assert [read_barcode(frame.image) for frame in frames_of(out)] == [2, 10]


def test_a_video_becomes_a_gif_and_a_folder(clip: Path, model: str, tmp_path: Path) -> None:
    assert run("splash", "--model", model, clip, tmp_path / "out.gif").exit_code == 0
    assert len(frames_of(tmp_path / "out.gif")) == 20
    assert run("splash", "--model", model, clip, tmp_path / "pictures").exit_code == 0
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 20


def test_several_inputs_go_into_a_folder(clip: Path, model: str, tmp_path: Path) -> None:
    other = write_scene(tmp_path / "other.mp4", frames=3)
    result = run("splash", "--model", model, clip, other, f"{tmp_path}/new/")
    assert result.exit_code == 0
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["in.mp4", "other.mp4"]


def test_one_input_and_a_slash_go_into_a_folder(clip: Path, model: str, tmp_path: Path) -> None:
    assert run("splash", "--model", model, clip, f"{tmp_path}/new/").exit_code == 0
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["in.mp4"]


def test_several_inputs_get_a_folder_of_masks_each(clip: Path, model: str, tmp_path: Path) -> None:
    other = write_scene(tmp_path / "other.mp4", frames=3)
    assert run("frames", "--model", model, clip, other, tmp_path / "new").exit_code == 0
    assert len(list((tmp_path / "new" / "other").glob("*.png"))) == 3


def test_after_a_failure_the_other_inputs_are_done(
    clip: Path, model: str, tmp_path: Path, oracle: OraclePredictor
) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_text("no video")
    out = tmp_path / "new"
    last = fails("splash", "--model", model, bad, tmp_path / "gone.mp4", clip, f"{out}/")
    assert last == f"2 of 3 inputs failed: {bad}, {tmp_path / 'gone.mp4'}"
    assert [path.name for path in out.iterdir()] == ["in.mp4"]
    assert len(frames_of(out / "in.mp4")) == 20
    assert len(oracle.seen) == 20


def test_a_folder_for_outputs_that_all_failed_is_not_left(model: str, tmp_path: Path) -> None:
    fails("splash", "--model", model, tmp_path / "a.mp4", tmp_path / "b.mp4", f"{tmp_path}/new/")
    assert not (tmp_path / "new").exists()


def test_inputs_of_one_name_are_refused(clip: Path, model: str, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    other = write_scene(tmp_path / "sub" / "in.mp4", frames=3)
    words = ["splash", "--model", model, clip, other, f"{tmp_path}/new/"]
    assert "in.mp4" in fails(*words, code=2)
    assert "need a folder" in fails("splash", "--model", model, clip, other, "out.mp4", code=2)


def test_quiet_says_nothing_and_verbose_more(clip: Path, model: str, tmp_path: Path) -> None:
    assert run("splash", "-q", "--model", model, clip, tmp_path / "a.mp4").output == ""
    shown = run("splash", "--progress", "--model", model, clip, tmp_path / "b.mp4")
    assert "20/20" in shown.stderr
    assert shown.stdout == ""


def test_force_overwrites(clip: Path, model: str, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    out.write_text("old")
    sentence = fails("splash", "--model", model, clip, out)
    assert "exists already" in sentence
    assert "--force" in sentence
    assert out.read_text() == "old"
    assert run("splash", "--model", model, "-f", clip, out).exit_code == 0
    assert len(frames_of(out)) == 20


def test_info_is_json(clip: Path) -> None:
    result = run("info", clip)
    facts = json.loads(result.stdout)
    assert facts["size"] == {"width": 192, "height": 128}
    assert Fraction(facts["rate"]) == RATE
    assert facts["frames"] == 20
    assert [stream["kind"] for stream in facts["streams"]] == ["video", "audio"]
    assert not facts["interlaced"]
    assert "keyframes" not in facts  # thousands in a long video
    assert "exist" in fails("info", "missing.mp4")


def test_classes_and_models_are_data_on_stdout(model: str) -> None:
    assert run("classes", "--model", model).stdout.split() == ["disc", "rectangle"]
    assert "traffic light" in run("classes").stdout.splitlines()
    listed = run("models").stdout
    assert listed.startswith("maskrcnn_resnet50_fpn_v2")
    assert "80 classes" in listed


@pytest.mark.parametrize("command", ["splash", "frames"])
def test_output_and_saved_detections_need_two_names(
    command: str, clip: Path, model: str, tmp_path: Path
) -> None:
    out = tmp_path / "out.mp4"
    words = ["--model", model, "--save-detections", out, clip, f"{tmp_path}/./out.mp4"]
    assert "name two" in fails(command, *words, code=2)
    assert not out.exists()


def test_a_photo_has_no_times(model: str, tmp_path: Path) -> None:
    photo, out = tmp_path / "in.png", tmp_path / "out.png"
    cv2.imwrite(str(photo), scene_image(5)[..., ::-1])
    assert "no times" in fails("splash", "--model", model, "--start", "1", photo, out)


def test_an_input_that_failed_is_named_once(model: str, tmp_path: Path) -> None:
    words = ["a.mp4", "b.mp4", f"{tmp_path}/new/"]
    stderr = run("splash", "--model", model, *words).stderr
    assert stderr.startswith("Error: a.mp4 does not exist.")
