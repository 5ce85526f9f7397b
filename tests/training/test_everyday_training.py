"""Training of `everyday`: who learns what, the losses, rows for new classes, and whole runs."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import vidseg
from tests.support.training_doubles import CLASSES, StopAt, Toys
from vidseg.errors import OptionError
from vidseg.models.architectures import EVERYDAY
from vidseg.models.checkpoint import load_model, load_state
from vidseg.models.everyday.box_head import BINS, SIDES, OutputConv
from vidseg.models.everyday.network import Everyday
from vidseg.models.predictor import load_predictor
from vidseg.training._everyday_losses import (
    assign,
    distance_loss,
    everyday_losses,
    ious_of_pairs,
    mask_loss,
    quality_focal_loss,
)
from vidseg.training._learner import Learner
from vidseg.training.initial_weights import (
    UNUSED_LOGIT,
    InitialWeights,
    load_initial_weights,
    make_model,
)
from vidseg.training.loop import Outcome, TrainCallbacks
from vidseg.training.settings import TrainOptions, resolve_settings
from vidseg.training.training_sample import from_item, to_sample

POINTS = torch.tensor([[x, 8.0] for x in range(0, 64, 8)])
LEFT, RIGHT = [1.0, 1.0, 31.0, 15.0], [33.0, 1.0, 63.0, 15.0]


# --- who learns what ----------------------------------------------------------------------------


def test_places_in_an_object_learn_it() -> None:
    truth = torch.tensor([LEFT, RIGHT])
    boxes = truth.repeat_interleave(4, 0)
    places, objects = assign(torch.zeros(8, 2), boxes, POINTS, truth)
    # The places at x = 0 and 32 lie outside of both objects.
    assert places.tolist() == [1, 2, 3, 5, 6, 7]
    assert objects.tolist() == [0, 0, 0, 1, 1, 1]


def test_as_many_places_learn_as_the_sum_of_ious_says_and_the_best_first() -> None:
    truth = torch.tensor([LEFT])
    boxes = torch.tensor(LEFT).repeat(8, 1)
    boxes[1, 2], boxes[3, 2] = 11, 10  # IoUs of about 1/3
    places, _ = assign(torch.zeros(8, 1), boxes, POINTS, truth)
    assert places.tolist() == [2]
    scores = torch.zeros(8, 1)
    scores[1] = 9  # a high score makes up for nothing: the box does not fit
    assert assign(scores, boxes, POINTS, truth)[0].tolist() == [2]


def test_a_place_that_two_objects_want_goes_to_the_better_fitting() -> None:
    truth = torch.tensor([[1.0, 1, 31, 15], [1.0, 1, 31, 31]])
    boxes = truth[[0, 0, 1, 1, 0, 0, 0, 0]]
    places, objects = assign(torch.zeros(8, 2), boxes, POINTS, truth)
    assert dict(zip(places.tolist(), objects.tolist(), strict=True)) == {1: 0, 2: 1, 3: 1}


def test_nothing_to_learn() -> None:
    for truth in (torch.zeros(0, 4), torch.tensor([[2.0, 2, 5, 5]])):
        places, objects = assign(torch.zeros(8, len(truth)), torch.ones(8, 4), POINTS, truth)
        assert places.tolist() == objects.tolist() == []


# --- losses -------------------------------------------------------------------------------------


def test_scores_shall_be_the_quality_of_their_boxes() -> None:
    quality = torch.tensor([0.8])
    at = (torch.tensor([0]), torch.tensor([1]), torch.tensor([1]))
    right = torch.full((1, 3, 2), -20.0)
    right[at] = math.log(0.8 / 0.2)
    assert float(quality_focal_loss(right, at, quality)) < 1e-6
    plain = torch.zeros(1, 3, 2)
    wanted = 5 * 0.25 * math.log(2) + 0.09 * math.log(2)  # each at a score of 0.5
    assert float(quality_focal_loss(plain, at, quality)) == pytest.approx(wanted, rel=1e-5)


def test_distances_lie_between_two_bins() -> None:
    wanted = torch.tensor([[2.25, 0.0, 6.5, 9.0]])
    logits = torch.full((4, BINS), -20.0)
    for side, shares in enumerate(
        ({2: 0.75, 3: 0.25}, {0: 1.0}, {6: 0.5, 7: 0.5}, {6: 0.1, 7: 0.9})
    ):
        for place, share in shares.items():
            logits[side, place] = math.log(share)
    logits.requires_grad_()
    loss = distance_loss(logits.view(1, SIDES), wanted)
    loss.backward()
    assert logits.grad is not None
    assert logits.grad.abs().max() < 1e-5  # the best that there is


def test_ious_of_pairs() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 0, 0]])
    others = torch.tensor([[0.0, 0, 10, 5], [20, 20, 30, 30], [0, 0, 4, 4]])
    assert ious_of_pairs(boxes, others).tolist() == [0.5, 0, 0]


def test_masks_shall_be_the_true_ones() -> None:
    wanted = torch.zeros(2, 28, 28)
    wanted[:, 5:20, 8:] = 1
    assert float(mask_loss(40 * wanted - 20, wanted)) < 0.01
    assert float(mask_loss(20 - 40 * wanted, wanted)) > 10


def batch(*indices: int, objects: bool = True) -> Any:
    items = [Toys(objects=objects)[index] for index in indices]
    pairs = [to_sample(from_item(item, CLASSES, 0)) for item in items]
    return [list(part) for part in zip(*pairs, strict=True)]


def network(classes: dict[int, str] = CLASSES) -> Everyday:
    with torch.random.fork_rng(devices=[]):
        model = make_model(load_initial_weights("everyday"), classes, (64, 64), seed=0)
    assert isinstance(model, Everyday)
    return model


def learner(precision: str = "float32", **options: Any) -> Learner:
    plan = resolve_settings(
        TrainOptions(steps=30, **options),
        architecture=EVERYDAY,
        image_size=(64, 64),
        pretrained=True,
        photos=5,
        precision=precision,
    )
    return Learner(network(), plan, torch.device("cpu"), frozen_norms="")


def test_every_part_learns_once_the_heads_have() -> None:
    with torch.random.fork_rng(devices=[]):
        one = learner(layers="all")
        before = {name: value.clone() for name, value in one.model.state_dict().items()}
        losses = [one.learn(*batch(0, 1))["loss"] for _ in range(6)]
        moved = [name for name, value in one.model.state_dict().items()
                 if not torch.equal(value, before[name])]  # fmt: skip
    assert losses[-1] < losses[0]
    assert {name.partition(".")[0] for name in moved} == {
        "backbone", "neck", "box_head", "mask_branch",
    }  # fmt: skip


def test_heads_alone() -> None:
    with torch.random.fork_rng(devices=[]):
        one = learner(layers="heads")
        before = one.model.backbone.stem[0].weight.clone()
        one.learn(*batch(0))
    assert torch.equal(one.model.backbone.stem[0].weight, before)


def test_a_picture_without_objects_teaches_what_is_none() -> None:
    with torch.random.fork_rng(devices=[]):
        losses = learner(layers="all").learn(*batch(0, objects=False))
    assert losses["loss_classifier"] > 0
    assert losses["loss_box_reg"] == losses["loss_box_distance"] == losses["loss_mask"] == 0


def test_bfloat16_learns_as_float32_does() -> None:
    with torch.random.fork_rng(devices=[]):
        exact, rough = (learner(name).learn(*batch(0, 1))["loss"] for name in
                        ("float32", "bfloat16"))  # fmt: skip
    assert rough == pytest.approx(exact, rel=0.1)


def test_losses_do_not_depend_on_the_order_of_images() -> None:
    model = network().train()
    images, targets = batch(0, 1)
    pictures = [image.float() / 255 for image in images]
    one = everyday_losses(model, pictures, targets)
    other = everyday_losses(model, pictures[::-1], targets[::-1])
    for name in ("loss_classifier", "loss_box_reg", "loss_box_distance"):
        assert float(one[name].detach()) == pytest.approx(float(other[name].detach()), rel=1e-4)


# --- rows for new classes -----------------------------------------------------------------------


def test_rows_of_classes() -> None:
    given = load_initial_weights("everyday")
    model = network({1: "Dog", 3: "balloon"})
    name, layer = next(
        (name, each) for name, each in model.named_modules() if isinstance(each, OutputConv)
    )
    theirs = given.state[f"{name}.weight"]
    dog = next(label for label, name in given.classes.items() if name == "dog")
    known = [label - 1 for label in given.classes]
    assert torch.equal(layer.weight[0], theirs[dog - 1])
    assert layer.bias is not None
    assert layer.bias[1].item() == UNUSED_LOGIT  # label 2 is no class
    assert torch.allclose(layer.weight[2], theirs[known].mean(0), atol=1e-6)
    assert torch.equal(layer.weight[3:], theirs[-SIDES:])


# --- runs ---------------------------------------------------------------------------------------


def train(out: Path, **options: Any) -> Outcome:
    begun = {"weights": "everyday", "stop": None, "on_step": None, **options}
    calls = TrainCallbacks(stop=begun.pop("stop"), on_step=begun.pop("on_step"))
    settings = TrainOptions(steps=4, every=2, image_size=64, precision="float32")
    return vidseg.train(Toys(), out, settings, val=Toys(1), device="cpu", callbacks=calls, **begun)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


def test_a_run_and_a_resumed_one_leave_the_same_model(tmp_path: Path) -> None:
    whole, broken, stop = tmp_path / "whole", tmp_path / "broken", StopAt(3)
    assert train(whole).finished
    assert not train(broken, stop=stop, on_step=stop.on_step).finished
    assert train(broken, weights="last").finished
    for name in ("last.pt", "best.pt"):
        assert same(load_state(whole / name), load_state(broken / name))
    assert (whole / "metrics.jsonl").read_text() == (broken / "metrics.jsonl").read_text()
    rows = [json.loads(line) for line in (whole / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "mask_AP" in row] == [0, 2, 4]
    model, header = load_model(whole / "best.pt")
    assert isinstance(model, Everyday)
    assert header["classes"] == CLASSES
    found = load_predictor(whole / "best.pt", device="cpu", precision="float32", keep_score=0)
    [objects] = found.predict([np.full((64, 64, 3), 128, np.uint8)])
    assert set(objects.labels.tolist()) <= set(CLASSES)


def test_options_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="hard_negatives is for Mask R-CNN"):
        vidseg.train(Toys(), tmp_path / "a", TrainOptions(hard_negatives=4), weights="everyday")
    with pytest.raises(OptionError, match=r"everyday are those of nanodet_plus_m_masks"):
        load_initial_weights("everyday", "maskrcnn_resnet50_fpn")
    assert not (tmp_path / "a").exists()


def test_a_trained_model_can_start_the_next(tmp_path: Path) -> None:
    train(tmp_path / "first")
    given = load_initial_weights(tmp_path / "first/last.pt")
    assert isinstance(given, InitialWeights)
    assert (given.architecture, given.classes, given.image_size) == (EVERYDAY, CLASSES, (64, 107))
