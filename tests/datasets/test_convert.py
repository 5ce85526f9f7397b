"""The dataset as torch sees it, and written, divided, counted."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from PIL import Image as Pictures
from pycocotools.coco import COCO

from tests.datasets.test_files_of_tools import shared
from tests.datasets.test_formats import (
    SIZE,
    SQUARE,
    coco_file,
    objects,
    photo,
    ring,
    via,
    write,
)
from vidseg.datasets import Content, Dataset, open_dataset, read_dataset
from vidseg.datasets.convert import write_dataset
from vidseg.datasets.rasterize import rasterize
from vidseg.datasets.split import divide, source_video, write_lists
from vidseg.datasets.statistics import report
from vidseg.datasets.vectorize import edges, outline
from vidseg.errors import InputError, OptionError, OutputExistsError
from vidseg.structures.masks import from_rle, to_rle

# torch


def two_photos(folder: Path) -> Path:
    photo(folder / "b.jpg")
    coco_file(
        folder / "x.json",
        {"category_id": 5, "segmentation": [[10, 5, 30, 5, 30, 25, 10, 25]]},
        {"category_id": 1, "segmentation": to_rle(ring()), "iscrowd": 1},
    )
    document = json.loads((folder / "x.json").read_text())
    document["images"].append({"id": 8, "file_name": "b.jpg"})
    photo(folder / "a.jpg")
    write(folder / "x.json", document)
    return folder


def test_items_are_what_torchvision_trains_on(tmp_path: Path) -> None:
    dataset = open_dataset(two_photos(tmp_path))
    assert len(dataset) == 2
    image, target = dataset[0]
    assert image.dtype == torch.uint8
    assert image.shape == (3, *SIZE)
    assert {key: value.dtype for key, value in target.items() if key != "image_id"} == {
        "boxes": torch.float32,
        "labels": torch.int64,
        "masks": torch.uint8,
        "area": torch.float32,
        "iscrowd": torch.int64,
    }
    assert target["boxes"].tolist() == [[10, 5, 30, 25], [10, 10, 40, 40]]
    assert target["labels"].tolist() == [5, 1]
    assert target["masks"].shape == (2, *SIZE)
    assert (target["masks"][1].numpy() == ring()).all()
    assert target["area"].tolist() == [400, 800]
    assert target["iscrowd"].tolist() == [0, 1]
    assert target["image_id"] == 0


def test_photos_without_objects_have_empty_targets(tmp_path: Path) -> None:
    _, target = open_dataset(two_photos(tmp_path))[-1]
    assert target["boxes"].shape == (0, 4)
    assert target["masks"].shape == (0, *SIZE)
    assert target["image_id"] == 1


def test_a_network_of_torchvision_takes_the_items(tmp_path: Path) -> None:
    from tests.support.tiny_models import tiny_maskrcnn

    items = torch.utils.data.DataLoader(
        open_dataset(two_photos(tmp_path)), batch_size=2, collate_fn=list
    )
    ((one, two),) = items
    model = tiny_maskrcnn().train()
    losses = model([one[0] / 255, two[0] / 255], [one[1], two[1]])
    assert all(torch.isfinite(loss) for loss in losses.values())


def test_a_photo_that_changed_or_went_is_an_error(tmp_path: Path) -> None:
    dataset = open_dataset(two_photos(tmp_path))
    photo(tmp_path / "a.jpg", (20, 30))
    (tmp_path / "b.jpg").unlink()
    with pytest.raises(InputError, match="has changed since"):
        dataset[0]
    with pytest.raises(InputError, match="cannot be read"):
        dataset[1]


def test_one_split(tmp_path: Path) -> None:
    via(tmp_path / "train", SQUARE)
    via(tmp_path / "val", SQUARE, SQUARE)
    dataset = open_dataset(tmp_path)
    assert [len(dataset.only(name)) for name in ("train", "val")] == [1, 1]
    assert len(dataset.only("val")[0][1]["labels"]) == 2
    assert dataset.only("valid").samples == dataset.only("val").samples
    assert len(open_dataset(tmp_path, split="train")) == 1


# Outlines


def signed_area(loop: NDArray[np.float64]) -> float:
    """Holes count against their object."""
    x, y = loop.T
    return float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()) / 2


@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=9)))
def test_edges_enclose_exactly_the_mask(mask: NDArray[np.bool_]) -> None:
    loops = edges(mask)
    tied = outline(mask, tolerance=0)
    if not mask.any():
        assert not loops
        assert len(tied) == 0
        return
    assert sum(signed_area(loop) for loop in loops) == mask.sum()
    assert (from_rle(rasterize([tied], mask.shape)) == mask).all()


def test_outlines_are_short_and_near(tmp_path: Path) -> None:
    y, x = np.mgrid[:200, :300] + 0.5
    mask = np.hypot(x - 100, y - 100) < 80
    mask |= np.hypot(x - 250, y - 100) < 30
    mask &= np.hypot(x - 100, y - 100) > 20
    corners = outline(mask)
    drawn = from_rle(rasterize([corners], mask.shape))
    assert len(corners) < 110  # of 500 on the pixel edges
    assert (drawn & mask).sum() / (drawn | mask).sum() > 0.98


def test_tiny_objects_keep_their_pixels() -> None:
    mask = np.zeros((8, 8), bool)
    mask[3, 4] = True
    assert (from_rle(rasterize([outline(mask, tolerance=4)], mask.shape)) == mask).all()


# Writing


def same(a: Content, b: Content) -> None:
    assert a.classes == b.classes
    assert [(each.path.resolve(), each.size, each.split) for each in a.samples] == [
        (each.path.resolve(), each.size, each.split) for each in b.samples
    ]
    for one, other in zip(objects(a), objects(b), strict=True):
        assert (one.label, one.rle, one.crowd) == (other.label, other.rle, other.crowd)
        assert one.area == other.area
        assert one.box == pytest.approx(other.box)
        assert len(one.polygons) == len(other.polygons)


def test_coco_and_back(tmp_path: Path) -> None:
    content = read_dataset(two_photos(tmp_path / "set"))
    (tmp_path / "out").mkdir()
    lost = write_dataset(content, tmp_path / "out" / "coco.json", to="coco")
    assert lost == {tmp_path / "out" / "coco.json": []}
    same(content, read_dataset(tmp_path / "out" / "coco.json"))
    reference = COCO(str(tmp_path / "out" / "coco.json"))
    assert (reference.annToMask(reference.anns[2]) == ring()).all()
    assert reference.imgs[1]["file_name"] == "../set/a.jpg"


def test_coco_of_turned_photos(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg", exif=6)
    coco_file(tmp_path / "x.json", {"category_id": 1, "segmentation": to_rle(ring())})
    content = read_dataset(tmp_path / "x.json")
    write_dataset(content, tmp_path / "y.json", to="coco")
    same(content, read_dataset(tmp_path / "y.json"))


@pytest.mark.parametrize("tolerance", [0, 1])
def test_via_and_back(tmp_path: Path, tolerance: float) -> None:
    """Crowds are lost and said to be; outlines stay; pixels become outlines, seams for holes."""
    content = read_dataset(two_photos(tmp_path))
    file = tmp_path / "via.json"
    (lost,) = write_dataset(content, file, to="via", tolerance=tolerance).values()
    assert [(each.item, each.reason) for each in lost] == [("crowd", "VIA has no crowds")]
    back = read_dataset(file)
    assert back.classes == {1: "dog"}
    assert objects(back)[0].rle == objects(content)[0].rle

    document = json.loads((tmp_path / "x.json").read_text())
    document["annotations"][1]["iscrowd"] = 0
    write(tmp_path / "x.json", document)
    content = read_dataset(tmp_path / "x.json")
    write_dataset(content, file, to="via", tolerance=tolerance, force=True)
    found = from_rle(objects(read_dataset(file))[1].rle)
    assert (found == ring()).all()
    project = json.loads(file.read_text())
    assert project["_via_attributes"]["region"]["class"]["options"] == {"cat": "cat", "dog": "dog"}
    assert len(project["_via_image_id_list"]) == 2


def test_a_file_a_split(tmp_path: Path) -> None:
    via(tmp_path / "train", (SQUARE, {"class": "dog"}))
    via(tmp_path / "val", (SQUARE, {"class": "cat"}))
    content = read_dataset(tmp_path)
    written = write_dataset(content, tmp_path / "all.json", to="coco")
    assert [file.name for file in written] == ["all_train.json", "all_val.json"]
    same(content, read_dataset(tmp_path, format="coco"))
    with pytest.raises(OutputExistsError):
        write_dataset(content, tmp_path / "all.json", to="coco")


def test_what_a_person_corrected_comes_before_what_the_model_found(tmp_path: Path) -> None:
    photo(tmp_path / "images" / "00000.png")
    found = {"object": 1, "class": "kite", "label": 38, "segmentation": to_rle(ring())}
    frame = {"index": 0, "file": "00000.png", "size": list(SIZE), "objects": [found]}
    text = json.dumps({"format": "vidseg frames", "classes": {"38": "kite"}, "frames": [frame]})
    write(tmp_path / "instances.json", text)
    write_dataset(read_dataset(tmp_path), tmp_path / "via.json", to="via")
    content = read_dataset(tmp_path)
    assert content.formats == ("via",)
    assert content.classes == {1: "kite"}
    assert [each.reason for each in content.skipped] == [
        "there are other annotations beside these detections of a model"
    ]


def test_balloons_as_via_2_and_as_coco(tmp_path: Path) -> None:
    content = read_dataset(shared("balloon") / "val", class_name="balloon")
    for to in ("coco", "via"):
        file = tmp_path / f"{to}.json"
        write_dataset(content, file, to=to)
        back = read_dataset(file)
        assert back.classes == content.classes
        assert [each.rle for each in objects(back)] == [each.rle for each in objects(content)]


# Dividing


def photos(folder: Path, *names: str) -> Content:
    for name in names:
        photo(folder / name, (8, 8))
    write(folder / "via.json", {name: {"filename": name, "regions": []} for name in names})
    return read_dataset(folder)


def test_divide_by_image(tmp_path: Path) -> None:
    content = photos(tmp_path, *(f"{n}.png" for n in range(10)))
    parts = divide(content, val=0.3)
    assert [len(parts[name]) for name in ("train", "val")] == [7, 3]
    assert {s.path for part in parts.values() for s in part} == {s.path for s in content.samples}
    assert parts == divide(content, val=0.3)
    assert parts != divide(content, val=0.3, seed=1)
    assert [len(part) for part in divide(content, val=0.01).values()] == [9, 1]


def test_divide_by_video(tmp_path: Path) -> None:
    names = [f"{video}_{frame:04d}.png" for video in "abcde" for frame in range(4)]
    names += [f"{folder}/{frame:05d}.png" for folder in "xy" for frame in range(3)]
    parts = divide(photos(tmp_path, *names), val=0.3, by="video")
    videos = {name: {source_video(each.path) for each in part} for name, part in parts.items()}
    assert not videos["train"] & videos["val"]
    assert len(videos["train"] | videos["val"]) == 7
    assert 6 <= len(parts["val"]) <= 9


def test_names_of_videos() -> None:
    names = ["clip_0001", "clip-frame-12", "clip.7", "clip (3)", "IMG_20260101_12", "00012", "cat"]
    assert [source_video(Path("d", f"{name}.jpg")) for name in names] == [
        *["d/clip"] * 3,
        "d/clip (3)",
        "d/IMG_20260101",
        "d",
        "d/cat",
    ]


def test_what_cannot_be_divided(tmp_path: Path) -> None:
    content = photos(tmp_path, "a_1.png", "a_2.png")
    with pytest.raises(OptionError, match="one video; split them by image"):
        divide(content, by="video")
    with pytest.raises(OptionError, match="between 0 and 1"):
        divide(content, val=1)
    with pytest.raises(OptionError, match="only one photo"):
        divide(photos(tmp_path / "one", "a.png"))


def test_lists_are_found_again(tmp_path: Path) -> None:
    content = photos(tmp_path, "a.png", "deep/b.png", "deep/a.png", "c.png", "d.png")
    parts = divide(content, val=0.4)
    assert [file.name for file in write_lists(parts, tmp_path)] == ["train.txt", "val.txt"]
    again = read_dataset(tmp_path)
    found = {name: {s.path for s in again.samples if s.split == name} for name in parts}
    assert found == {name: {s.path for s in part} for name, part in parts.items()}
    with pytest.raises(OutputExistsError):
        write_lists(parts, tmp_path)
    write_lists(parts, tmp_path, force=True)


# Counting


def test_report(tmp_path: Path) -> None:
    via(tmp_path / "train", (SQUARE, {"class": "dog"}), ({"name": "point"}, {"class": "dog"}))
    via(tmp_path / "val")
    Pictures.new("RGB", (80, 60)).save(tmp_path / "val" / "unnamed.jpg")
    facts = report(read_dataset(tmp_path))
    assert json.loads(json.dumps(facts)) == facts
    assert facts["formats"] == ["via"]
    assert facts["classes"] == {"1": "dog"}
    assert (facts["photos"], facts["objects"]) == (2, 1)
    assert facts["splits"]["train"] == {
        "photos": 1,
        "photos_without_objects": 0,
        "objects": 1,
        "crowds": 0,
        "by_class": {"dog": 1},
    }
    assert facts["splits"]["val"]["photos_without_objects"] == 1
    assert facts["photo_sizes"] == [{"width": 80, "height": 60, "photos": 2}]
    assert facts["object_sizes"]["p50"] == 20
    assert Counter(each["reason"] for each in facts["skipped"]) == {
        "a point has no area": 1,
        "no annotation names this photo": 1,
    }


def test_dataset_is_a_torch_dataset() -> None:
    assert issubclass(Dataset, torch.utils.data.Dataset)
