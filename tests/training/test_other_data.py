"""Nuclei, and COCO in its own layout: checked, trained and evaluated as the examples say."""

import importlib
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_masks

import vidseg
from tests.support.commands import ROOT, run
from tests.support.training_doubles import ARCHITECTURE, use_tiny
from vidseg.datasets import open_dataset
from vidseg.training.settings import TrainOptions


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    use_tiny(monkeypatch)
    monkeypatch.syspath_prepend(str(ROOT / "examples"))


def trained(data: Path, out: Path, class_name: str = "object") -> Path:
    """The model of a run of two steps."""
    options = TrainOptions(arch=ARCHITECTURE, image_size=64, steps=2, precision="float32")
    photos = open_dataset(data, class_name=class_name)
    vidseg.train(photos, out, options, weights="none", device="cpu")
    return out / "best.pt"


def evaluated(*words: object) -> dict[str, Any]:
    done = run("evaluate", "--device", "cpu", *words, "--json", "--quiet")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_nuclei_from_drawing_to_evaluation(tmp_path: Path) -> None:
    nuclei = importlib.import_module("nuclei")
    data = tmp_path / "data"
    nuclei.draw(data, photos=5)
    checked = json.loads(run("data", "check", data, "--json").stdout)
    objects = sum(len(list(folder.glob("masks/*"))) for folder in data.iterdir())
    assert "nuclei" in json.dumps(checked)
    assert f": {objects}" in json.dumps(checked)
    assert run("data", "split", data, "--val", 0.4).exit_code == 0
    model = trained(data, tmp_path / "run", class_name="nucleus")
    report = evaluated("--model", model, "--class-name", "nucleus", data)
    assert report["photos"] == 2
    assert list(report["classes"]) == ["nucleus"]
    assert report["masks"]["AP"] is not None


def test_masks_of_nuclei_are_apart_and_brighter_than_the_ground() -> None:
    nuclei = importlib.import_module("nuclei")
    image, masks = nuclei.nuclei(np.random.default_rng(1))
    assert len(masks) >= 5
    assert np.sum(masks, axis=0).max() == 1
    ground = image[~np.any(masks, axis=0)].mean()
    assert all(image[mask].mean() > ground + 30 for mask in masks)


def write_coco(folder: Path) -> None:
    """`train2017/`, `val2017/` and `annotations/instances_*.json`, as COCO's archives unpack."""
    shapes = importlib.import_module("shapes")
    (folder / "annotations").mkdir(parents=True)
    for split, count in (("train2017", 3), ("val2017", 2)):
        (folder / split).mkdir()
        images, annotations = [], []
        for number in range(1, count + 1):
            image, masks, labels = shapes.draw(np.random.default_rng((number, count)))
            name = f"{number:012d}.jpg"
            cv2.imwrite(str(folder / split / name), image)
            images.append({"id": number, "file_name": name, "height": 128, "width": 128})
            for mask, label in zip(masks, labels.tolist(), strict=True):
                rle: Any = coco_masks.encode(np.asfortranarray(mask))
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": number,
                        "category_id": label,
                        "segmentation": {"size": [128, 128], "counts": rle["counts"].decode()},
                        "area": int(mask.sum()),
                        "bbox": coco_masks.toBbox(rle).tolist(),
                        "iscrowd": 0,
                    }
                )
        categories = [{"id": 1, "name": "person"}, {"id": 2, "name": "bicycle"}]
        categories.append({"id": 3, "name": "car"})
        content = {"images": images, "annotations": annotations, "categories": categories}
        path = folder / "annotations" / f"instances_{split}.json"
        path.write_text(json.dumps(content))


def test_coco_is_trained_and_evaluated_as_it_unpacks(tmp_path: Path) -> None:
    data = tmp_path / "coco"
    write_coco(data)
    model = trained(data, tmp_path / "run")
    report = evaluated("--model", model, "--split", "val", data)
    assert report["photos"] == 2
    assert sorted(report["classes"]) == ["bicycle", "car", "person"]
    bundled = evaluated("--model", "everyday", "--split", "val", data)
    assert bundled["photos"] == 2
