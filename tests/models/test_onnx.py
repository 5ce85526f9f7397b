"""What ONNX Runtime finds with exported networks is what torch finds."""

import json
import logging
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.support.commands import ROOT, fails, run
from vidseg.models import onnx_export
from vidseg.models.inference.detections import unpack
from vidseg.models.inference.forward import BoxFilter, run_network
from vidseg.models.inference.optimize import optimize
from vidseg.models.predictor import load_network, load_predictor
from vidseg.structures.frame import Image
from vidseg.structures.instances import Instances

PHOTO = ROOT / "examples" / "balloons.jpg"


def test_a_command_needs_detections_and_a_format_or_a_model_and_onnx(tmp_path: Path) -> None:
    for words in ([], ["--onnx", "--format", "coco"]):
        sentence = fails("export", *words, "everyday", tmp_path / "out", code=2)
        assert "--format for detections, or --onnx for a model" in sentence


def test_an_unknown_model_and_standard_output_are_refused(tmp_path: Path) -> None:
    assert "evryday" in fails("export", "--onnx", "evryday", tmp_path / "out", code=2)
    assert "a folder" in fails("export", "--onnx", "everyday", "-", code=2)


def test_missing_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_export, "NEEDED_MODULES", ("no_such_module",))
    sentence = fails("export", "--onnx", "everyday", tmp_path / "out")
    assert "needs no_such_module; pip install 'vidseg[onnx]'" in sentence
    assert not (tmp_path / "out").exists()


def test_the_programs_own_choice_of_logs_is_kept() -> None:
    logging.disable(logging.ERROR)
    try:
        with onnx_export._quiet():
            assert logging.root.manager.disable == logging.ERROR
        assert logging.root.manager.disable == logging.ERROR
    finally:
        logging.disable(logging.NOTSET)


def writes(test: Any) -> Any:
    """Writing the networks takes torch half a minute, and much more on a busy machine."""
    return pytest.mark.slow(pytest.mark.timeout(1800)(test))


@pytest.fixture(scope="module")
def everyday(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `vidseg export --onnx everyday`."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    folder = tmp_path_factory.mktemp("onnx") / "everyday"
    done = run("export", "--onnx", "everyday", folder)
    assert done.exit_code == 0, done.output
    assert done.stdout == ""
    return folder


def photo() -> Image:
    image = cv2.imread(str(PHOTO))
    assert image is not None
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def images() -> list[Image]:
    """Of three shapes; the first two at once go through the network at one size."""
    whole = photo()
    return [whole, whole[::-1].copy(), whole[:, :300].copy(), whole[:100, ::2].copy()]


def assert_same(found: Instances, expected: Instances) -> None:
    assert len(found) == len(expected)
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-3)
    np.testing.assert_allclose(found.boxes, expected.boxes, atol=0.5)
    difference = np.abs(found.masks.astype(int) - expected.masks)
    assert (difference > 8).mean() < 0.005


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    import onnx_everyday  # pyright: ignore[reportMissingImports]

    return onnx_everyday


@writes
def test_everyday_finds_the_same_objects_without_torch(everyday: Path, example: Any) -> None:
    without = example.OnnxEveryday(everyday, keep_score=0.1, threads=1)
    predictor = load_predictor("everyday", device="cpu", precision="float32", keep_score=0.1)
    assert without.input_size == predictor.input_size
    assert without.classes == predictor.classes
    expected = predictor.predict(images())
    assert sum(map(len, expected)) > 10
    for found, wanted in zip(without.predict(images()), expected, strict=True):
        assert_same(found, wanted)


@writes
def test_the_heads_take_any_number_of_images(everyday: Path) -> None:
    import onnxruntime  # pyright: ignore[reportMissingImports]

    session = onnxruntime.InferenceSession(everyday / "heads.onnx")
    pixels = np.random.default_rng(0).normal(size=(3, 3, 104, 64)).astype(np.float32)
    together = session.run(None, {"images": pixels})
    for place in range(3):
        alone = session.run(None, {"images": pixels[place : place + 1]})
        for one, many in zip(alone, together, strict=True):
            np.testing.assert_allclose(one[0], many[place], atol=1e-4)


@writes
def test_the_example_serves_photos(everyday: Path, example: Any) -> None:
    server = example.serve(example.OnnxEveryday(everyday, keep_score=0.2, threads=1), 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        assert server.server_address[0] == "127.0.0.1"
        url = f"http://127.0.0.1:{server.server_port}/"
        with urllib.request.urlopen(urllib.request.Request(url, PHOTO.read_bytes())) as reply:
            objects = json.load(reply)
        assert objects
        assert set(objects[0]) == {"class", "score", "box", "mask"}
        with pytest.raises(urllib.error.HTTPError, match="This is no photo"):
            urllib.request.urlopen(urllib.request.Request(url, b"no photo"))
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class OnRuntime(nn.Module):
    """Runs an ONNX file in place of a torch module."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        import onnxruntime  # pyright: ignore[reportMissingImports]

        self.session = onnxruntime.InferenceSession(path)
        self.precision = nn.Parameter(torch.zeros(1), requires_grad=False)

    def run(self, values: Tensor) -> dict[str, Tensor]:
        (given,) = self.session.get_inputs()
        names = [output.name for output in self.session.get_outputs()]
        arrays = self.session.run(names, {given.name: np.ascontiguousarray(values)})
        return dict(zip(names, map(torch.from_numpy, arrays), strict=True))


class Heads(OnRuntime):
    """Backbone of a Mask R-CNN, and the head of its RPN."""

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        self.values = self.run(images)
        return self.named("features")

    def named(self, kind: str) -> dict[str, Tensor]:
        return {k.removeprefix(kind): v for k, v in self.values.items() if k.startswith(kind)}


class RPNHead(nn.Module):
    def __init__(self, heads: Heads) -> None:
        super().__init__()
        self.heads = heads

    def forward(self, _: list[Tensor]) -> tuple[list[Tensor], ...]:
        return tuple(list(self.heads.named(kind).values()) for kind in ("objectness", "deltas"))


class Boxes(OnRuntime):
    def forward(self, regions: Tensor) -> tuple[Tensor, Tensor]:
        found = self.run(regions)
        return found["logits"], found["deltas"]


class Masks(OnRuntime):
    def forward(self, regions: Tensor) -> Tensor:
        return self.run(regions)["logits"]


@writes
def test_mask_rcnn_finds_the_same_objects(tmp_path: Path) -> None:
    """With our post-processing around the three networks."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    onnx_export.export_onnx("balloon", tmp_path / "balloon")
    network: Any = load_network("balloon")
    model = optimize(network, torch.device("cpu"), torch.float32)
    box_filter = BoxFilter(0.1, torch.tensor([1]), 100)
    pixels = torch.from_numpy(np.stack([photo(), photo()[::-1]]))
    with torch.inference_mode():
        expected = unpack(run_network(model, pixels, box_filter).numpy())
        model.backbone = Heads(tmp_path / "balloon" / "heads.onnx")
        model.rpn.head = RPNHead(model.backbone)
        heads: Any = model.roi_heads
        heads.box_head = heads.mask_head = nn.Identity()
        heads.box_predictor = Boxes(tmp_path / "balloon" / "boxes.onnx")
        heads.mask_predictor = Masks(tmp_path / "balloon" / "masks.onnx")
        found = unpack(run_network(model, pixels, box_filter).numpy())
    assert set(expected["images"]) == {0, 1}
    np.testing.assert_array_equal(found["images"], expected["images"])
    np.testing.assert_allclose(found["scores"], expected["scores"], atol=1e-3)
    np.testing.assert_allclose(found["boxes"], expected["boxes"], atol=0.5)
    assert (np.abs(found["masks"].astype(int) - expected["masks"]) > 8).mean() < 0.005
