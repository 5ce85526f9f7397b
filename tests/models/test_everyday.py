"""The network of `everyday`: its parts against plain references, and the predictor around it."""

import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.support.tiny_models import random_images
from vidseg.models.checkpoint import load_model, save_checkpoint
from vidseg.models.everyday._backbone import left_after, taken_by_unit
from vidseg.models.everyday._layers import MaxPool, doubled
from vidseg.models.everyday._mask_branch import grid_points
from vidseg.models.everyday._nms import best_boxes
from vidseg.models.everyday.box_head import BINS, SIDES, OutputConv, boxes_at, by_place
from vidseg.models.everyday.network import Everyday
from vidseg.models.everyday.predictor import EverydayPredictor, PredictorOptions
from vidseg.models.names import COCO_CLASSES, EVERYDAY
from vidseg.models.predictor import load_predictor
from vidseg.structures.instances import Instances

CLASSES = {1: "one", 2: "two", 3: "three"}
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def lively(seed: int = 0) -> Everyday:
    """Random weights, with some places that score high."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Everyday(len(CLASSES) + 1, (96, 160))
        for layer in model.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, a=0.1)
            if isinstance(layer, OutputConv):
                nn.init.normal_(layer.weight, std=0.05)
    return model.eval()


def predictor(model: Everyday | None = None, **options) -> EverydayPredictor:
    return EverydayPredictor(model or lively(), PredictorOptions(CLASSES, **options))


def assert_close(found: Instances, wanted: Instances) -> None:
    np.testing.assert_array_equal(found.labels, wanted.labels)
    np.testing.assert_allclose(found.boxes, wanted.boxes, atol=0.01)
    np.testing.assert_allclose(found.scores, wanted.scores, atol=1e-4)
    assert np.abs(found.masks.astype(int) - wanted.masks).max(initial=0) <= 1


@pytest.mark.parametrize(("half", "units"), [(58, 3), (116, 7), (6, 5)])
def test_channels_are_taken_as_shuffles_would_move_them(half, units):
    def shuffled(passed: list, made: list) -> list:
        return [channel for pair in zip(passed, made, strict=True) for channel in pair]

    def listed(runs) -> set:
        return {(run.source, i) for run in runs for i in range(run.start, run.stop)}

    places = shuffled([(0, i) for i in range(half)], [(1, i) for i in range(half)])
    for unit, runs in enumerate(taken_by_unit(half, units)):
        assert listed(runs) == set(places[half:])
        places = shuffled(places[:half], [(unit + 2, i) for i in range(half)])
    assert listed(left_after(half, units)) == set(places)


def test_boxes_lie_around_their_places():
    outputs = [torch.zeros(1, SIDES, h, w) for h, w in ((4, 6), (2, 3), (1, 2), (1, 1))]
    distances = torch.tensor([[1, 2, 3, 4], [0, 0, 7, 7]])
    logits = 1e4 * nn.functional.one_hot(distances, BINS).flatten(1).float()
    # Place 7 is row 1, column 1 at stride 8; place 26 is row 0, column 2 at stride 16.
    boxes = boxes_at(logits, torch.tensor([7, 26]), outputs)
    assert boxes.tolist() == [[0, -8, 32, 40], [32, 0, 144, 112]]


def test_places_run_row_by_row():
    level = torch.arange(12.0).view(1, 1, 3, 4)
    assert by_place([level, level]).flatten().tolist() == [*range(12), *range(12)]


def test_doubling_undoes_a_halving_of_odd_sizes():
    fine = torch.zeros(1, 2, 17, 9)
    ramp = torch.arange(5.0).view(1, 1, 1, 5).expand(1, 2, 9, 5)
    assert doubled(ramp, fine).shape == fine.shape
    np.testing.assert_allclose(doubled(ramp, fine)[0, 0, 0, 1:-1], np.arange(7) / 2 + 0.25)


@pytest.mark.parametrize("size", [(8, 8), (7, 9), (1, 5)])
def test_max_pooling_is_torchs(size):
    maps = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    wanted = nn.functional.max_pool2d(maps, 3, 2, 1)
    assert torch.equal(MaxPool().eval()(maps), wanted)
    assert torch.equal(MaxPool().train()(maps), wanted)


def test_grid_points_are_the_centres_of_the_cells():
    points = grid_points(torch.tensor([10.0, 0.0, 30.0, 40.0]), (80, 100), 2)
    pixels = (points + 1) / 2 * torch.tensor([100, 80])
    np.testing.assert_allclose(pixels[0, 0], [15, 10], atol=1e-4)
    np.testing.assert_allclose(pixels[1, 0], [15, 30], atol=1e-4)


@pytest.mark.parametrize("size", [(96, 160), (136, 72), (97, 201), (480, 640), (33, 31), (8, 300)])
def test_objects_of_pictures_of_any_size(size):
    [found] = predictor(keep_score=0.3).predict(random_images(size))
    height, width = size
    assert len(found)
    assert found.size == size
    assert np.isfinite(found.boxes).all()
    assert (found.boxes >= 0).all()
    assert (found.boxes <= [width, height, width, height]).all()
    assert (np.diff(found.scores) <= 0).all()
    assert (found.scores > 0.3).all()
    assert set(found.labels.tolist()) <= set(CLASSES)


def test_batches_find_what_single_pictures_do():
    images = random_images((120, 200), (120, 200), (97, 90), (120, 200))
    alone = predictor(keep_score=0.3, batch_size=1).predict(images)
    for found, wanted in zip(
        predictor(keep_score=0.3, batch_size=3).predict(images), alone, strict=True
    ):
        assert_close(found, wanted)


def test_only_the_labels_asked_for():
    [image] = random_images((120, 200))
    [everything] = predictor(keep_score=0.3).predict([image])
    [found] = predictor(keep_score=0.3, labels={2}).predict([image])
    assert len(found)
    assert_close(found, everything[everything.labels == 2])


def test_every_score_is_a_threshold():
    [image] = random_images((120, 200))
    assert len(predictor(keep_score=1.0).predict([image])[0]) == 0
    assert len(predictor(keep_score=0.0).predict([image])[0]) == 100


def test_size_is_the_shorter_side():
    model = lively()
    predictor(model, size=48)
    assert (model.transform.min_size, model.transform.max_size) == ((48,), 80)


def test_reduced_precision_finds_about_the_same():
    [image] = random_images((120, 200))
    [exact] = predictor(keep_score=0.5).predict([image])
    [found] = predictor(keep_score=0.5, precision="bfloat16").predict([image])
    assert found.scores.dtype == np.float32
    assert abs(found.scores[0] - exact.scores[0]) < 0.05
    assert abs(found.masks.mean() - exact.masks.mean()) < 10


def test_a_model_file_gives_the_same_again(tmp_path):
    model, file = lively(), tmp_path / "mine.pt"
    header = {"architecture": EVERYDAY, "classes": CLASSES, "image_size": (96, 160)}
    save_checkpoint(file, {"model": model.state_dict()}, header)
    assert isinstance(load_model(file)[0], Everyday)
    images = random_images((120, 200))
    loaded = load_predictor(file, device="cpu", precision="float32", keep_score=0.3)
    assert_close(loaded.predict(images)[0], predictor(model, keep_score=0.3).predict(images)[0])


def test_the_bundled_file_knows_cocos_classes():
    found = load_predictor("everyday", device="cpu", precision="float32")
    assert found.classes == COCO_CLASSES


def photo(name: str) -> np.ndarray:
    cv2 = pytest.importorskip("cv2")
    path = SHARED / "coco_mini" / "images" / name
    if not path.exists():
        pytest.skip("needs the shared data")
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


def test_the_bundled_model_finds_a_person_and_a_snowboard():
    [found] = load_predictor("everyday", device="cpu").predict([photo("000000343937.jpg")])
    assert COCO_CLASSES[int(found.labels[0])] == "person"
    assert found.scores[0] > 0.5
    assert 0.2 < found.masks[0].mean() / 255 < 0.7


def test_the_detector_is_nanodets(monkeypatch):
    """Against the runtime that the published weights are for, on 20 photos."""
    ncnn = pytest.importorskip("ncnn")
    files = [SHARED / f"weights_everyday/nanodet-plus-coco-416.{end}" for end in ("param", "bin")]
    if not files[0].exists():
        pytest.skip("needs the shared data")
    monkeypatch.syspath_prepend(EXAMPLES)
    model = importlib.import_module("ncnn_weights").nanodet_plus(*files, (416, 416)).eval()
    runtime = ncnn.Net()
    runtime.opt.use_fp16_packed = runtime.opt.use_fp16_storage = False
    runtime.opt.use_fp16_arithmetic = False
    runtime.opt.num_threads = 1
    runtime.load_param(str(files[0]))
    runtime.load_model(str(files[1]))
    columns = torch.tensor(sorted(COCO_CLASSES)) - 1
    for path in sorted((SHARED / "coco_mini/images").iterdir())[:20]:
        bgr = normalised(photo(path.name))
        extractor = runtime.create_extractor()
        extractor.input("data", ncnn.Mat(bgr))
        theirs = torch.from_numpy(np.array(extractor.extract("output")[1]))
        with torch.inference_mode():
            maps = model(torch.from_numpy(bgr[None, ::-1].copy()))
            ours = by_place(maps.outputs)[0]
            places = torch.arange(len(ours))
            boxes = boxes_at(ours[:, -SIDES:], places, maps.outputs)
            their_boxes = boxes_at(theirs[:, -SIDES:], places, maps.outputs)
        np.testing.assert_allclose(ours[:, columns].sigmoid(), theirs[:, :-SIDES], atol=1e-3)
        np.testing.assert_allclose(boxes, their_boxes, atol=0.1)


def normalised(image: np.ndarray) -> np.ndarray:
    """(3, 416, 416) float32 BGR, as NanoDet-Plus takes it."""
    cv2 = pytest.importorskip("cv2")
    mean, std = np.array([103.53, 116.28, 123.675]), np.array([57.375, 57.12, 58.395])
    small = cv2.resize(image, (416, 416))[..., ::-1]
    return np.ascontiguousarray(((small - mean) / std).transpose(2, 0, 1), np.float32)


def test_boxes_are_suppressed_as_torchvision_does_it():
    from torchvision.ops import batched_nms

    numbers = torch.Generator().manual_seed(0)
    corners = 100 * torch.rand(300, 2, generator=numbers)
    boxes = torch.cat((corners, corners + 40 * torch.rand(300, 2, generator=numbers)), 1)
    scores, labels = torch.rand(300, generator=numbers), torch.arange(300) % 3
    for iou in (0.1, 0.6):
        wanted = batched_nms(boxes, scores, labels, iou)
        assert best_boxes(boxes, scores, labels, iou).tolist() == wanted.tolist()
    assert best_boxes(boxes[:0], scores[:0], labels[:0], 0.6).tolist() == []


def test_it_finds_objects_without_torchvision():
    """Its import takes a second and 170 MB."""
    code = (
        "import sys, numpy; from vidseg import load_predictor;"
        "image = numpy.zeros((90, 160, 3), numpy.uint8);"
        "load_predictor('everyday', device='cpu').predict([image]);"
        "print('torchvision' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
