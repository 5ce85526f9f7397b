"""Runs: what they leave, how they go on, how they fail."""

import importlib
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import cv2
import pytest
import torch

import vidseg
from tests.support import commands
from tests.support.commands import ROOT
from tests.support.training_doubles import ARCHITECTURE, CLASSES, StopAt, Toys, use_tiny
from vidseg.errors import (
    DivergedError,
    InputError,
    ModelError,
    OptionError,
    OutputError,
    OutputExistsError,
)
from vidseg.models.checkpoint import load_model, load_state, read_header
from vidseg.training.loop import Outcome, TrainCallbacks
from vidseg.training.settings import TrainOptions


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    use_tiny(monkeypatch)


def train(out: Path, dataset: Any = None, **options: Any) -> Outcome:
    fitting = {"arch": ARCHITECTURE, "image_size": 64, "precision": "float32", "device": "cpu"}
    begun = {"weights": "none", "steps": 7, "every": 3, **fitting, **options}
    begun = {name: value for name, value in begun.items() if value is not None}
    settings = TrainOptions(**taken(begun, TrainOptions))
    calls = TrainCallbacks(**taken(begun, TrainCallbacks))
    data = Toys() if dataset is None else dataset
    return vidseg.train(data, out, settings, callbacks=calls, **begun)


def taken(options: dict[str, Any], kind: Any) -> dict[str, Any]:
    """Take the options that are fields of `kind`."""
    return {f.name: options.pop(f.name) for f in fields(kind) if f.name in options}


def go_on(out: Path, dataset: Any = None, **options: Any) -> Outcome:
    return train(out, dataset, weights="last", **options)


def rows(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def same(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unbroken run."""
    out = tmp_path_factory.mktemp("whole") / "run"
    with pytest.MonkeyPatch.context() as patch:
        use_tiny(patch)
        train(out, val=Toys(1))
    return out


def test_a_run_leaves_two_models_metrics_and_curves(whole: Path) -> None:
    names = sorted(path.name for path in whole.iterdir())
    assert names == ["best.pt", "curves.png", "last.pt", "metrics.jsonl"]
    for name in ("best.pt", "last.pt"):
        model, header = load_model(whole / name)
        assert header["classes"] == CLASSES
        assert tuple(header["image_size"]) == (64, 107)
        assert model.get_parameter("roi_heads.box_predictor.cls_score.bias").shape == (3,)
    lines = rows(whole)
    assert [row["step"] for row in lines if "loss" in row] == [1, 2, 3, 4, 5, 6, 7]
    assert [row["step"] for row in lines if "mask_AP" in row] == [3, 6, 7]
    parts = [name for name in lines[0] if name.startswith("loss_")]
    assert len(parts) == 5
    assert lines[0]["loss"] == pytest.approx(sum(lines[0][name] for name in parts), abs=1e-5)


@pytest.mark.parametrize(("broken_at", "workers"), [(1, 0), (3, 0), (4, 2)])
def test_a_resumed_run_equals_an_unbroken_one(
    whole: Path, tmp_path: Path, broken_at: int, workers: int
) -> None:
    """Broken in the middle of an epoch, and at a checkpoint before its AP was measured."""
    out, stop = tmp_path / "run", StopAt(broken_at)
    first = train(out, val=Toys(1), stop=stop, on_step=stop.on_step, workers=workers)
    assert (first.step, first.finished) == (broken_at, False)
    assert not [row for row in rows(out) if row["step"] == 3 and "mask_AP" in row] or broken_at > 3
    assert go_on(out, val=Toys(1), workers=workers).finished
    for name in ("last.pt", "best.pt"):
        assert same(load_state(whole / name), load_state(out / name))
    assert (whole / "metrics.jsonl").read_text() == (out / "metrics.jsonl").read_text()


def test_a_killed_run_goes_on_from_its_last_checkpoint(whole: Path, tmp_path: Path) -> None:
    def kill(step: int, steps: int, losses: dict[str, float]) -> None:
        if step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "run", val=Toys(1), on_step=kill)
    with (tmp_path / "run" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 4, "loss": 1}\n{"step": 5, "lo')
    assert load_state(tmp_path / "run" / "last.pt")["step"] == 3
    go_on(tmp_path / "run", val=Toys(1))
    assert rows(tmp_path / "run") == rows(whole)
    assert same(load_state(tmp_path / "run/last.pt"), load_state(whole / "last.pt"))


def test_torchs_random_numbers_and_threads_are_left_alone(tmp_path: Path) -> None:
    before, threads = torch.random.get_rng_state(), torch.get_num_threads()
    train(tmp_path / "run", steps=1, workers=1)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.get_num_threads() == threads


def test_another_seed_is_another_course(tmp_path: Path) -> None:
    for seed in (0, 1):
        train(tmp_path / str(seed), steps=2, seed=seed)
    assert rows(tmp_path / "0") != rows(tmp_path / "1")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"lr": 0.5}, "started with lr 0.0005"),
        ({"steps": 9}, "started with steps 7"),
        ({"steps": None, "epochs": 9}, "started with steps 7; leave out epochs"),
        ({"layers": "heads"}, "started with heads_steps 0"),
        ({"precision": "bfloat16"}, "started with precision float32"),
        ({"augment": ()}, "started with augment"),
        ({"arch": "maskrcnn_resnet50_fpn"}, "started with architecture tiny"),
        ({"dataset": Toys(4)}, "started with the photos 5, and there are now 4"),
        ({"classes": {1: "disc", 2: "box"}}, "started with the classes disc, square"),
    ],
)
def test_a_run_goes_on_only_as_it_was_begun(whole: Path, options: Any, sentence: str) -> None:
    before = [(path, path.read_bytes()) for path in sorted(whole.iterdir())]
    with pytest.raises(OptionError, match=sentence):
        go_on(whole, **options)
    assert [(path, path.read_bytes()) for path in sorted(whole.iterdir())] == before


def test_a_run_stopped_before_its_first_step_can_go_on(tmp_path: Path) -> None:
    assert train(tmp_path / "run", steps=1, stop=lambda: True).step == 0
    assert go_on(tmp_path / "run", steps=1).finished


def test_only_a_run_can_be_gone_on_with(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no run to resume: .*last\.pt is missing"):
        go_on(tmp_path / "run")
    train(tmp_path / "run", steps=1)
    (tmp_path / "run/best.pt").replace(tmp_path / "run/last.pt")
    with pytest.raises(ModelError, match=r"is a model, not a checkpoint of a run"):
        go_on(tmp_path / "run")


def test_a_run_is_not_overwritten_unasked(tmp_path: Path) -> None:
    train(tmp_path / "run", steps=1)
    (tmp_path / "run/notes.txt").write_text("mine")
    kept = (tmp_path / "run/last.pt").read_bytes()
    with pytest.raises(OutputExistsError, match="resume with `weights='last'`"):
        train(tmp_path / "run")
    assert (tmp_path / "run/last.pt").read_bytes() == kept
    train(tmp_path / "run", steps=2, force=True)
    assert len(rows(tmp_path / "run")) == 2
    assert (tmp_path / "run/notes.txt").read_text() == "mine"
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is a file, not a folder"):
        train(tmp_path / "file")


def test_a_loss_that_is_no_number_stops_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vidseg.training import _learner as learner

    real = learner.losses_of

    def broken(model: Any, *args: Any, **options: Any) -> dict[str, torch.Tensor]:
        losses = real(model, *args, **options)
        seen.append(None)
        return {**losses, "loss_mask": losses["loss_mask"] * (float("nan") if len(seen) > 5 else 1)}

    seen: list[None] = []
    monkeypatch.setattr(learner, "losses_of", broken)
    with pytest.raises(DivergedError, match=r"step 6: loss_mask is nan; .*`lr`.*keeps step 3"):
        train(tmp_path / "run")
    state = load_state(tmp_path / "run/last.pt")
    assert state["step"] == 3
    assert all(v.isfinite().all() for v in state["model"].values() if v.is_floating_point())
    assert [row["step"] for row in rows(tmp_path / "run")] == [1, 2, 3, 4, 5]


def test_a_full_disk_keeps_the_checkpoint_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, count = torch.save, [0]

    def save(*args: Any) -> None:
        count[0] += 1
        if count[0] > 2:
            real({"half": 1}, *args[1:])
            raise OSError(28, "No space left on device")
        real(*args)

    monkeypatch.setattr(torch, "save", save)
    with pytest.raises(OutputError, match=r"No space left on device; .* is still the previous one"):
        train(tmp_path / "run")
    assert load_state(tmp_path / "run/last.pt")["step"] == 3
    names = sorted(path.name for path in (tmp_path / "run").iterdir())
    assert names == ["best.pt", "curves.png", "last.pt", "metrics.jsonl"]


def test_one_picture_and_pictures_without_objects(tmp_path: Path) -> None:
    assert train(tmp_path / "one", Toys(1), steps=2).finished
    assert train(tmp_path / "none", Toys(2, objects=False), steps=2).finished
    outcome = train(tmp_path / "val", steps=2, val=Toys(1, objects=False))
    assert outcome.best is None
    assert rows(tmp_path / "val")[-1]["mask_AP"] is None
    assert read_header(tmp_path / "val/best.pt")["provenance"]["step"] == 2


class Broken(Toys):
    """Items that are none, in one way or another."""

    def __init__(self, way: str) -> None:
        super().__init__(2)
        self.way = way

    def __getitem__(self, index: int) -> Any:
        image, target = super().__getitem__(index)
        if self.way == "label":
            target["labels"][0] = 7
        if self.way == "masks":
            del target["masks"]
        if self.way == "size":
            target["masks"] = target["masks"][:, :32]
        if self.way == "nan":
            image[0, 0, 0] = torch.nan
        if self.way == "grey":
            image = image[:1]
        return image if self.way == "bare" else (image, target)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(
    ("way", "sentence"),
    [
        ("label", r"Item \d of the dataset has the label 7, which is no class \(1, 2\); 0 is back"),
        ("masks", r"Item \d of the dataset is not an image and a target .*KeyError\('masks'\)"),
        ("size", r"has 2 labels and masks of shape \(2, 32, 64\) for an image of 64x64"),
        ("nan", r"is not an image and a target with masks"),
        ("grey", r"image of shape \(1, 64, 64\)"),
        ("bare", r"is not an image and a target with masks"),
    ],
)
def test_items_that_are_none_are_named(
    tmp_path: Path, way: str, sentence: str, workers: int
) -> None:
    with pytest.raises(InputError, match=sentence):
        train(tmp_path / "run", Broken(way), workers=workers)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"steps": 0}, "steps must be 1 or more"),
        ({"epochs": 1}, "give one of them"),
        ({"steps": None, "epochs": 0}, "epochs must be above 0"),
        ({"batch_size": 0}, "batch_size must be 1"),
        ({"lr": float("nan")}, "learning rate must be above 0"),
        ({"layers": "some"}, "no layers 'some'"),
        ({"augment": ("flop",)}, "no augmentation 'flop'; use flip, scale, color, copy-paste"),
        ({"image_size": 8}, "size 8 is too small"),
        ({"seed": -1}, "seed must be 0 or more"),
        ({"precision": "float16"}, "float16 needs a CUDA GPU"),
        ({"precision": "int8"}, "no precision 'int8'"),
        ({"arch": "yolo"}, "no architecture 'yolo'; use "),
        (
            {"weights": "coconut"},
            "no weights 'coconut'; use coco, imagenet, everyday, bundled, none",
        ),
        ({"weights": "bundled"}, "are those of maskrcnn_shufflenet_v2_x0_5_fpn, not of tiny"),
        ({"classes": {0: "x"}}, "start at 1; 0 is background"),
        ({"classes": {}}, "has no attribute classes"),
        ({"val": 0.5}, "Give another dataset as val"),
        ({"dataset": []}, "has no attribute classes|empty"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_made(
    tmp_path: Path, options: Any, sentence: str
) -> None:
    with pytest.raises(OptionError, match=sentence):
        train(tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


@pytest.mark.timeout(900)
def test_the_bundled_model_learns_shapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real training: half a minute on one core to a mask AP50 of 0.6; see the next for more."""
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    shapes = importlib.import_module("shapes")
    outcome = shapes.train(str(tmp_path / "run"), steps=25, batch_size=4, val=15)
    measured = [row for row in rows(tmp_path / "run") if "mask_AP" in row]
    assert max(row["mask_AP50"] for row in measured) >= 0.6, measured
    picture = shapes.Shapes(1, seed=2)[0][0].permute(1, 2, 0).numpy()
    cv2.imwrite(str(tmp_path / "in.png"), picture[..., ::-1])
    best = tmp_path / "run/best.pt"
    files = (tmp_path / "in.png", tmp_path / "out.png")
    assert commands.run("splash", "--model", best, "--class", "circle", *files).exit_code == 0
    assert outcome.best == max(row["mask_AP"] for row in measured)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_shapes_are_learned_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    if "slow" not in str(request.config.getoption("markexpr")):
        pytest.skip("takes ten minutes; run with -m slow")
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    outcome = importlib.import_module("shapes").train(str(tmp_path / "run"), steps=400)
    assert outcome.best is not None
    assert outcome.best >= 0.8


def test_the_example_of_an_own_dataset_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    importlib.import_module("own_dataset").main(str(tmp_path / "run"), steps=1)
    assert read_header(tmp_path / "run/best.pt")["classes"] == {1: "coin"}
