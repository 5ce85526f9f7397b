"""The predictor on an NVIDIA GPU; without one, what of it can be seen on a CPU."""

import os
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy

import numpy as np
import pytest
import torch
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.transform import resize_boxes

from tests.support.tiny_models import random_images, tiny_maskrcnn
from vidseg.models.inference.predictor import MaskRCNNPredictor, PredictorOptions
from vidseg.models.precision import exact_float32
from vidseg.structures.instances import Instances

CLASSES = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five"}


def predictor(model: MaskRCNN, **options) -> MaskRCNNPredictor:
    options = {"keep_score": model.roi_heads.score_thresh, **options}
    if "device" in options:
        options["device"] = torch.device(options["device"])
    return MaskRCNNPredictor(deepcopy(model), PredictorOptions(CLASSES, **options))


def assert_same(found: Instances, wanted: Instances, *, atol: float = 0) -> None:
    np.testing.assert_array_equal(found.labels, wanted.labels)
    np.testing.assert_allclose(found.scores, wanted.scores, rtol=0, atol=atol)
    np.testing.assert_allclose(found.boxes, wanted.boxes, rtol=0, atol=100 * atol)
    assert np.abs(found.masks.astype(int) - wanted.masks).max(initial=0) <= (1 if atol else 0)


def test_busy_share_counts_overlapping_work_once():
    from tests.benchmarks.gpu import busy_share

    assert busy_share([(0, 4), (1, 2), (3, 6), (8, 10)]) == 0.8
    assert busy_share([]) == 0


def need_cuda() -> None:
    if not torch.cuda.is_available():
        assert not os.environ.get("FAIL_WITHOUT_CUDA"), "no GPU"
        pytest.skip("no NVIDIA GPU")


@pytest.mark.parametrize("frame", [(1080, 1920), (333, 501)])
def test_boxes_grow_as_torchvisions_to_the_bit(frame):
    boxes = torch.rand(100, 4, generator=torch.Generator().manual_seed(0)) * 800
    down, across = np.divide(frame, (799, 1333), dtype=np.float32).tolist()
    ours = torch.stack([boxes[:, i] * (across, down)[i % 2] for i in range(4)], dim=1)
    assert torch.equal(ours, resize_boxes(boxes, [799, 1333], list(frame)))


def test_convolutions_of_float32_are_not_rounded_and_the_setting_is_put_back():
    cudnn = torch.backends.cudnn
    before = cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32
    with exact_float32(torch.float32, torch.device("cuda", 0)):
        inside = cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32
    assert inside == (*before[:3], False)
    assert (cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32) == before
    for dtype, place in ((torch.float16, "cuda"), (torch.float32, "cpu")):
        with exact_float32(dtype, torch.device(place)):
            assert cudnn.allow_tf32 == before[3]


def threads_agree(device: str) -> None:
    images = random_images(*[(120, 200)] * 6)
    model = predictor(tiny_maskrcnn(), device=device, batch_size=2)
    wanted = model.predict(images)
    with ThreadPoolExecutor(2) as pool:
        for found in pool.map(model.predict, [images] * 20):
            for one, other in zip(found, wanted, strict=True):
                assert_same(one, other, atol=0 if device == "cpu" else 1e-4)


def test_two_threads_may_predict_at_once():
    threads_agree("cpu")


@pytest.mark.needs_cuda
def test_two_threads_may_predict_at_once_on_cuda():
    need_cuda()
    threads_agree("cuda")


@pytest.mark.needs_cuda
def test_float32_on_cuda_is_exact():
    need_cuda()
    images = random_images(*[(120, 200)] * 3)
    model = tiny_maskrcnn(detections=20)
    found = predictor(model, device="cuda", batch_size=3).predict(images)
    for one, other in zip(found, predictor(model).predict(images), strict=True):
        assert_same(one, other, atol=1e-4)


@pytest.mark.needs_cuda
@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_reduced_precision_on_cuda_finds_nearly_all(precision):
    need_cuda()
    model, images = tiny_maskrcnn(), random_images(*[(120, 200)] * 3)
    exact = predictor(model, keep_score=0.5).predict(images)
    fast = predictor(model, keep_score=0.4, precision=precision, device="cuda", batch_size=2)
    for found, wanted in zip(fast.predict(images), exact, strict=True):
        near = np.abs(found.boxes[:, None] - wanted.boxes).max(2) < 1.5
        assert (near & (found.labels[:, None] == wanted.labels)).any(0).mean() >= 0.9


@pytest.mark.needs_cuda
def test_cuda_agrees_with_the_cpu():
    need_cuda()
    images = random_images(*[(120, 200)] * 3, (201, 97))
    on_cpu = predictor(tiny_maskrcnn(detections=20)).predict(images)
    on_gpu = predictor(tiny_maskrcnn(detections=20), device="cuda", batch_size=2).predict(images)
    for one, other in zip(on_gpu, on_cpu, strict=True):
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-2)
