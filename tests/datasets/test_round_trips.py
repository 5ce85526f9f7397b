"""Detect, correct in a tool, train, detect: masks stay exact on the way there and back.

Where a tool's own code is installed, it reads what we write and writes what we read.
"""

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Picture

import vidseg
from tests.support.commands import ROOT, run
from tests.support.doubles import OraclePredictor
from tests.support.scenes import CLASSES, SIZE, scene_image, scene_masks, write_scene
from tests.support.training_doubles import ARCHITECTURE, use_tiny
from vidseg.datasets import read_dataset
from vidseg.structures.masks import from_rle
from vidseg.training.settings import TrainOptions

PHOTOS = 4
Truth = dict[str, list[tuple[str, NDArray[np.bool_]]]]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of scenes."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(PHOTOS):
        Picture.fromarray(scene_image(index)).save(folder / f"{index}.png")
    return folder


def found(photos: Path, model: str, tmp_path: Path) -> Truth:
    """What the model finds, as the masks that are drawn."""
    run("frames", "--model", model, "--per-object", photos, tmp_path / "seen")
    facts = json.loads((tmp_path / "seen" / "instances.json").read_text())
    return {
        f"{frame['index']}.png": [
            (each["class"], from_rle(each["segmentation"])) for each in frame["objects"]
        ]
        for frame in facts["frames"]
    }


def mend_cvat(path: Path) -> None:
    """The first object of each photo is removed, and the second is of the other class."""
    tree = ElementTree.parse(path)
    for image in tree.getroot().findall("image"):
        masks = image.findall("mask")
        image.remove(masks[0])
        masks[1].set("label", CLASSES[1 if masks[1].get("label") == CLASSES[2] else 2])
    tree.write(path)


def mend_label_studio(path: Path) -> None:
    """As `mend_cvat`; submitting a task makes annotations of its predictions."""
    tasks = json.loads(path.read_text())
    for task in tasks:
        (prediction,) = task.pop("predictions")
        result = prediction["result"][1:]
        result[0]["value"]["brushlabels"] = [other(result[0]["value"]["brushlabels"][0])]
        task["annotations"] = [{"id": 1, "result": result, "was_cancelled": False}]
    path.write_text(json.dumps(tasks))


def mend_via(path: Path) -> None:
    project = json.loads(path.read_text())
    for entry in project["_via_img_metadata"].values():
        del entry["regions"][0]
        attributes = entry["regions"][0]["region_attributes"]
        attributes["class"] = other(attributes["class"])
    path.write_text(json.dumps(project))


def mend_labelme(folder: Path) -> None:
    for path in folder.glob("*.json"):
        document = json.loads(path.read_text())
        del document["shapes"][0]
        document["shapes"][0]["label"] = other(document["shapes"][0]["label"])
        path.write_text(json.dumps(document))


def other(name: str) -> str:
    return CLASSES[1 if name == CLASSES[2] else 2]


@pytest.mark.parametrize(
    ("name", "file", "mend"),
    [
        ("cvat", "annotations.xml", mend_cvat),
        ("label-studio", "tasks.json", mend_label_studio),
        ("via", "via.json", mend_via),
        ("labelme", "", mend_labelme),
    ],
)
def test_what_was_corrected_comes_back_exactly(
    name: str,
    file: str,
    mend: Callable[[Path], None],
    photos: Path,
    oracle: OraclePredictor,
    model: str,
    tmp_path: Path,
) -> None:
    expected = found(photos, model, tmp_path)
    assert [len(each) for each in expected.values()] == [3] * PHOTOS
    mended = tmp_path / "mended"
    mended.mkdir()
    for photo in photos.iterdir():
        (mended / photo.name).write_bytes(photo.read_bytes())
    outlines = ["--tolerance", 0] if name in ("via", "labelme") else []
    target = mended / file if file else tmp_path / "files"
    done = run("frames", "--format", name, *outlines, "--model", model, photos, target)
    assert done.exit_code == 0, done.output
    for path in () if file else target.iterdir():
        path.rename(mended / path.name)
    mend(mended / file if file else mended)
    content = read_dataset(mended)
    assert not content.skipped
    assert len(content.samples) == PHOTOS
    for sample in content.samples:
        (_, (label, mask), *rest) = expected[sample.path.name]
        wanted = [(other(label), mask), *rest]
        assert [each.label for each in sample.objects] == [label for label, _ in wanted]
        for each, (_, mask) in zip(sample.objects, wanted, strict=True):
            np.testing.assert_array_equal(from_rle(each.rle), mask)


def test_the_circle_closes(
    photos: Path,
    oracle: OraclePredictor,
    model: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Detect, correct, check, train, and detect with what was trained."""
    use_tiny(monkeypatch)
    run("frames", "--format", "cvat", "--model", model, photos, photos / "annotations.xml")
    mend_cvat(photos / "annotations.xml")
    checked = json.loads(run("data", "check", photos, "--json").stdout)
    assert "cvat" in json.dumps(checked)
    options = TrainOptions(arch=ARCHITECTURE, image_size=64, steps=1, precision="float32")
    vidseg.train(photos, tmp_path / "run", options, weights="none", device="cpu")
    best = tmp_path / "run" / "best.pt"
    again = run("detect", "--model", best, "--device", "cpu", photos, tmp_path / "a.vidseg")
    assert again.exit_code == 0, again.output


def test_label_studios_own_sdk_reads_and_writes_the_masks(
    photos: Path, oracle: OraclePredictor, model: str, tmp_path: Path
) -> None:
    brush = pytest.importorskip("label_studio_sdk.converter.brush")
    path = photos / "tasks.json"
    run("frames", "--format", "label-studio", "--model", model, photos, path)
    tasks = json.loads(path.read_text())
    for index, task in enumerate(tasks):
        (prediction,) = task.pop("predictions")
        for row, each in enumerate(prediction["result"]):
            levels = brush.decode_rle(each["value"]["rle"]).reshape(*SIZE, 4)[..., 3]
            np.testing.assert_array_equal(
                levels > 0, expected_mask(index, row, photos, model, tmp_path)
            )
            each["value"]["rle"] = brush.mask2rle(levels)
        task["annotations"] = [prediction]
    path.write_text(json.dumps(tasks))
    for sample in read_dataset(photos).samples:
        index = int(sample.path.stem)
        for row, each in enumerate(sample.objects):
            wanted = expected_mask(index, row, photos, model, tmp_path)
            np.testing.assert_array_equal(from_rle(each.rle), wanted)


def expected_mask(
    index: int, row: int, photos: Path, model: str, tmp_path: Path
) -> NDArray[np.bool_]:
    if not (tmp_path / "seen").exists():
        found(photos, model, tmp_path)
    facts = json.loads((tmp_path / "seen" / "instances.json").read_text())
    return from_rle(facts["frames"][index]["objects"][row]["segmentation"])


def test_labelmes_own_code_reads_and_writes_our_files(
    photos: Path, oracle: OraclePredictor, model: str, tmp_path: Path
) -> None:
    label_file = pytest.importorskip("labelme._label_file")
    expected = found(photos, model, tmp_path)
    target = tmp_path / "files"
    run(
        "frames",
        "--format",
        "labelme",
        "--image",
        "--tolerance",
        0,
        "--model",
        model,
        photos,
        target,
    )
    for path in target.glob("*.json"):
        read = label_file.read_label_file(str(path))
        label_file.write_label_file(
            filename=str(path),
            shapes=read.shapes,
            image_path=read.image_path,
            image_height=SIZE[0],
            image_width=SIZE[1],
            image_data=read.image_data,
            other_data=read.other_data,
            flags=read.flags,
        )
    for sample in read_dataset(target).samples:
        wanted = expected[sample.path.name]
        for each, (label, mask) in zip(sample.objects, wanted, strict=True):
            assert each.label == label
            np.testing.assert_array_equal(from_rle(each.rle), mask)


def test_datumaro_reads_our_coco_file_and_writes_one_that_we_read(
    photos: Path, oracle: OraclePredictor, model: str, tmp_path: Path
) -> None:
    datumaro = pytest.importorskip("datumaro")
    expected = found(photos, model, tmp_path)
    run("frames", "--format", "coco-dataset", "--model", model, photos, tmp_path / "coco.json")
    project = tmp_path / "project"
    (project / "annotations").mkdir(parents=True)
    (project / "images" / "default").mkdir(parents=True)
    (tmp_path / "coco.json").rename(project / "annotations" / "instances_default.json")
    for photo in photos.iterdir():
        (project / "images" / "default" / photo.name).write_bytes(photo.read_bytes())
    dataset = datumaro.Dataset.import_from(str(project), "coco_instances")
    dataset.export(str(tmp_path / "datumaro"), "datumaro", save_media=True)
    content = read_dataset(tmp_path / "datumaro")
    assert len(content.samples) == PHOTOS
    for sample in content.samples:
        come_back = sorted((each.label, from_rle(each.rle).tobytes()) for each in sample.objects)
        wanted = expected[sample.path.name]  # datumaro sorts objects in its own way
        assert come_back == sorted((label, mask.tobytes()) for label, mask in wanted)


def test_the_example_for_fiftyone_gives_each_frame_its_objects(
    oracle: OraclePredictor, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    clip = write_scene(tmp_path / "in.mp4", frames=6)
    run("detect", "--model", model, clip, tmp_path / "in.vidseg")
    frames = importlib.import_module("fiftyone_import").frames(str(tmp_path / "in.vidseg"))
    assert list(frames) == [1, 2, 3, 4, 5, 6]
    height, width = SIZE
    for number, found in frames.items():
        assert [each["label"] for each in found] == ["disc", "disc", "rectangle"]
        assert [each["index"] for each in found] == [1, 2, 3]
        for each, truth in zip(found, scene_masks(number - 1), strict=True):
            left, top, across, down = (
                round(side * length)
                for side, length in zip(each["bounding_box"], (width, height) * 2, strict=True)
            )
            full = np.zeros(SIZE, bool)
            full[top : top + down, left : left + across] = each["mask"]
            assert (full & truth).sum() / (full | truth).sum() > 0.9
