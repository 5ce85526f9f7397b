"""The parts of training: pictures, their changes, losses, weights to start from, steps, charts."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.support.tiny_models import tiny_maskrcnn
from tests.support.training_doubles import ARCHITECTURE, CLASSES, Toys, build_tiny, use_tiny
from vidseg.errors import ModelError, OptionError, WeightsUnavailableError
from vidseg.evaluation.line_chart import line_chart, ticks
from vidseg.models.architectures import ARCHITECTURES, EVERYDAY
from vidseg.models.catalog import MODELS
from vidseg.models.checkpoint import save_checkpoint
from vidseg.models.names import COCO_CLASSES
from vidseg.training import _augment as augment
from vidseg.training._learner import Learner, ema_decay_at, lr_factor_at
from vidseg.training._mask_rcnn_losses import hardest, mask_rcnn_losses
from vidseg.training._sampler import Samples, batches
from vidseg.training.initial_weights import InitialWeights, load_initial_weights, make_model
from vidseg.training.settings import AUGMENTATIONS, Settings, TrainOptions, resolve_settings
from vidseg.training.training_sample import Picture, from_item, to_sample


def settings(**changes: Any) -> Settings:
    options = TrainOptions(steps=10, **changes)
    return resolve_settings(
        options,
        architecture=ARCHITECTURE,
        image_size=(64, 64),
        pretrained=True,
        photos=5,
        precision="float32",
    )


def picture(height: int = 40, width: int = 60) -> Picture:
    """Two objects whose pixels have colours of their own."""
    masks = np.zeros((2, height, width), np.uint8)
    masks[0, 5:20, 5:25], masks[1, 15:35, 30:50] = 1, 1
    image = np.full((height, width, 3), 50, np.uint8)
    image[masks[0] > 0], image[masks[1] > 0] = 150, 250
    return Picture(image, masks, np.array([1, 2]))


def fits(changed: Picture) -> bool:
    """Whether the masks still lie on the colours that they had."""
    colors = {1: 150, 2: 250}
    return all(
        abs(np.median(changed.image[mask > 0]) - colors[int(label)]) < 3
        and (abs(changed.image[mask > 0].astype(int) - colors[int(label)]) < 50).mean() > 0.8
        for mask, label in zip(changed.masks, changed.labels, strict=True)
    )


# --- pictures -----------------------------------------------------------------------------------


def test_an_item_comes_as_a_picture_and_goes_as_a_sample() -> None:
    image, target = Toys()[0]
    one = from_item((image, {**target, "iscrowd": torch.tensor([0, 1])}), CLASSES, 0)
    assert one.labels.tolist() == [1]  # the crowd is left out
    sample, truth = to_sample(one)
    assert sample.dtype == truth["masks"].dtype == torch.uint8
    assert (sample - image * 255).abs().max() <= 0.5
    rows, columns = np.nonzero(target["masks"][0].numpy())
    box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert truth["boxes"].tolist() == [box]


def test_slivers_and_empty_masks_are_no_objects() -> None:
    masks = np.zeros((4, 40, 60), np.uint8)
    masks[0, 5:15, 5:15], masks[1, 20, 10:50], masks[2, 30:33, 30:33] = 1, 1, 1
    _, truth = to_sample(Picture(picture().image, masks, np.array([1, 1, 2, 2])))
    assert truth["labels"].tolist() == [1]
    assert truth["boxes"].tolist() == [[5, 5, 15, 15]]


def test_any_kind_of_image_will_do() -> None:
    image, target = Toys()[0]
    levels = (image * 255).round().to(torch.uint8)
    kinds = [image, levels, levels.numpy(), levels.permute(1, 2, 0).numpy(), image.numpy()]
    images = [from_item((kind, target), CLASSES, 0).image for kind in kinds]
    assert all((each == images[0]).all() for each in images)


# --- changes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_changes_keep_masks_on_their_objects(seed: int) -> None:
    random = np.random.default_rng(seed)
    assert fits(picture())
    assert fits(augment.flip(picture()))
    assert fits(augment.scaled(picture(), (80, 130), random))
    pasted = augment.paste(augment.flip(picture()), picture(), random)
    assert fits(pasted)
    assert (pasted.masks.sum(axis=0) <= 1).all()  # nothing lies below a pasted object


def test_fitting_is_torchvisions() -> None:
    assert augment.fit(picture(), (80, 100)).size == (66, 100)
    assert augment.fit(picture(), (80, 1000)).size == (80, 120)


def test_scaling_crops_to_the_size_in_use() -> None:
    sizes = {
        augment.scaled(picture(), (40, 60), np.random.default_rng(seed)).size for seed in range(30)
    }
    heights = [height for height, _ in sizes]
    assert max(heights) == 40
    assert min(heights) < 30


def test_color_changes_no_mask() -> None:
    changed = augment.recolor(picture(), np.random.default_rng(0))
    assert changed.image.dtype == np.uint8
    assert (changed.image != picture().image).any()
    assert (changed.masks == picture().masks).all()


def test_pasting_between_sizes() -> None:
    for other in (picture(20, 90), picture(200, 30), picture(300, 300)):
        pasted = augment.paste(picture(), other, np.random.default_rng(3))
        assert pasted.size == (40, 60)
        assert len(pasted.masks) == len(pasted.labels)


# --- samples ------------------------------------------------------------------------------------


def samples(**options: Any) -> Samples:
    return Samples(Toys(), CLASSES, image_size=(64, 64), augmentations=AUGMENTATIONS, **options)


def test_sample_k_depends_on_seed_and_k_alone() -> None:
    one, other = samples(seed=3), samples(seed=3)
    for k in (7, 0, 7):
        torch.rand(k)
        assert torch.equal(one[k][0], other[k][0])
        assert torch.equal(one[k][1]["masks"], other[k][1]["masks"])
    assert not torch.equal(samples(seed=4)[7][0], one[7][0])


def test_an_epoch_shows_every_item_once_in_an_order_of_its_own() -> None:
    row = samples()
    epochs = [[row._which(5 * epoch + k) for k in range(5)] for epoch in range(6)]
    assert all(sorted(epoch) == [0, 1, 2, 3, 4] for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1


def test_batches_are_the_same_from_any_point_on() -> None:
    whole = list(batches(samples(), batch_size=2, first=0, last=4))
    rest = list(batches(samples(), batch_size=2, first=2, last=4))
    for (images, _), (same, _) in zip(whole[2:], rest, strict=True):
        assert all(map(torch.equal, images, same))


def test_a_dataset_that_draws_torchs_random_numbers_is_repeatable_too() -> None:
    class Noisy(Toys):
        def __getitem__(self, index: int) -> Any:
            image, target = super().__getitem__(index)
            return (image + 0.05 * torch.rand_like(image)).clip(0, 1), target

    before = torch.random.get_rng_state()
    one, same = (Samples(Noisy(), CLASSES, image_size=(64, 64))[3] for _ in range(2))
    assert torch.equal(one[0], same[0])
    assert torch.equal(torch.random.get_rng_state(), before)


# --- losses and steps ---------------------------------------------------------------------------


def batch(*numbers: int) -> tuple[list[torch.Tensor], list[dict[str, torch.Tensor]]]:
    row = Samples(Toys(), CLASSES, image_size=(64, 64))
    images, targets = zip(*(row[k] for k in numbers), strict=True)
    return list(images), list(targets)


def test_losses_are_torchvisions() -> None:
    model = build_tiny(3, (64, 64)).train()
    images, targets = batch(0, 1)
    pictures = [image.float() / 255 for image in images]
    state = {name: value.clone() for name, value in model.state_dict().items()}
    found = []
    for call in (model, lambda *args: mask_rcnn_losses(model, *args, hard_negatives=None)):
        model.load_state_dict(state)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(5)
            found.append(call(pictures, targets))
    assert found[0].keys() == found[1].keys()
    for name in found[0]:
        one, other = (float(losses[name].detach()) for losses in found)
        assert one == pytest.approx(other, rel=1e-6), name  # the layout of memory rounds otherwise


def test_hard_negatives_are_the_likeliest_objects_of_each_image() -> None:
    logits = torch.tensor([[0.0, 5], [9, 0], [0, 9], [5, 0], [1, 0], [0, 0], [7, 0]])
    labels = [torch.tensor([0, 0, 1, 0]), torch.tensor([0, 0, 0])]
    assert hardest(logits, labels, 2).tolist() == [2, 0, 3, 5, 4]
    assert hardest(logits, labels, 99).tolist() == [2, 0, 3, 1, 5, 4, 6]


def test_the_backbone_waits_until_the_heads_have_learned() -> None:
    with torch.random.fork_rng(devices=[]):
        learner = Learner(
            build_tiny(3, (64, 64)), settings(layers=None), torch.device("cpu"), frozen_norms=""
        )
        assert learner.settings.heads_steps == 3
        backbone = learner.model.backbone.body
        before = [value.clone() for value in backbone.state_dict().values()]
        for step in range(4):
            still = all(map(torch.equal, before, backbone.state_dict().values()))
            assert still, step
            learner.learn(*batch(0, 1))
    moved = [
        name
        for (name, value), old in zip(backbone.state_dict().items(), before, strict=True)
        if not torch.equal(value, old)
    ]
    assert moved
    assert not [name for name in moved if "running" in name]  # norms keep their statistics


def test_bfloat16_learns_as_float32_does() -> None:
    losses = {}
    for precision in ("float32", "bfloat16"):
        with torch.random.fork_rng(devices=[]):
            plan = resolve_settings(
                TrainOptions(steps=10, hard_negatives=8),
                architecture=ARCHITECTURE,
                image_size=(64, 64),
                pretrained=False,
                photos=5,
                precision=precision,
            )
            learner = Learner(build_tiny(3, (64, 64)), plan, torch.device("cpu"), frozen_norms=None)
            losses[precision] = [learner.learn(*batch(0, 1))["loss"] for _ in range(2)]
            assert {p.dtype for p in learner.model.parameters()} == {torch.float32}
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.2)


def test_learning_rate_and_running_mean() -> None:
    rates = [lr_factor_at(step, 1000) for step in range(1000)]
    assert rates[0] == pytest.approx(0.01)
    assert max(rates) == rates[99] > 0.97
    assert rates[-1] < 0.011
    assert (ema_decay_at(1), ema_decay_at(90), ema_decay_at(10**6)) == (2 / 11, 0.91, 0.998)
    assert all(map(math.isfinite, (lr_factor_at(0, 1), lr_factor_at(0, 2))))


def test_settings_survive_their_state() -> None:
    one = settings(hard_negatives=7, augment=("scale", "flip"))
    assert one.augment == ("flip", "scale")
    assert Settings.from_state(one.state()) == one


# --- weights to start from ----------------------------------------------------------------------


def whole_model(classes: dict[int, str]) -> InitialWeights:
    model = tiny_maskrcnn(num_classes=max(classes) + 1, seed=1)
    return InitialWeights(ARCHITECTURE, (64, 64), model.state_dict(), classes, "")


def made(given: InitialWeights, classes: dict[int, str]) -> dict[str, torch.Tensor]:
    with torch.random.fork_rng(devices=[]):
        return make_model(given, classes, (64, 64), seed=0).state_dict()


def test_classes_keep_what_was_learned_under_their_name(monkeypatch: pytest.MonkeyPatch) -> None:
    use_tiny(monkeypatch)
    given = whole_model({1: "cat", 2: "Disc", 3: "dog"})
    ours = made(given, {1: "disc", 2: "square"})
    for name, theirs in given.state.items():
        if ours[name].shape == theirs.shape:
            assert torch.equal(ours[name], theirs), name
    scores, boxes, masks = (
        f"roi_heads.{part}.bias"
        for part in ("box_predictor.cls_score", "box_predictor.bbox_pred",
                     "mask_predictor.mask_fcn_logits")
    )  # fmt: skip
    assert torch.equal(ours[scores][:2], given.state[scores][[0, 2]])
    assert torch.equal(ours[boxes][4:8], given.state[boxes][8:12])
    assert torch.equal(ours[masks][1], given.state[masks][2])
    mean = given.state[boxes].view(4, 4)[1:].mean(0)
    assert torch.allclose(ours[boxes][8:], mean)  # the new class


def test_a_backbone_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    use_tiny(monkeypatch)
    state = tiny_maskrcnn(seed=1).get_submodule("backbone.body").state_dict()
    ours = made(InitialWeights(ARCHITECTURE, (64, 64), state, {}, "backbone.body"), CLASSES)
    assert all(torch.equal(ours[f"backbone.body.{name}"], value) for name, value in state.items())


def test_weights_of_another_architecture(monkeypatch: pytest.MonkeyPatch) -> None:
    use_tiny(monkeypatch)
    state = dict(whole_model(CLASSES).state)
    state.pop("rpn.head.cls_logits.weight")
    with pytest.raises(ModelError, match=r"do not fit .*: rpn\.head\.cls_logits\.weight missing"):
        made(InitialWeights(ARCHITECTURE, (64, 64), state, CLASSES, ""), CLASSES)


def test_the_bundled_model_and_files(tmp_path: Path) -> None:
    given = load_initial_weights("bundled")
    assert given.architecture == "maskrcnn_shufflenet_v2_x0_5_fpn"
    assert given.pretrained
    assert all(v.dtype == torch.float32 for v in given.state.values() if v.is_floating_point())
    file = MODELS["balloon_maskrcnn"].file
    assert file is not None
    assert load_initial_weights(file).classes == given.classes
    odd = {"architecture": "later", "classes": {1: "x"}, "image_size": [64, 64]}
    save_checkpoint(tmp_path / "odd.pt", {"model": {}}, odd)
    with pytest.raises(ModelError, match="needs the architecture 'later'"):
        load_initial_weights(tmp_path / "odd.pt")


def test_coco_where_it_cannot_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    def offline(name: str, **_: Any) -> None:
        raise WeightsUnavailableError("The weights could not be fetched.")

    monkeypatch.setattr("vidseg.training.initial_weights.fetch_weights", offline)
    with pytest.raises(WeightsUnavailableError, match=r"fetched\. `weights` also takes: everyday"):
        load_initial_weights("coco")
    sentence = r"no COCO weights for maskrcnn_resnet101_fpn\. `weights` also takes: imagenet .*none"
    with pytest.raises(WeightsUnavailableError, match=sentence):
        load_initial_weights("coco", "maskrcnn_resnet101_fpn")
    sentence = r"no ImageNet weights for maskrcnn_shuffle.*\. `weights` also takes: bundled"
    with pytest.raises(WeightsUnavailableError, match=sentence):
        load_initial_weights("imagenet", "maskrcnn_shufflenet_v2_x0_5_fpn")


def test_coco_weights_start_every_torchvision_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """With weights as torchvision would have them; their batch norms count no batches."""
    from vidseg.models import coco_models as coco

    def fake(name: str, path: Path) -> Any:
        return coco._BUILDERS[name]().eval()

    monkeypatch.setattr("vidseg.training.initial_weights.fetch_weights", lambda *_, **__: Path("x"))
    monkeypatch.setattr("vidseg.training.initial_weights.load_coco", fake)
    given = load_initial_weights("coco", "maskrcnn_resnet50_fpn")
    assert (given.classes, given.image_size) == (COCO_CLASSES, (800, 1333))
    ours = made(given, {1: "balloon", 2: "person"})
    row = "roi_heads.mask_predictor.mask_fcn_logits.weight"
    assert torch.equal(ours[row][2], given.state[row][1])
    assert "bn1.num_batches_tracked" not in given.state


def test_resnet101_is_matterports() -> None:
    model = ARCHITECTURES["maskrcnn_resnet101_fpn"](3, (800, 1333))
    layers = [name for name, _ in model.named_modules() if name.endswith("conv3")]
    assert len(layers) == 3 + 4 + 23 + 3
    assert model.get_parameter("roi_heads.mask_predictor.mask_fcn_logits.bias").shape == (3,)


@pytest.mark.parametrize("obtainable", [True, False])
def test_training_starts_from_everyday_where_coco_cannot_be_had(
    obtainable: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from vidseg.training import initial_weights as module

    monkeypatch.setattr(module, "weights_obtainable", lambda _: obtainable)
    monkeypatch.setattr(module, "_coco", lambda architecture, _: whole_model({1: architecture}))
    given = load_initial_weights("auto")
    assert (given.architecture == EVERYDAY) is not obtainable
    assert ("starts from everyday" in caplog.text) is not obtainable
    # An architecture of its own is not replaced.
    given = load_initial_weights("auto", "maskrcnn_resnet50_fpn")
    assert given.classes == {1: "maskrcnn_resnet50_fpn"}


def test_wrong_names() -> None:
    with pytest.raises(OptionError, match="no architecture 'resnet'"):
        load_initial_weights("none", "resnet")


# --- charts -------------------------------------------------------------------------------------


def test_a_chart_shows_its_lines_where_they_belong() -> None:
    line = [(0.0, 0.0), (10.0, 1.0)]
    empty = line_chart({}, title="x", x_range=(0, 10), y_range=(0, 1))
    chart = line_chart({"a": line}, title="x", x_range=(0, 10), y_range=(0, 1))
    changed = (chart != empty).any(axis=2)
    rows, columns = np.nonzero(changed[:, :570])
    assert np.corrcoef(rows, columns)[0, 1] < -0.99  # a rising line
    nothing = line_chart({"a": [(0, float("nan"))]}, title="x", x_range=(0, 10), y_range=(0, 1))
    assert not (nothing != empty).any(axis=2)[:, :570].any()


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (0, 1000, [0, 200, 400, 600, 800, 1000])],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)
