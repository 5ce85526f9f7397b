"""Ids, categories and photos belong to the file that names them; what is unclear is named."""

import json
import os
import re
import sys
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from PIL import Image as Pictures
from PIL import ImageFilter

from tests.datasets.test_formats import SIZE, objects, photo, reasons, write
from tests.datasets.test_formats_of_more_tools import coco, mask_image
from tests.support.commands import run
from vidseg.datasets import Content, read_dataset
from vidseg.datasets.copies import report_copies
from vidseg.datasets.split import divide
from vidseg.errors import InputError

SQUARE = [10, 5, 30, 5, 30, 25, 10, 25]


def image(number: Any, name: str) -> dict[str, Any]:
    return {"id": number, "file_name": name, "height": SIZE[0], "width": SIZE[1]}


def annotation(number: int, image: Any = 1, category: Any = 1, **others: Any) -> dict[str, Any]:
    facts = {"id": number, "image_id": image, "category_id": category, "iscrowd": 0}
    return {**facts, "segmentation": [SQUARE], "bbox": [10, 5, 20, 20], **others}


def splits(content: Content) -> dict[str, str | None]:
    return {sample.path.name: sample.split for sample in content.samples}


def test_two_images_with_one_id(tmp_path: Path) -> None:
    for name in "abc":
        photo(tmp_path / f"{name}.jpg")
    images = [image(1, "a.jpg"), image(1, "b.jpg"), image(2, "c.jpg"), image(2, "c.jpg")]
    write(tmp_path / "x.json", coco(images, [annotation(1), annotation(2), annotation(3, 2)]))
    content = read_dataset(tmp_path)
    assert [(s.path.name, len(s.objects)) for s in content.samples] == [("c.jpg", 1)]
    told = dict(reasons(content))
    assert told["image 1"].startswith("2 photos have the id 1")


@pytest.mark.parametrize("flag", ["0", "1", 0, 1, True, False, None, "false", 1.0])
def test_crowds_are_marked_in_many_ways(tmp_path: Path, flag: Any) -> None:
    photo(tmp_path / "a.jpg")
    write(tmp_path / "x.json", coco([image(1, "a.jpg")], [annotation(1, iscrowd=flag)]))
    (found,) = objects(read_dataset(tmp_path))
    assert found.crowd == (flag in ("1", 1, True))
    (found,) = objects(read_dataset(tmp_path, crowds_as_objects=True))
    assert not found.crowd


def test_ids_may_be_written_as_text(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    photo(tmp_path / "b.jpg")
    images = [image("1", "a.jpg"), image("b7", "b.jpg")]
    rows = [annotation(1, 1, "1"), annotation(2, "1", 2), annotation(3, "b7", 1)]
    write(tmp_path / "x.json", coco(images, [*rows, {"id": 4, "category_id": 1}]))
    content = read_dataset(tmp_path)
    assert [len(sample.objects) for sample in content.samples] == [2, 1]
    assert reasons(content) == [
        ("annotation 4", "it does not follow COCO's format: KeyError('image_id')")
    ]


def test_categories_with_one_id_are_refused(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    document = coco([image(1, "a.jpg")], [annotation(1)])
    write(tmp_path / "x.json", {**document, "categories": [{"id": 1, "name": n} for n in "ab"]})
    with pytest.raises(InputError, match="a and b both have the id 1"):
        read_dataset(tmp_path)


def test_hashes_as_category_ids_become_numbers(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    ids = {name: crc32(name.encode()) for name in ("dog", "cat")}
    document = coco([image(1, "a.jpg")], [annotation(1, 1, ids["dog"])])
    categories = [{"id": number, "name": name} for name, number in ids.items()]
    write(tmp_path / "x.json", {**document, "categories": categories})
    assert read_dataset(tmp_path).classes == {1: "cat", 2: "dog"}
    categories = [{"id": number, "name": f"c{number}"} for number in (1, 90)]  # as in COCO
    document["annotations"] = []
    write(tmp_path / "x.json", {**document, "categories": categories})
    assert read_dataset(tmp_path).classes == {1: "c1", 90: "c90"}


def test_a_photo_of_another_split_is_another_photo(tmp_path: Path) -> None:
    for name in ("train/f0.jpg", "val/f1.jpg", "val/f2.jpg"):
        photo(tmp_path / name)
    train = coco([image(1, "f0.jpg"), image(2, "f1.jpg")], [annotation(1), annotation(2, 2)])
    write(tmp_path / "train.json", train)
    val = [image(1, "f1.jpg"), image(2, "f2.jpg")]
    write(tmp_path / "val.json", coco(val, [annotation(1), annotation(2, 2)]))
    content = read_dataset(tmp_path)
    assert splits(content) == {"f0.jpg": "train", "f1.jpg": "val", "f2.jpg": "val"}
    assert [(each.file, each.reason) for each in content.skipped] == [
        ("f1.jpg", "the photo does not exist")
    ]


def test_a_guess_yields_to_a_file_that_names_the_photo(tmp_path: Path) -> None:
    """train.json's photos were moved; the only f1.jpg left is that of val."""
    photo(tmp_path / "moved" / "f0.jpg")
    photo(tmp_path / "val" / "f1.jpg")
    train = coco([image(1, "f0.jpg"), image(2, "f1.jpg")], [annotation(1), annotation(2, 2)])
    write(tmp_path / "train.json", train)
    write(tmp_path / "val.json", coco([image(1, "f1.jpg")], [annotation(1)]))
    content = read_dataset(tmp_path)
    assert splits(content) == {"f0.jpg": "train", "f1.jpg": "val"}


@pytest.mark.parametrize("name", ["camB/1.jpg", "camB\\1.jpg"])
def test_a_photo_of_another_folder_is_another_photo(tmp_path: Path, name: str) -> None:
    for number in (1, 2):
        photo(tmp_path / "images" / "camA" / f"{number}.jpg")
    images = [image(1, name), image(2, "camA/2.jpg")]
    write(tmp_path / "x.json", coco(images, [annotation(1), annotation(2, 2)]))
    assert splits(read_dataset(tmp_path)) == {"2.jpg": None}


@pytest.mark.parametrize(
    "name", ["/far/away/a.jpg", "C:\\x\\a.jpg", "https://x.org/y/a.jpg?z=1", "y/A.JPG", "%61.jpg"]
)
def test_moved_photos_are_found_by_their_names(tmp_path: Path, name: str) -> None:
    photo(tmp_path / "somewhere" / "a.jpg")
    write(tmp_path / "x.json", coco([image(1, name)], [annotation(1)]))
    assert len(objects(read_dataset(tmp_path))) == 1


@pytest.mark.parametrize(
    ("line", "fits"),
    [
        ("images/camA/0.jpg", True),
        ("./images/camA/0.jpg", True),
        ("/content/data/camA/0.jpg", True),
        ("D:\\data\\camA\\0.jpg", True),
        ("7", True),
        ("7.jpg", True),
        ("0.jpg", False),
        ("gone.jpg", False),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_lists_of_splits(tmp_path: Path, line: str, fits: bool, encoding: str) -> None:
    names = [f"images/{name}.jpg" for name in ("camA/0", "camB/0", "camB/7")]
    for name in names:
        photo(tmp_path / name)
    write(tmp_path / "x.json", coco([image(n, name) for n, name in enumerate(names)], []))
    (tmp_path / "val.txt").write_text(line + "\n", encoding=encoding)
    content = read_dataset(tmp_path)
    assert content.splits == (("val",) if fits else ())
    assert bool(content.skipped) != fits


def test_lists_that_contradict_or_cannot_be_read(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    write(tmp_path / "x.json", coco([image(1, "a.jpg")], []))
    write(tmp_path / "train.txt", "a.jpg\n")
    write(tmp_path / "val.txt", "a.jpg\n")
    content = read_dataset(tmp_path)
    assert splits(content) == {"a.jpg": "train"}
    assert reasons(content) == [("line 1", "the photo is in train.txt too: a.jpg")]
    (tmp_path / "val.txt").write_bytes("träd.jpg".encode("cp1252"))
    with pytest.raises(InputError, match=r"val\.txt is not UTF-8 text"):
        read_dataset(tmp_path)


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "webp", "bmp"])
def test_truncated_photos_are_named(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (*SIZE, 3), np.uint8)
    for name in ("a", "b"):
        Pictures.fromarray(noise).save(tmp_path / f"{name}.{suffix}")
    whole = (tmp_path / f"b.{suffix}").read_bytes()
    (tmp_path / f"a.{suffix}").write_bytes(whole[: len(whole) * 2 // 3])
    images = [image(1, f"a.{suffix}"), image(2, f"b.{suffix}")]
    write(tmp_path / "x.json", coco(images, []))
    content = read_dataset(tmp_path)
    assert list(splits(content)) == [f"b.{suffix}"]
    assert re.search("cannot be read|damaged", content.skipped[0].reason)


def test_soft_masks_are_named(tmp_path: Path) -> None:
    pixels = np.zeros(SIZE, np.uint8)
    pixels[10:30, 10:30] = pixels[35:50, 40:70] = 255
    soft = Pictures.fromarray(pixels).filter(ImageFilter.GaussianBlur(1))
    for name, mask in (("soft", soft), ("hard", Pictures.fromarray(pixels))):
        photo(tmp_path / "images" / f"{name}.jpg")
        (tmp_path / "masks").mkdir(exist_ok=True)
        mask.save(tmp_path / "masks" / f"{name}.png")
    content = read_dataset(tmp_path)
    assert [(s.path.name, len(s.objects)) for s in content.samples] == [("hard.jpg", 1)]
    assert "without anti-aliasing" in content.skipped[0].reason


def test_a_mask_in_the_alpha_channel(tmp_path: Path) -> None:
    alpha = np.zeros(SIZE, np.uint8)
    alpha[10:30, 10:30] = 255
    photo(tmp_path / "images" / "a.jpg")
    (tmp_path / "masks").mkdir()
    white = np.full((*SIZE, 3), 255, np.uint8)
    Pictures.fromarray(np.dstack([white, alpha])).save(tmp_path / "masks" / "a.png")
    assert [each.area for each in objects(read_dataset(tmp_path))] == [400]
    white[40:, 40:] = 9
    alpha[40:, 40:] = 255
    Pictures.fromarray(np.dstack([white, alpha])).save(tmp_path / "masks" / "a.png")
    with pytest.raises(InputError, match="partly transparent"):
        read_dataset(tmp_path)


@pytest.mark.parametrize(
    ("values", "count"),
    [((128, 255), 2), ((253, 254, 255), 3), ((1, 255), 1), ((1, 2, 3, 254, 255), 3), ((255,), 1)],
)
def test_void_is_void_where_objects_are_numbered(
    tmp_path: Path, values: tuple[int, ...], count: int
) -> None:
    pixels = np.zeros(SIZE, np.uint8)
    for place, value in enumerate(values):
        pixels[5:15, 5 + 14 * place : 15 + 14 * place] = value
    photo(tmp_path / "images" / "a.jpg")
    (tmp_path / "masks").mkdir()
    Pictures.fromarray(pixels).save(tmp_path / "masks" / "a.png")
    assert len(objects(read_dataset(tmp_path))) == count


HASHES = [f"{crc32(bytes([n])):08x}" * 4 for n in range(20)]


@pytest.mark.parametrize(
    "names",
    [
        [f"clip{c}_mp4-{i}_jpg.rf.{HASHES[i]}.jpg" for c in "AB" for i in range(5)],
        [f"{HASHES[i][:8]}-clip{c}_{i:04}.jpg" for c in "AB" for i in range(5)],
    ],
)
def test_frames_of_a_video_stay_together_under_names_of_tools(
    tmp_path: Path, names: list[str]
) -> None:
    for number, name in enumerate(names):
        photo(tmp_path / name, (40 + number, 40))
    write(tmp_path / "via.json", {name: {"filename": name, "regions": []} for name in names})
    parts = divide(read_dataset(tmp_path), val=0.3, by="video")
    for part in parts.values():
        assert len({"A" if "clipA" in sample.path.name else "B" for sample in part}) == 1


def test_copies_of_a_photo_stay_together(tmp_path: Path) -> None:
    names = [
        f"photo{c}_jpg.rf.{HASHES[3 * n + k]}.jpg" for n, c in enumerate("ABCDE") for k in (0, 1, 2)
    ]
    for number, name in enumerate(names):
        photo(tmp_path / name, (40 + number, 40))
    write(tmp_path / "via.json", {name: {"filename": name, "regions": []} for name in names})
    for seed in range(5):
        parts = divide(read_dataset(tmp_path), val=0.3, seed=seed)
        val = {sample.path.name for sample in parts["val"]}
        assert 0 < len(val) < len(names)
        for group in (names[n : n + 3] for n in range(0, 15, 3)):
            assert len(val & set(group)) in (0, len(group))


def test_copies_are_reported(tmp_path: Path) -> None:
    for name in ("train/a.jpg", "val/b.jpg", "train/c.jpg"):
        photo(tmp_path / name, (50, 60 + ("c" in name)))
    train = coco([image(1, "a.jpg") | {"height": 50, "width": 60},
                  image(2, "c.jpg") | {"height": 50, "width": 61}],
                 [annotation(1), annotation(2), annotation(3, 1, 2)])  # fmt: skip
    write(tmp_path / "train.json", train)
    val = coco([image(1, "b.jpg") | {"height": 50, "width": 60}], [])
    write(tmp_path / "val.json", val)
    facts = report_copies(read_dataset(tmp_path))
    pair = [str(tmp_path / "train" / "a.jpg"), str(tmp_path / "val" / "b.jpg")]
    assert facts["duplicates"] == [pair]
    assert facts["leaks"] == [{"photos": pair, "splits": ["train", "val"]}]
    assert facts["objects_twice"] == [{"file": pair[0], "objects": 1}]
    json.dumps(facts)


def test_a_mask_folder_keeps_every_file(tmp_path: Path) -> None:
    photo(tmp_path / "images" / "a.jpg")
    mask_image(tmp_path / "masks" / "a.png", (10, 5, 30, 25))
    mask_image(tmp_path / "masks" / "other.png", (10, 5, 30, 25))
    content = read_dataset(tmp_path)
    assert [each.reason for each in content.skipped] == ["there is no photo of this name"]


@pytest.mark.parametrize("name", ["\ud800", "a\nb", "\x1b[31m", "x" * 201, " ", 7, None])
def test_names_that_cannot_be_written(tmp_path: Path, name: Any) -> None:
    photo(tmp_path / "a.jpg")
    shape = {"label": name, "points": [[10, 5], [30, 5], [30, 25]], "shape_type": "polygon"}
    write(tmp_path / "a.json", {"imagePath": "a.jpg", "shapes": [shape]})
    content = read_dataset(tmp_path)
    assert not objects(content)
    assert re.search("is not a name|cannot be written", content.skipped[0].reason)
    region = {"name": "rect", "x": 1, "y": 2, "width": 9, "height": 9}
    attributes = {"class": "cat\x07" if name == 7 else name}
    entry = {
        "filename": "a.jpg",
        "regions": [{"shape_attributes": region, "region_attributes": attributes}],
    }
    (tmp_path / "a.json").unlink()
    write(tmp_path / "via.json", {"a": entry})
    assert all(each.label.isprintable() for each in objects(read_dataset(tmp_path)))


@pytest.mark.skipif(sys.platform != "linux", reason="needs names of any bytes")
def test_file_names_that_are_no_text(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    photo(folder / "a.jpg")
    write(folder / "x.json", coco([image(1, "a.jpg")], [annotation(1)]))
    photo(folder / "b.jpg").rename(os.fsdecode(bytes(folder) + b"/\xff.jpg"))
    result = run("data", "check", folder, "-q")
    assert json.loads(result.stdout)["photos"] == 1
    assert "no annotation names" in result.stdout
