"""`vidseg train` as a command."""

import json
import multiprocessing
import shutil
import signal
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.support.commands import fails, process, run
from tests.support.training_doubles import ARCHITECTURE, Toys, use_tiny
from vidseg.cli.commands.train import _SoftStop
from vidseg.datasets import open_dataset
from vidseg.models.checkpoint import read_header
from vidseg.training.training_sample import from_item

FAST = ("--steps", 4, "--every", 2, "--image-size", 64, "--workers", 0, "--weights", "none")
TINY = (
    "import tests.support.training_doubles as d; "
    "from vidseg.models.architectures import ARCHITECTURES; "
    "ARCHITECTURES['maskrcnn_resnet50_fpn'] = d.build_tiny"
)


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    from vidseg.models import architectures

    use_tiny(monkeypatch)
    tiny = architectures.ARCHITECTURES[ARCHITECTURE]
    monkeypatch.setitem(architectures.ARCHITECTURES, "maskrcnn_resnet50_fpn", tiny)
    monkeypatch.setattr(
        "vidseg.training.initial_weights.SMALL_ARCHITECTURE", "maskrcnn_resnet50_fpn"
    )


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Six toys as photos with COCO annotations, without splits."""
    folder = tmp_path / "toys"
    folder.mkdir()
    write_toys(folder, 6)
    return folder


def write_toys(folder: Path, count: int) -> None:
    toys = Toys(count)
    images, annotations = [], []
    for number in range(count):
        picture = from_item(toys[number], toys.classes, number)
        cv2.imwrite(str(folder / f"{number}.png"), picture.image[..., ::-1])
        images.append({"id": number, "file_name": f"{number}.png", "height": 64, "width": 64})
        for mask, label in zip(picture.masks, picture.labels.tolist(), strict=True):
            outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            outline = max(outlines, key=len).reshape(-1).tolist()
            annotation = {"id": len(annotations) + 1, "image_id": number, "category_id": label}
            annotations.append({**annotation, "segmentation": [outline], "iscrowd": 0})
    categories = [{"id": label, "name": name} for label, name in toys.classes.items()]
    facts = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "coco.json").write_text(json.dumps(facts))


def test_train_says_what_it_does_and_leaves_a_model(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("train", photos, *FAST)
    assert result.exit_code == 0
    assert result.stdout == ""
    said = result.stderr.splitlines()
    assert "no val split: 1 of its 6 photos are held out" in said[0]
    assert said[1].startswith("step 2 of 4: loss ")
    assert "mask AP " in said[1]
    assert said[1].endswith(" left")
    assert said[-1].endswith("is a model: --model runs/toys/best.pt")
    assert run("classes", "--model", "runs/toys/best.pt").stdout.split() == ["disc", "square"]


def test_the_trained_model_splashes(photos: Path, tmp_path: Path) -> None:
    run("train", photos, *FAST, "--out", tmp_path / "run", "-q")
    best, out = tmp_path / "run/best.pt", tmp_path / "out.png"
    common = ("splash", "--model", best, photos / "0.png", out, "--score", 0)
    assert run(*common, "--class", "disc", "-q").exit_code == 0
    assert cv2.imread(str(out)) is not None
    assert "knows no class 'cat'" in fails(*common, "--class", "cat", "-f", code=2)


def test_resume_by_the_options_of_the_command_line(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    sentence = fails("train", photos, "--weights", "last", "--out", out)
    assert "There is no run to resume" in sentence
    run("train", photos, *FAST, "--out", out)
    assert run("train", photos, "--weights", "last", "--out", out).exit_code == 0
    assert "started with steps 4" in fails(
        "train", photos, "--weights", "last", "--out", out, "--steps", 9, code=2
    )
    assert "resume with --weights last, choose another --out, or overwrite it with --force" in (
        fails("train", photos, *FAST, "--out", out)
    )


def test_the_first_signal_is_noted_and_a_second_one_stops() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with _SoftStop() as stop:
        assert not stop()
        signal.raise_signal(signal.SIGTERM)
        assert stop()
        assert stop.exit_code == 143
        assert signal.getsignal(signal.SIGTERM) == before
    assert signal.getsignal(signal.SIGTERM) == before


def test_ctrl_c_saves_and_says_how_to_go_on(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "my run"
    words = ("train", photos, "--weights", "none", "--arch", "maskrcnn_resnet50_fpn", "--out", out)
    fast = ("--steps", 999, "--image-size", 64, "--every", 2, "--val", 0.2, "--workers", 1)
    running = process(*words, *fast, code=TINY)
    assert running.stderr is not None
    while "step 2 of 999" not in (line := running.stderr.readline()):
        assert line, "it ended"
    running.send_signal(signal.SIGINT)
    _, said = running.communicate()
    assert running.returncode == 130, said
    last = said.splitlines()[-1]
    assert "which is saved; go on with: vidseg train" in last
    assert last.endswith(f"--out '{out}' --weights last --val 0.2")
    assert f"Stopped at step {read_header(out / 'last.pt')['provenance']['step']} of 999" in last
    assert not [path for path in out.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("--augment", "flop"), 2, "no augmentation 'flop'"),
        (("--val", 1), 2, "share of val must be 0 or more and below 1"),
        (("--epochs", 1), 2, "give one of them"),
        (("--weights", "nosuch.pt"), 1, "There is no model file nosuch.pt"),
    ],
)
def test_wrong_options_end_in_one_sentence(
    photos: Path, tmp_path: Path, words: Any, code: int, sentence: str
) -> None:
    out = tmp_path / "run"
    assert sentence in fails("train", photos, *FAST, "--out", out, *words, code=code)
    assert not out.exists()


def test_a_model_is_evaluated_on_photos_that_its_run_held_out(photos: Path, tmp_path: Path) -> None:
    run("train", photos, *FAST, "--out", tmp_path / "run", "-q")
    lists = json.loads((tmp_path / "run" / "photos.json").read_text())
    assert (len(lists["train"]), len(lists["val"])) == (5, 1)
    words = ("evaluate", "--model", tmp_path / "run" / "best.pt", photos)
    result = run(*words)
    assert "on the 1 photos that the run" in result.stderr
    assert "of which the model has learned from 5" in result.stderr
    facts = json.loads(result.stdout)
    assert (facts["photos"], facts["photos_learned_from"]) == (1, 0)
    (photos / "train.txt").write_text("".join(f"{n}.png\n" for n in range(6)))
    result = run(*words, "--split", "train")
    assert "Warning: the model has learned from 5 of these 6 photos." in result.stderr
    assert json.loads(result.stdout)["photos_learned_from"] == 5
    shutil.copy(tmp_path / "run" / "best.pt", tmp_path / "alone.pt")
    result = run("evaluate", "--model", tmp_path / "alone.pt", photos)
    assert json.loads(result.stdout)["photos"] == 6


def test_crowds_are_not_trained_on_without_a_word(photos: Path, tmp_path: Path) -> None:
    facts = json.loads((photos / "coco.json").read_text())
    for each in facts["annotations"]:
        each["iscrowd"] = 1
    (photos / "coco.json").write_text(json.dumps(facts))
    words = ("train", photos, *FAST, "--out", tmp_path / "run")
    assert "--crowds-as-objects reads them as objects" in fails(*words)
    assert run(*words, "--crowds-as-objects", "-q").exit_code == 0
    facts["annotations"][0]["iscrowd"] = facts["annotations"][1]["iscrowd"] = 0
    (photos / "coco.json").write_text(json.dumps(facts))
    result = run(*words, "--force", "--val", 0)
    assert "objects are marked as crowds and not trained on" in result.stderr


def test_ap_before_the_first_step(photos: Path, tmp_path: Path) -> None:
    run("train", photos, *FAST, "--out", tmp_path / "first", "-q")
    words = ("train", photos, *FAST, "--out", tmp_path / "second")
    result = run(*words, "--weights", tmp_path / "first" / "last.pt")
    assert "before training: mask AP " in result.stderr
    rows = (tmp_path / "second" / "metrics.jsonl").read_text().splitlines()
    assert json.loads(rows[0])["step"] == 0


def test_data_that_nothing_can_be_learned_from(photos: Path, tmp_path: Path) -> None:
    facts = json.loads((photos / "coco.json").read_text())
    (photos / "coco.json").write_text(json.dumps({**facts, "annotations": []}))
    out = ("--out", tmp_path / "run")
    assert "has an object; see `vidseg data check`" in fails("train", photos, *FAST, *out)
    assert "does not exist" in fails("train", tmp_path / "nowhere", *FAST, *out)
    assert not (tmp_path / "run").exists()


def test_a_class_without_examples_is_named(photos: Path, tmp_path: Path) -> None:
    facts = json.loads((photos / "coco.json").read_text())
    facts["categories"].append({"id": 3, "name": "ghost"})
    (photos / "coco.json").write_text(json.dumps(facts))
    result = run("train", photos, *FAST, "--out", tmp_path / "run", "--val", 0)
    assert "No training photo shows: ghost; it cannot be learned." in result.stderr
    assert "All photos are used for training: no AP is measured" in result.stderr
    assert read_header(tmp_path / "run/best.pt")["classes"][3] == "ghost"


def test_splits_are_taken_from_the_dataset(tmp_path: Path) -> None:
    for name, count in (("train", 3), ("val", 2)):
        (tmp_path / "toys" / name).mkdir(parents=True)
        write_toys(tmp_path / "toys" / name, count)
    result = run("train", tmp_path / "toys", *FAST, "--out", tmp_path / "run", "-q")
    assert (result.exit_code, result.stderr) == (0, "")
    assert read_header(tmp_path / "run/best.pt")["provenance"]["photos"] == 3
    refused = fails(
        "train", tmp_path / "toys", *FAST, "--out", tmp_path / "b", "--val", 0.5, code=2
    )
    assert "The dataset has a val split; leave out --val" in refused
    shutil.rmtree(tmp_path / "toys/train")
    refused = fails("train", tmp_path / "toys", *FAST, "--out", tmp_path / "b", code=2)
    assert "has the splits val and no train" in refused


def test_a_photo_that_goes_away_is_named(photos: Path, tmp_path: Path) -> None:
    dataset = open_dataset(photos)
    for sample in dataset.samples:
        sample.path.write_bytes(np.random.default_rng(0).bytes(100))
    from vidseg import TrainOptions, train
    from vidseg.errors import InputError

    options = TrainOptions(steps=1, image_size=64)
    with pytest.raises(InputError, match=r"\d.png cannot be read"):
        train(dataset, tmp_path / "run", options, weights="none", workers=1)


def test_a_photo_that_is_damaged_while_training_keeps_the_steps_before(
    photos: Path, tmp_path: Path
) -> None:
    from vidseg import TrainCallbacks, TrainOptions, train
    from vidseg.errors import InputError
    from vidseg.models.checkpoint import load_state

    dataset = open_dataset(photos)

    def damage(step: int, steps: int, losses: dict[str, float]) -> None:
        if step == 3:
            for sample in dataset.samples:
                sample.path.write_bytes(b"")

    options = TrainOptions(steps=50, every=50, image_size=64)
    calls = TrainCallbacks(on_step=damage)
    with pytest.raises(InputError, match="cannot be read"):
        train(dataset, tmp_path / "run", options, val=0.0, weights="none", callbacks=calls)
    assert load_state(tmp_path / "run" / "last.pt")["step"] == 3


def test_a_killed_process_that_reads_photos(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vidseg import TrainCallbacks, TrainOptions, train
    from vidseg.errors import VidsegError
    from vidseg.models.checkpoint import load_state

    monkeypatch.setattr("torch.utils.data._utils.MP_STATUS_CHECK_INTERVAL", 0.1)

    def kill(step: int, steps: int, losses: dict[str, float]) -> None:
        if step == 3:
            for child in multiprocessing.active_children():
                child.kill()
                child.join()

    before = signal.getsignal(signal.SIGCHLD)
    options, calls = TrainOptions(steps=50, every=50, image_size=64), TrainCallbacks(on_step=kill)
    with pytest.raises(VidsegError, match="was killed, often for want of memory"):
        train(photos, tmp_path / "run", options, val=0, weights="none", callbacks=calls, workers=1)
    assert load_state(tmp_path / "run" / "last.pt")["step"] >= 3
    signal.signal(signal.SIGCHLD, before)
    outcome = train(photos, tmp_path / "run", val=0, weights="last")
    assert outcome.finished


def test_two_runs_in_one_folder(photos: Path, tmp_path: Path) -> None:
    """The second is told, and the first goes on."""
    from vidseg import TrainCallbacks, TrainOptions, train

    told: list[str] = []

    def begin_another(step: int, steps: int, losses: dict[str, float]) -> None:
        words = ("train", photos, "--out", tmp_path / "run")
        told.append(fails(*words, *FAST, "--force"))
        told.append(fails(*words, "--weights", "last") if step > 2 else "Another run is in")

    options = TrainOptions(steps=4, every=2, image_size=64)
    calls = TrainCallbacks(on_step=begin_another)
    outcome = train(photos, tmp_path / "run", options, val=0, weights="none", callbacks=calls)
    assert outcome.finished
    assert len(told) == 8
    assert all(sentence.startswith("Another run is in") for sentence in told)
    assert run("train", photos, "--out", tmp_path / "run", *FAST, "--force").exit_code == 0
