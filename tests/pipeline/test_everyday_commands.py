"""The commands with the bundled model `everyday`, on the film of everyday things and its truth."""

import importlib
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image as Pictures

import vidseg
from vidseg import ModelOptions, Search, Span
from vidseg.structures.instances import Instances
from vidseg.structures.masks import to_rle

pytest.importorskip("torch")
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
FILM = EXAMPLES / "everyday.mp4"
START = 40
"""The first frame that is looked at: bus, car, persons and bicycle are in it."""
FRAMES = 4
LABELS = {"person": 1, "bicycle": 2, "car": 3, "bus": 6}


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLES)
        return importlib.import_module("make_everyday")


def found(**options) -> list[Instances]:
    # the middle of frames, so that no rounding of seconds takes one more or one less
    span = Span((START - 0.5) / 24, (START + FRAMES - 0.5) / 24)
    search = Search(model="everyday", device="cpu", **options)
    return [objects for _, objects in vidseg.find(FILM, search, span=span)]


def names(objects: Instances) -> list[str]:
    return sorted(objects.names[int(label)] for label in objects.labels)


@pytest.mark.parametrize(
    "options",
    [
        {"precision": "float32"},
        {"precision": "bfloat16"},
        {"precision": "float32", "batch_size": 3},
        {"precision": "float32", "size": 320},
        {"precision": "float32", "every": 2},
    ],
    ids=str,
)
def test_it_finds_what_is_filmed(maker: ModuleType, options: dict) -> None:
    frames = found(**options)
    assert len(frames) == FRAMES
    for index, objects in enumerate(frames, START):
        assert {"bus", "car", "person"} <= set(names(objects))
        masks = objects.full_masks()
        for actor, true in zip(maker.ACTORS, maker.truth(index), strict=True):
            if actor.name in ("bus", "car", "person1"):
                ious = [(true & mask).sum() / (true | mask).sum() for mask in masks]
                assert max(ious) > 0.6, actor.name


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_evaluate_judges_it(maker: ModuleType, tmp_path: Path, precision: str) -> None:
    images, rows = [], []
    for number in range(2):
        image, masks = maker.scene(START + 10 * number)
        Pictures.fromarray(image).save(tmp_path / f"{number}.png")
        images.append({"id": number, "file_name": f"{number}.png", "height": 360, "width": 640})
        for row, (actor, mask) in enumerate(zip(maker.ACTORS, masks, strict=True)):
            if actor.label != "dog":  # half hidden
                about = {"id": 10 * number + row, "image_id": number, "iscrowd": 0}
                label = LABELS[actor.label]
                rows.append({**about, "category_id": label, "segmentation": to_rle(mask)})
    categories = [{"id": label, "name": name} for name, label in LABELS.items()]
    document = {"images": images, "annotations": rows, "categories": categories}
    (tmp_path / "instances.json").write_text(json.dumps(document))
    options = ModelOptions(device="cpu", precision=precision)
    report = vidseg.evaluate(tmp_path, "everyday", model_options=options).report
    assert report["masks"]["AP50"] > 0.8
    assert set(report["classes"]) == set(LABELS)


def test_tracks_keep_their_ids() -> None:
    ids = [set(objects.ids.tolist()) for objects in found(precision="float32")]
    assert all(one == ids[0] for one in ids)
    assert np.min([len(one) for one in ids]) >= 4
