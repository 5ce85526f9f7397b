"""Checkpoints: a header that reads without torch, safe loading, damage that is named."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch

from vidseg.errors import ModelError
from vidseg.models.architectures import build
from vidseg.models.checkpoint import load_model, load_state, read_header, save_checkpoint

SMALL = "maskrcnn_shufflenet_v2_x0_5_fpn"
HEADER = {"architecture": SMALL, "classes": {1: "disc", 2: "square"}, "image_size": [96, 128]}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "small.pt"
    weights = build(SMALL, 3).state_dict()
    half = {k: v.half() if v.is_floating_point() else v for k, v in weights.items()}
    save_checkpoint(path, {"model": half}, HEADER)
    return path


def test_what_was_saved_comes_back(checkpoint: Path) -> None:
    model, header = load_model(checkpoint)
    saved = load_state(checkpoint)["model"]
    assert header["classes"] == {1: "disc", 2: "square"}
    assert model.transform.min_size == (96,)
    assert model.transform.max_size == 128
    assert not model.training
    for name, value in model.state_dict().items():
        assert value.dtype in (torch.float32, torch.int64)
        assert torch.equal(value, saved[name].to(value.dtype))


def test_header_is_read_without_torch(checkpoint: Path) -> None:
    code = (
        "import sys; from vidseg.models.checkpoint import read_header; "
        f"print(read_header({str(checkpoint)!r})['classes'][1], 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["disc", "False"]


def test_saving_replaces_whole_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    for value in (1.0, 2.0):
        save_checkpoint(path, {"model": {"x": torch.tensor(value)}}, HEADER)
    assert load_state(path)["model"]["x"] == 2.0
    assert [item.name for item in tmp_path.iterdir()] == ["model.pt"]


def test_a_failed_save_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    save_checkpoint(path, {"model": {}}, HEADER)
    before = path.read_bytes()
    with pytest.raises(TypeError):
        save_checkpoint(path, {"model": {}}, {"classes": object()})
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["model.pt"]


def test_missing_foreign_and_damaged_files_are_named(tmp_path: Path, checkpoint: Path) -> None:
    foreign = tmp_path / "foreign.pth"
    torch.save({"x": torch.zeros(1)}, foreign)
    text = tmp_path / "text.pt"
    text.write_text("not a model")
    code = tmp_path / "mine.py"
    code.write_text("class MyPredictor: ...")
    cut = tmp_path / "cut.pt"
    cut.write_bytes(checkpoint.read_bytes()[:1000])
    cases = [
        (tmp_path / "none.pt", "There is no model file"),
        (tmp_path, "is a folder"),
        (code, "name a predictor in it"),
        (foreign, "not a vidseg checkpoint"),
        (text, "cannot be read as a model file"),
        (cut, "cannot be read as a model file"),
    ]
    for path, message in cases:
        with pytest.raises(ModelError, match=message):
            read_header(path)


def test_flipped_bytes_in_the_weights_are_noticed(tmp_path: Path, checkpoint: Path) -> None:
    path = tmp_path / "flipped.pt"
    data = bytearray(checkpoint.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 64] = bytes(64)
    path.write_bytes(bytes(data))
    with pytest.raises(ModelError, match="damaged"):
        load_model(path)


def test_weights_of_another_shape_do_not_pass(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    save_checkpoint(path, {"model": build(SMALL, 5).state_dict()}, HEADER)
    with pytest.raises(ModelError, match="do not fit"):
        load_model(path)
    save_checkpoint(path, {"model": {}}, {**HEADER, "architecture": "resnext"})
    with pytest.raises(ModelError, match="resnext"):
        load_model(path)


def test_header_must_be_whole(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/vidseg.json", json.dumps({"architecture": SMALL}))
    with pytest.raises(ModelError, match="classes, image_size"):
        read_header(path)
    with pytest.raises(ModelError, match="cannot be saved: it has a header without classes"):
        save_checkpoint(path, {"model": {}}, {"architecture": SMALL})
