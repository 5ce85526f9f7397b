"""The predictor against torchvision's `model(images)`, and what it does when memory runs out."""

import logging
import re
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.roi_heads import paste_masks_in_image
from torchvision.ops import FrozenBatchNorm2d

from tests.support.planted_objects import planted
from tests.support.tiny_models import random_images, tiny_maskrcnn, torchvision_finds
from vidseg.errors import FrameError, OptionError, VidsegError
from vidseg.models.architectures import build
from vidseg.models.device import resolve_device
from vidseg.models.inference.predictor import MaskRCNNPredictor, PredictorOptions
from vidseg.models.inference.preprocess import network_size
from vidseg.models.memory import auto_batch_size
from vidseg.models.precision import resolve_precision
from vidseg.models.predictor import load_predictor
from vidseg.structures.instances import Instances

CLASSES = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five"}

NORMS = torch.nn.BatchNorm2d | FrozenBatchNorm2d

SIZES = [(120, 200), (97, 201), (201, 97), (64, 64), (480, 640), (31, 33), (8, 300)]


def predictor(model: MaskRCNN, **options) -> MaskRCNNPredictor:
    options = {"keep_score": model.roi_heads.score_thresh, **options}
    return MaskRCNNPredictor(deepcopy(model), PredictorOptions(CLASSES, **options))


def assert_equal(found: Instances, wanted: dict[str, np.ndarray]) -> None:
    """But for rounding; boxes held inside the frame, which torchvision's leave by a bit of it."""
    height, width = found.size
    boxes = wanted["boxes"].clip(0, np.array([width, height, width, height], np.float32))
    np.testing.assert_array_equal(found.labels, wanted["labels"])
    np.testing.assert_allclose(found.boxes, boxes, rtol=0, atol=0.01)
    np.testing.assert_allclose(found.scores, wanted["scores"], rtol=0, atol=1e-4)


def assert_close(found: Instances, wanted: Instances) -> None:
    np.testing.assert_array_equal(found.labels, wanted.labels)
    np.testing.assert_allclose(found.boxes, wanted.boxes, atol=1e-3)
    np.testing.assert_allclose(found.scores, wanted.scores, atol=1e-5)
    assert np.abs(found.masks.astype(int) - wanted.masks).max(initial=0) <= 1


@pytest.mark.parametrize("size", SIZES)
def test_one_image_equals_torchvision(size):
    model = tiny_maskrcnn()
    torchvision_finds(
        model, random_images((64, 64))
    )  # a thin picture alone would mislead its pools
    [image] = random_images(size)
    [found] = predictor(model).predict([image])
    [wanted] = torchvision_finds(model, [image])
    assert len(found) == 100
    assert found.size == size
    assert_equal(found, wanted)


@pytest.mark.parametrize("name", ["maskrcnn_resnet50_fpn_v2", "maskrcnn_mobilenet_v3_large_fpn"])
def test_real_architectures_equal_torchvision(name):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = build(name, len(CLASSES) + 1, image_size=(64, 96)).eval()
    [image] = random_images((90, 120))
    [found] = predictor(model).predict([image])
    assert len(found) > 10
    assert_equal(found, torchvision_finds(model, [image])[0])


@pytest.mark.parametrize("seed", range(4))
def test_score_threshold_and_few_detections_equal_torchvision(seed):
    model = tiny_maskrcnn(seed=seed, score_thresh=0.3, detections=1000)
    [image] = random_images((120, 200), seed=seed)
    [found] = predictor(model).predict([image])
    [wanted] = torchvision_finds(model, [image])
    assert 0 < len(found) < 1000
    assert_equal(found, wanted)


def test_many_candidates_take_torchvisions_other_way_of_suppression():
    # Above 1000 boxes torchvision's batched_nms goes class by class.
    model = tiny_maskrcnn(proposals=500)
    [image] = random_images((120, 200))
    [found] = predictor(model).predict([image])
    assert_equal(found, torchvision_finds(model, [image])[0])


@pytest.mark.parametrize("batch_size", [1, 2, 3, 5, 8])
def test_batches_equal_torchvision_on_the_same_batches(batch_size):
    model = tiny_maskrcnn()
    images = random_images(*[(120, 200)] * 5)
    found = predictor(model, batch_size=batch_size).predict(images)
    wanted = [
        one
        for start in range(0, 5, batch_size)
        for one in torchvision_finds(model, images[start : start + batch_size])
    ]
    for mine, theirs in zip(found, wanted, strict=True):
        assert_equal(mine, theirs)


def test_batch_size_changes_no_more_than_rounding():
    model = tiny_maskrcnn(detections=20)
    images = random_images(*[(120, 200)] * 5)
    alone = predictor(model, batch_size=1).predict(images)
    together = predictor(model, batch_size=4).predict(images)
    for one, other in zip(together, alone, strict=True):
        assert_close(one, other)


def test_mixed_sizes_give_each_image_its_own_result_in_order():
    model = tiny_maskrcnn()
    images = random_images(*SIZES, SIZES[0], SIZES[2])
    found = predictor(model, batch_size=1).predict(images)
    together = predictor(model, batch_size=8).predict(images)
    for image, one, other in zip(images, found, together, strict=True):
        assert_equal(one, torchvision_finds(model, [image])[0])
        np.testing.assert_allclose(other.scores, one.scores, atol=1e-5)
        assert other.size == image.shape[:2]


def test_masks_pasted_agree_with_torchvision():
    model = tiny_maskrcnn(detections=30)
    [image] = random_images((120, 200))
    [found] = predictor(model).predict([image])
    [wanted] = torchvision_finds(model, [image])
    soft = torch.from_numpy(found.masks)[:, None].float() / 255
    pasted = paste_masks_in_image(soft, torch.from_numpy(wanted["boxes"]), image.shape[:2]).numpy()
    assert found.masks.shape == (30, 28, 28)
    assert wanted["masks"].max() > 0.8
    np.testing.assert_allclose(pasted, wanted["masks"], atol=1 / 510 + 1e-5)


@pytest.mark.parametrize("labels", [{2}, {1, 4}, {5, 3, 1}])
def test_wanted_classes_equal_torchvision_filtered_without_its_cut(labels):
    model = tiny_maskrcnn()
    uncut = tiny_maskrcnn(detections=100_000)
    images = random_images((120, 200), (201, 97))
    for image, found in zip(images, predictor(model, labels=labels).predict(images), strict=True):
        [wanted] = torchvision_finds(uncut, [image])
        rows = np.flatnonzero(np.isin(wanted["labels"], list(labels)))[:100]
        assert len(rows)
        assert_equal(found, {name: value[rows] for name, value in wanted.items()})


def test_higher_keep_score_gives_the_first_rows():
    model = tiny_maskrcnn()
    [image] = random_images((120, 200))
    [everything] = predictor(model).predict([image])
    [some] = predictor(model, keep_score=0.6).predict([image])
    assert 0 < len(some) < len(everything)
    assert_close(some, everything[everything.scores > 0.6])


def test_mask_head_sees_the_chosen_objects_alone():
    model = tiny_maskrcnn()
    seen = []
    model.get_submodule("roi_heads.mask_head").register_forward_hook(
        lambda _, args, __: seen.append(len(args[0]))
    )
    [found] = predictor(model, labels={5}, keep_score=0.2).predict(random_images((120, 200)))
    assert 0 < len(found) < 100
    assert seen == [len(found)]
    predictor(model, keep_score=1.0).predict(random_images((120, 200)))
    assert len(seen) == 1


def test_pictures_of_another_kind_are_refused_with_what_to_do():
    [image] = random_images((40, 60))
    finder = predictor(tiny_maskrcnn())
    assert finder.predict([image])[0].names == finder.classes
    with pytest.raises(FrameError, match=r"got \(40, 60, 3\) float64; scale it from 0\.\.1"):
        finder.predict([image, image / 255])  # pyright: ignore[reportArgumentType]
    with pytest.raises(FrameError, match="leave the alpha channel out"):
        finder.predict([np.dstack([image, image[..., 0]])])


def test_nothing_found():
    found = predictor(tiny_maskrcnn(), keep_score=1.0, batch_size=2).predict(
        random_images((120, 200), (120, 200), (64, 64))
    )
    assert [(len(one), one.size) for one in found] == [(0, (120, 200))] * 2 + [(0, (64, 64))]
    assert predictor(tiny_maskrcnn()).predict([]) == []


def test_boxes_stay_inside_the_frame_where_torchvisions_leave_it():
    # 480 -> 800 -> 480 in float32 gives 480.00003.
    model = tiny_maskrcnn(image_size=(800, 1333))
    shift = model.get_parameter("roi_heads.box_predictor.bbox_pred.bias")
    shift.data.fill_(20.0)  # boxes larger than the frame
    images = random_images((480, 640))
    [wanted] = torchvision_finds(model, images)
    [found] = predictor(model).predict(images)
    assert wanted["boxes"][:, 3].max() > 480
    assert found.boxes[:, 3].max() == 480
    assert_equal(found, wanted)


def test_a_thin_first_image_does_not_spoil_the_next():
    # RoI pools keep the strides inferred at their first call; torchvision infers 1/2, not 1/4.
    thin, image = random_images((5, 400), (120, 200))
    used = predictor(tiny_maskrcnn())
    used.predict([thin])
    [found] = used.predict([image])
    assert_equal(found, torchvision_finds(tiny_maskrcnn(), [image])[0])


def test_any_memory_layout_of_an_image():
    model = predictor(tiny_maskrcnn())
    [image] = random_images((120, 200))
    [wanted] = model.predict([image])
    view = np.flip(np.flip(image, 2).copy(), 2)
    frozen = image.copy()
    frozen.setflags(write=False)
    for other in (view, frozen):
        np.testing.assert_array_equal(model.predict([other])[0].boxes, wanted.boxes)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_reduced_precision_finds_the_same_at_nearly_the_same_places(batch_size):
    model = tiny_maskrcnn()
    images = random_images(*[(120, 200)] * 3)
    exact = predictor(model, keep_score=0.5).predict(images)
    fast = predictor(model, keep_score=0.4, precision="bfloat16", batch_size=batch_size)
    assert fast.precision is torch.bfloat16
    for found, wanted in zip(fast.predict(images), exact, strict=True):
        assert found.boxes.dtype == found.scores.dtype == np.float32
        near = np.abs(found.boxes[:, None] - wanted.boxes).max(2) < 1.5
        near &= found.labels[:, None] == wanted.labels
        rows = near.argmax(0)[near.any(0)]
        assert len(rows) >= 0.9 * len(wanted) > 5
        shift = np.abs(found.masks[rows].astype(int) - wanted.masks[near.any(0)])
        assert shift.mean() < 8


def test_reduced_precision_looks_at_fewer_boxes(monkeypatch):
    seen = []
    monkeypatch.setattr("vidseg.models.inference.predictor.MAX_PROPOSALS_REDUCED_PRECISION", 20)
    for precision in ("float32", "bfloat16"):
        mine = predictor(tiny_maskrcnn(), precision=precision)
        mine._model.get_submodule("roi_heads.box_head").register_forward_hook(
            lambda _, args, __: seen.append(len(args[0]))
        )
        mine.predict(random_images((120, 200)))
    assert seen == [60, 20]


@pytest.mark.parametrize("name", ["maskrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn_v2"])
def test_planted_objects_are_found_by_both(name):
    """With batch norms that do something, of both kinds, and in the pyramid and the box head."""
    [image] = random_images((90, 120))
    picture = torch.from_numpy(image).permute(2, 0, 1) / 255
    model = planted(name, 5, picture=picture, image_size=(96, 128))
    rpn: Any = model.rpn
    rpn._post_nms_top_n["testing"] = 50  # a slow machine takes minutes for torchvision's 1000
    [wanted] = torchvision_finds(model, [image])
    names = {label: str(label) for label in range(1, 91)}
    for precision, batch_size in (("float32", 1), ("bfloat16", 2)):
        options = PredictorOptions(
            names, precision=precision, batch_size=batch_size, keep_score=0.05
        )
        mine = MaskRCNNPredictor(deepcopy(model), options)
        found, again = mine.predict([image, image])
        assert len(found) == len(again) == len(wanted["scores"]) == 5
        if precision == "float32":
            order = found.labels.argsort()
            boxes = wanted["boxes"][wanted["labels"].argsort()]
            np.testing.assert_allclose(found.boxes[order], boxes, rtol=0, atol=0.02)
        assert not any(isinstance(m, NORMS) for m in mine._model.modules())


def test_pooling_that_adapts_is_torchvisions_own():
    model = tiny_maskrcnn()
    pool: Any = model.get_submodule("roi_heads.box_roi_pool")
    pool.sampling_ratio = 0
    [image] = random_images((120, 200))
    [found] = predictor(model).predict([image])
    assert_equal(found, torchvision_finds(model, [image])[0])


@pytest.mark.parametrize(
    ("has", "precision"),
    [
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": True, "avx512_bf16": False}, torch.bfloat16),
        ({"avx512_f": True}, torch.float32),
        ({}, torch.float32),
    ],
)
def test_auto_precision_on_the_cpu(monkeypatch, has, precision):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has, raising=False)
    assert resolve_precision("auto", torch.device("cpu")) is precision


@pytest.mark.parametrize(
    ("limit", "precision"),
    [("AVX2", torch.float32), ("avx512_core", torch.float32), ("AVX512_CORE_BF16", torch.bfloat16)],
)
def test_auto_precision_where_onednn_is_limited(monkeypatch, limit, precision):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True}, raising=False)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    assert resolve_precision("auto", torch.device("cpu")) is precision


def test_the_machine_is_told_with_verbose(caplog):
    with caplog.at_level(logging.INFO, logger="vidseg"):
        load_predictor("balloon", precision="float32")
    assert re.search(r"The model balloon runs on \d+ CPU cores \(.+\) in float32", caplog.text)


@pytest.mark.parametrize(
    ("capability", "precision"), [((9, 0), torch.float16), ((6, 1), torch.float32)]
)
def test_auto_precision_on_cuda(monkeypatch, capability, precision):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    assert resolve_precision("auto", torch.device("cuda", 0)) is precision


def test_size_is_the_shorter_side_and_the_longest_follows():
    mine = predictor(tiny_maskrcnn(image_size=(96, 160)), size=48)
    assert network_size(mine._model, (120, 160)) == (48, 64)
    assert network_size(mine._model, (100, 400)) == (20, 80)
    [image] = random_images((120, 200))
    wanted = torchvision_finds(tiny_maskrcnn(image_size=(48, 80)), [image])[0]
    assert_equal(mine.predict([image])[0], wanted)


def test_frames_at_once_fill_the_cores_that_torch_leaves(monkeypatch):
    mine = predictor(tiny_maskrcnn())
    monkeypatch.setattr("vidseg.cpu_budget.cores", lambda: 8)
    for threads, frames in ((8, 1), (4, 2), (1, 4)):
        monkeypatch.setattr(torch, "get_num_threads", lambda count=threads: count)
        assert mine.batches_at_once == frames
        assert predictor(tiny_maskrcnn(), batch_size=4).batches_at_once == 1


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_frames_at_once_change_nothing(precision):
    mine = predictor(tiny_maskrcnn(), precision=precision)
    images = random_images(*[(90, 120)] * 12)
    alone = [mine.predict([image])[0] for image in images]
    with ThreadPoolExecutor(4) as pool:
        several = list(pool.map(lambda image: mine.predict([image])[0], images))
    for one, other in zip(alone, several, strict=True):
        np.testing.assert_array_equal(one.boxes, other.boxes)
        np.testing.assert_array_equal(one.masks, other.masks)


def test_no_global_state_is_touched():
    threads, state = torch.get_num_threads(), torch.random.get_rng_state()
    predictor(tiny_maskrcnn()).predict(random_images((64, 64)))
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.random.get_rng_state(), state)


ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 5 bytes"),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 5 bytes."),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"),
    RuntimeError("MPS backend out of memory (MPS allocated: 1.00 GB)"),
    MemoryError(),
]


def cpu_out_of_memory() -> RuntimeError:
    """What torch really raises here: no address space holds 2**50 bytes."""
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 50, dtype=torch.uint8)
    return caught.value


def holding(images: int, error: Exception) -> MaskRCNN:
    """A model on a device whose memory holds so many images."""

    def check(_, args) -> None:
        if len(args[0]) > images:
            raise error

    model = tiny_maskrcnn(detections=20)
    model.backbone.register_forward_pre_hook(check)
    return model


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: str(error)[:30])
def test_a_batch_too_big_is_halved_and_retried(error, caplog):
    images = random_images(*[(120, 200)] * 7)
    small = predictor(holding(2, error), batch_size=5)
    with caplog.at_level(logging.WARNING, logger="vidseg"):
        found = small.predict(images)
        small.predict(images)
    assert [record.getMessage() for record in caplog.records] == [
        "A batch of 5 frames does not fit in the memory of cpu; going on with 2."
    ]
    assert small.batch_size == 2
    wanted = predictor(tiny_maskrcnn(detections=20), batch_size=1).predict(images)
    for one, other in zip(found, wanted, strict=True):
        assert_close(one, other)


def test_one_image_too_big_is_an_error_that_says_what_to_do():
    with pytest.raises(VidsegError, match=r"cpu does not hold .* 200x120; .*`model`") as caught:
        predictor(holding(0, cpu_out_of_memory()), batch_size=4).predict(
            random_images(*[(120, 200)] * 4)
        )
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_a_model_too_big_is_an_error_that_says_what_to_do(monkeypatch):
    model = tiny_maskrcnn()

    def full(*_: object) -> MaskRCNN:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(model, "to", full)
    with pytest.raises(VidsegError, match="does not hold the model"):
        predictor(model)


def test_other_errors_pass_through():
    with pytest.raises(RuntimeError, match="shapes do not match"):
        predictor(holding(0, RuntimeError("shapes do not match"))).predict(random_images((64, 64)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keep_score": 7}, "score 7 is outside 0 to 1"),
        ({"keep_score": -0.1}, "score -0.1"),
        ({"keep_score": float("nan")}, "score nan"),
        ({"labels": [6]}, "no class with the label 6"),
        ({"labels": [0]}, "no class with the label 0"),
        ({"batch_size": 0}, "batch size 0"),
        ({"precision": "int8"}, "no precision 'int8'"),
        ({"precision": "float16"}, "float16 is for GPUs, .*; use `precision='auto'`"),
        ({"size": 8}, "size 8 is too small"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(OptionError, match=message):
        predictor(tiny_maskrcnn(), **options)


def test_classes_are_the_models_whatever_is_looked_for():
    assert predictor(tiny_maskrcnn(), labels={2}).classes == CLASSES


def test_auto_batch_size(monkeypatch):
    model = tiny_maskrcnn(image_size=(800, 1333))
    assert auto_batch_size(model, torch.device("cpu")) == 1
    for free, size in ((1 << 28, 1), (5 << 30, 2), (140 << 30, 8)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _, free=free: (free, free))
        assert auto_batch_size(model, torch.device("cuda", 0)) == size


def test_device_by_name(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert resolve_device("auto") == resolve_device("cpu") == torch.device("cpu")
    for name in ("gpu", "cuda:", "cuda:-1", "CPU", "", "cpu:1"):
        with pytest.raises(OptionError, match="There is no device"):
            resolve_device(name)
    with pytest.raises(VidsegError, match="no NVIDIA GPU; use `device='cpu'`"):
        resolve_device("cuda:0")
    with pytest.raises(VidsegError, match="no Apple GPU"):
        resolve_device("mps")


def test_cuda_devices_by_number(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("auto") == resolve_device("cuda") == torch.device("cuda", 0)
    assert resolve_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(VidsegError, match=r"cuda:2 is not there: .* GPUs cuda:0 to cuda:1"):
        resolve_device("cuda:2")
