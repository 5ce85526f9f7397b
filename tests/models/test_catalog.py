"""Which model knows what, which one is chosen, and how model files load."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.models import get_weight
from torchvision.models.detection import MaskRCNN, maskrcnn_resnet50_fpn, maskrcnn_resnet50_fpn_v2

from tests.support.tiny_models import random_images, torchvision_finds
from vidseg.errors import ModelError, OptionError, WeightsUnavailableError
from vidseg.models import catalog
from vidseg.models.architectures import build
from vidseg.models.catalog import (
    DEFAULT_MODEL,
    MODELS,
    Model,
    choose_model,
    class_names,
    torchvision_architecture,
)
from vidseg.models.checkpoint import HEADER_RECORD, save_checkpoint
from vidseg.models.coco_models import load_coco
from vidseg.models.names import COCO_CATEGORIES, COCO_CLASSES
from vidseg.models.predictor import load_network, load_predictor
from vidseg.models.torchvision_weights import COCO_WEIGHTS, weights_path

SMALL = "maskrcnn_shufflenet_v2_x0_5_fpn"


def write_header(path: Path, *classes: str) -> Path:
    """A checkpoint without weights."""
    header = {
        "architecture": SMALL,
        "classes": dict(enumerate(classes, start=1)),
        "image_size": [64, 96],
    }
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(HEADER_RECORD, json.dumps(header))
    return path


@pytest.fixture
def bundled(tmp_path, monkeypatch) -> None:
    """One bundled model knows persons and dogs, the other one balloons and kites."""
    for name, *classes in (("everyday", "person", "dog"), ("balloon", "balloon", "kite")):
        file = write_header(tmp_path / f"{name}.pt", *classes)
        model = Model(name, "small", file, general=name == "everyday")
        monkeypatch.setitem(catalog.MODELS, name, model)


@pytest.fixture
def no_network(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr("vidseg.models.download.open_url", raise_offline)


def raise_offline(*_args: object, **_options: object) -> None:
    raise OSError("Network is unreachable")


def never(_name: str) -> bool:
    raise AssertionError("asked for the weights without need")


def test_names_are_torchvisions():
    entries = ("MaskRCNN_ResNet50_FPN_V2_Weights", "MaskRCNN_ResNet50_FPN_Weights")
    for name, entry in zip(COCO_WEIGHTS, entries, strict=True):
        categories = get_weight(f"{entry}.COCO_V1").meta["categories"]
        assert list(COCO_CATEGORIES) == categories
        assert class_names(name) == COCO_CLASSES
    assert len(COCO_CLASSES) == 80
    assert (COCO_CLASSES[1], COCO_CLASSES[90]) == ("person", "toothbrush")
    assert not {"N/A", "__background__"} & set(COCO_CLASSES.values())


def test_class_names_need_no_torch(tmp_path):
    file = write_header(tmp_path / "mine.pt", "balloon")
    program = f"""
import sys
from vidseg.models.catalog import MODELS, choose_model, class_names
assert class_names()[1] == "person"
assert class_names({str(file)!r}) == {{1: "balloon"}}
assert choose_model(["person", "dog"]).labels == {{1, 18}}
assert choose_model([], {str(file)!r}).classes == {{1: "balloon"}}
assert MODELS
assert not {{"torch", "torchvision", "cv2", "moviepy"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.usefixtures("bundled")
class TestChoice:
    def test_default_where_it_knows_all(self):
        choice = choose_model(["dog", "person"], obtainable=lambda _: True)
        assert (choice.model, choice.labels, choice.message) == (DEFAULT_MODEL, {1, 18}, None)
        assert choice.classes == COCO_CLASSES

    def test_default_where_no_other_knows_all(self):
        choice = choose_model(["dog", "zebra"], obtainable=never)
        assert (choice.model, choice.labels) == (DEFAULT_MODEL, {18, 24})

    def test_default_where_nothing_is_asked(self):
        choice = choose_model(obtainable=lambda _: True)
        assert (choice.model, choice.labels, choice.message) == (DEFAULT_MODEL, None, None)

    @pytest.mark.parametrize(("classes", "labels"), [([], None), (["dog"], {2})])
    def test_everyday_where_the_default_cannot_be_had(self, classes, labels):
        choice = choose_model(classes, obtainable=lambda _: False)
        assert (choice.model, choice.labels) == ("everyday", labels)
        assert choice.message is not None
        assert "bundled model everyday" in choice.message
        assert "\n" not in choice.message

    def test_bundled_where_only_it_knows_and_says_so(self):
        choice = choose_model(["balloon"], obtainable=never)
        assert (choice.model, choice.labels) == ("balloon", {1})
        assert choice.message is not None
        assert "bundled model balloon" in choice.message
        assert "\n" not in choice.message

    def test_class_of_both_goes_by_what_can_be_had(self):
        assert choose_model(["kite"], obtainable=lambda _: True).model == DEFAULT_MODEL
        choice = choose_model(["kite"], obtainable=lambda _: False)
        assert (choice.model, choice.labels) == ("balloon", {2})
        assert "cannot be downloaded now" in str(choice.message)

    def test_upper_and_lower_case_do_not_matter(self):
        assert choose_model(["Balloon", "KITE"]).labels == {1, 2}

    def test_nobody_knows_all(self):
        message = (
            f"{DEFAULT_MODEL} knows dog; .*everyday knows dog; balloon knows balloon.*separate runs"
        )
        with pytest.raises(OptionError, match=message):
            choose_model(["balloon", "dog"])

    def test_typo(self):
        with pytest.raises(OptionError, match=r"class 'baloon' \(did you mean balloon\?\)"):
            choose_model(["baloon"])
        with pytest.raises(OptionError, match=r"class 'xyzzy'; vidseg classes"):
            choose_model(["xyzzy"])

    def test_model_asked_for(self):
        choice = choose_model(["kite"], "balloon", obtainable=never)
        assert (choice.model, choice.labels, choice.message) == ("balloon", {2}, None)
        assert choose_model([], "balloon").labels is None

    def test_model_asked_for_does_not_know(self):
        with pytest.raises(OptionError, match="balloon does: `model='balloon'`"):
            choose_model(["balloon"], DEFAULT_MODEL)
        with pytest.raises(OptionError, match=r"'ballon' \(did you mean balloon\?\)"):
            choose_model(["ballon"], "balloon")

    def test_names_go_before_files(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        write_header(tmp_path / "balloon", "other")
        assert class_names("balloon")[1] == "balloon"
        assert class_names("./balloon")[1] == "other"


def test_without_the_bundled_file_the_others_still_work(monkeypatch, tmp_path):
    for name in ("everyday", "balloon"):
        missing = Model(name, "small", tmp_path / f"{name}.pt", general=True)
        monkeypatch.setitem(catalog.MODELS, name, missing)
    assert choose_model(["dog"], obtainable=never).model == DEFAULT_MODEL
    with pytest.raises(ModelError, match="no model file"):
        class_names("balloon")


def test_unknown_model_names_and_missing_files():
    with pytest.raises(OptionError, match=r"no model 'baloon' \(did you mean balloon\?\)"):
        class_names("baloon")
    for path in ("missing.pt", "no/such/model", Path("/no/where")):
        with pytest.raises(ModelError, match="no model file"):
            class_names(path)


def test_offline_error_names_the_file_and_what_works(no_network):
    with pytest.raises(WeightsUnavailableError) as caught:
        load_predictor(DEFAULT_MODEL)
    for word in ("unreachable", COCO_WEIGHTS[DEFAULT_MODEL].name, "curl", "VIDSEG_WEIGHTS_URL"):
        assert word in str(caught.value)
    assert "balloon" not in str(caught.value)


def test_offline_a_bundled_model_is_proposed_where_it_knows_the_class(no_network, bundled):
    kite = next(label for label, name in COCO_CLASSES.items() if name == "kite")
    with pytest.raises(WeightsUnavailableError, match="`model='balloon'` works"):
        load_predictor(DEFAULT_MODEL, labels={kite})


def test_a_bundled_model_of_everyday_things_stands_in_where_no_class_is_named(
    tmp_path, monkeypatch
):
    file = write_header(tmp_path / "everyday.pt", "person", "dog")
    monkeypatch.setitem(catalog.MODELS, "everyday", Model("everyday", "small", file, general=True))
    assert choose_model(obtainable=lambda _: True).model == DEFAULT_MODEL
    choice = choose_model(obtainable=lambda _: False)
    assert (choice.model, choice.labels) == ("everyday", None)
    assert "cannot be downloaded now" in str(choice.message)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("models") / "small.pt"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = build(SMALL, 3, image_size=(64, 96))
    classes = {1: "cat", 2: "balloon"}
    header = {"architecture": SMALL, "classes": classes, "image_size": [64, 96]}
    save_checkpoint(path, {"model": model.state_dict()}, header)
    return path


def test_model_file_finds_what_torchvision_finds_with_it(checkpoint):
    images = random_images((100, 140))
    network = load_network(checkpoint)
    assert isinstance(network, MaskRCNN)
    [wanted] = torchvision_finds(network, images)
    label = int(wanted["labels"][0])
    predictor = load_predictor(checkpoint, precision="float32", keep_score=0.2, labels={label})
    [found] = predictor.predict(images)
    rows = (wanted["labels"] == label) & (wanted["scores"] > 0.2)
    assert rows.sum() > 0
    np.testing.assert_allclose(found.boxes, wanted["boxes"][rows], atol=0.01)
    assert predictor.classes == {1: "cat", 2: "balloon"}


def test_wrong_labels_are_noticed_before_weights_load(no_network):
    with pytest.raises(OptionError, match="label 12"):
        load_predictor(DEFAULT_MODEL, labels={12})


def test_spoilt_model_files(tmp_path, checkpoint):
    good = checkpoint.read_bytes()
    start = good.index(b"/data/20")
    files = {
        "empty": b"",
        "text": b"this is no model",
        "half": good[: len(good) // 2],
        "flipped": good[: start + 100] + bytes(64) + good[start + 164 :],
    }
    for name, content in files.items():
        file = tmp_path / f"{name}.pt"
        file.write_bytes(content)
        with pytest.raises(ModelError, match=name):
            load_predictor(file)
    with pytest.raises(ModelError, match="is a folder"):
        load_predictor(tmp_path)


def test_foreign_zip(tmp_path):
    file = tmp_path / "foreign.pt"
    torch.save({"weights": torch.zeros(3)}, file)
    with pytest.raises(ModelError, match="not a vidseg checkpoint"):
        load_predictor(file)


def hollow_state(builder) -> dict[str, torch.Tensor]:
    """A state_dict of true shapes that is small on disk: every tensor repeats one number."""
    with torch.device("meta"):
        model = builder(weights=None, weights_backbone=None)
    return {
        name: torch.full((1,) * value.dim(), 0.5).to(value.dtype).expand(value.shape)
        for name, value in model.state_dict().items()
        if builder is maskrcnn_resnet50_fpn_v2 or not name.endswith("num_batches_tracked")
    }


@pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter:UserWarning")
@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("builder", [maskrcnn_resnet50_fpn, maskrcnn_resnet50_fpn_v2])
def test_torchvisions_weights_make_torchvisions_model(builder, zipped, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    name = builder.__name__
    path = weights_path(COCO_WEIGHTS[name])
    path.parent.mkdir(parents=True)
    torch.save(hollow_state(builder), path, _use_new_zipfile_serialization=zipped)
    # No network is touched: torchvision, too, finds the file in this place.
    with torch.device("meta"):
        theirs = builder(weights="COCO_V1")
    ours = load_network(name)
    assert str(ours) == str(theirs)
    assert not ours.training
    for value in [*ours.parameters(), *ours.buffers()]:
        assert value.device.type == "cpu"
        assert value.flatten()[0] in (0, 0.5)

    assert torchvision_architecture(path) == name
    assert class_names(path) == COCO_CLASSES
    assert str(load_network(path)) == str(theirs)


def test_weights_of_another_model_are_refused(tmp_path):
    path = tmp_path / "v1.pth"
    torch.save(hollow_state(maskrcnn_resnet50_fpn), path)
    with pytest.raises(ModelError, match="do not fit maskrcnn_resnet50_fpn_v2"):
        load_coco("maskrcnn_resnet50_fpn_v2", path)
    path.write_bytes(b"<html>")
    with pytest.raises(ModelError, match="damaged"):
        load_coco("maskrcnn_resnet50_fpn_v2", path)


def test_every_model_says_what_it_is():
    assert DEFAULT_MODEL in MODELS
    for name, model in MODELS.items():
        assert model.name == name
        assert model.about
        assert model.file is not None or name in COCO_WEIGHTS


def test_every_model_finds_at_most_100_objects() -> None:
    """As the help of --max-objects says."""
    from vidseg.models.architectures import ARCHITECTURES, build
    from vidseg.models.everyday.forward import MAX_OBJECTS

    assert MAX_OBJECTS == 100
    for name in ARCHITECTURES:
        with torch.device("meta"):
            assert build(name, 3).roi_heads.detections_per_img == 100
