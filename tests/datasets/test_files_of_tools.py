"""Annotation files written by the tools themselves; tests/fixtures/make.py says which and how.

VIA and Labelbox cannot be installed: their files are written here, VIA's after the source of
VIA 2.0.8 and the photos of Matterport's balloon set, Labelbox's after its documentation, and
RectLabel's after the examples its author publishes.
"""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools.coco import COCO

from vidseg.datasets import Content, Sample, read_dataset
from vidseg.structures.masks import from_rle

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
SIZE = (48, 64)


def balloon() -> NDArray[np.bool_]:
    mask = np.zeros(SIZE, bool)
    mask[5:20, 8:30] = True
    return mask


def kite() -> NDArray[np.bool_]:
    mask = np.zeros(SIZE, bool)
    mask[25:40, 30:60] = True
    mask[30:34, 40:48] = False
    return mask


def masks(sample: Sample) -> list[NDArray[np.bool_]]:
    return [from_rle(each.rle) for each in sample.objects]


def by_name(content: Content) -> dict[str, Sample]:
    return {sample.path.name: sample for sample in content.samples}


def iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float((a & b).sum() / (a | b).sum())


def test_labelme() -> None:
    content = read_dataset(FIXTURES / "labelme-6.3.1")
    (sample,) = content.samples
    assert content.formats == ("labelme",)
    assert content.classes == {1: "balloon", 2: "dog", 3: "kite"}
    assert [(each.label, each.area) for each in sample.objects] == [
        ("balloon", 99),  # 9.5 x 10.5 pixels
        ("kite", 72),  # 12 x 6
        ("balloon", 153),  # a disc of radius 7 has 153.9
        ("dog", 51),  # two parts of one group: a triangle of 18, a square of 36
        ("kite", 29),  # a mask of 5 x 6 with a hole of 1
        ("kite", 34),
    ]
    assert not from_rle(sample.objects[4].rle)[39, 54]
    assert [(each.item, each.reason) for each in content.skipped] == [
        ("shape 7", "a line has no area"),
        ("shape 8", "a linestrip has no area"),
        ("shape 9", "a point has no area"),
    ]


def test_yolo_of_supervision() -> None:
    """Its outlines run through pixel centres, so they miss the last row and column."""
    content = read_dataset(FIXTURES / "supervision-0.31.2" / "yolo")
    found = by_name(content)
    assert content.formats == ("yolo",)
    assert content.classes == {1: "balloon", 2: "kite"}
    assert not content.skipped
    assert found["b.png"].objects == ()
    first, second = masks(found["a.png"])
    assert iou(first, balloon()) > 0.88
    assert iou(second, kite()) > 0.8
    assert not second[31:33, 42:46].any()


def test_coco_of_supervision() -> None:
    content = read_dataset(FIXTURES / "supervision-0.31.2" / "coco")
    first, second = masks(by_name(content)["a.png"])
    assert content.formats == ("coco",)
    assert iou(first, balloon()) > 0.88
    assert (second == kite()).all()


@pytest.mark.parametrize("kind", ["voc_segmentation", "coco_instances"])
def test_datumaro(kind: str) -> None:
    content = read_dataset(FIXTURES / "datumaro-1.13.12" / kind)
    sample = by_name(content)["a.png"]
    assert content.classes == {1: "balloon", 2: "kite"}
    assert sample.split == "train"
    assert [each.label for each in sample.objects] == ["balloon", "kite"]
    assert (np.stack(masks(sample)) == np.stack([balloon(), kite()])).all()
    assert [each.box for each in sample.objects] == [(8, 5, 30, 20), (30, 25, 60, 40)]


def shared(name: str) -> Path:
    if not (SHARED / name).is_dir():
        pytest.skip("needs the shared data")
    return SHARED / name


def test_balloons() -> None:
    content = read_dataset(shared("balloon"), class_name="balloon")
    counts = {
        split: (len(samples), sum(len(each.objects) for each in samples))
        for split in content.splits
        for samples in [[each for each in content.samples if each.split == split]]
    }
    assert counts == {"train": (48, 207), "val": (13, 50)}
    assert content.classes == {1: "balloon"}
    assert content.skipped == ()


@pytest.mark.parametrize("name", ["coco_mini", "coco_person1"])
def test_coco_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Photo for photo and object for object what pycocotools reads, to the last pixel."""
    root = shared(name)
    reference = COCO(str(root / "instances.json"))
    content = read_dataset(root)
    assert {label: number for number, label in content.classes.items()} == {
        category["name"]: category["id"] for category in reference.cats.values()
    }
    assert [sample.path.name for sample in content.samples] == [
        image["file_name"] for image in reference.imgs.values()
    ]
    for sample, number in zip(content.samples[::5], list(reference.imgs)[::5], strict=True):
        truth = reference.imgToAnns[number]
        assert len(sample.objects) == len(truth)
        for found, expected in zip(sample.objects, truth, strict=True):
            assert (from_rle(found.rle) == reference.annToMask(expected)).all()
            assert found.crowd == bool(expected["iscrowd"])
            assert found.area == expected["area"]
            x, y, width, height = expected["bbox"]
            inside = np.clip((x, y, x + width, y + height), 0, np.tile(sample.size[::-1], 2))
            assert found.box == tuple(inside)
            assert content.classes[expected["category_id"]] == found.label


def test_davis(tmp_path: Path) -> None:
    for part in ("JPEGImages", "Annotations"):
        folder = tmp_path / part / "480p"
        folder.mkdir(parents=True)
        (folder / "libby").symlink_to(shared("davis") / part / "480p" / "libby")
    content = read_dataset(tmp_path, class_name="dog")
    assert content.formats == ("masks",)
    assert len(content.samples) == len(list((shared("davis") / "JPEGImages/480p/libby").iterdir()))
    assert {len(sample.objects) for sample in content.samples} <= {0, 1}
    assert content.classes == {1: "dog"}
