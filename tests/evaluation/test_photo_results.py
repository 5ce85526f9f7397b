"""COCO results are evaluated under the ids of the file that their photo comes from."""

import json
from pathlib import Path
from typing import Any

import pytest
from pycocotools import mask as coco_masks

from tests.datasets.test_formats import SIZE, photo, write
from tests.datasets.test_formats_of_more_tools import coco
from tests.datasets.test_ids_and_photos import annotation, image
from tests.support.commands import fails, run
from vidseg.datasets import Content, read_dataset
from vidseg.errors import InputError
from vidseg.evaluation.coco_ap import Result, evaluate_results
from vidseg.evaluation.ground_truth import coco_truth, photos
from vidseg.evaluation.photo_results import coco_ids, read_coco

SQUARE, OTHER = [10, 5, 30, 5, 30, 25, 10, 25], [40, 30, 60, 30, 60, 50, 40, 50]


def packed(outline: Any) -> dict[str, Any]:
    outlines: Any = [outline]
    (rle,) = coco_masks.frPyObjects(outlines, *SIZE)
    return {"size": [*SIZE], "counts": rle["counts"].decode()}


def plain(outline: Any) -> dict[str, Any]:
    flat = coco_masks.decode(packed(outline)).ravel(order="F")  # pyright: ignore[reportArgumentType]
    runs, last = [0], 0
    for value in flat.tolist():
        if value != last:
            runs.append(0)
            last = value
        runs[-1] += 1
    return {"size": [*SIZE], "counts": runs}


def result(image: Any, category: Any, shape: Any = None, **others: Any) -> dict[str, Any]:
    shape = packed(SQUARE) if shape is None else shape
    row = {"image_id": image, "category_id": category, "segmentation": shape, "score": 0.9}
    return {**row, **others}


def evaluated(content: Content, rows: Any, folder: Path, **options: Any) -> Result:
    found = read_coco(write(folder / "r.txt", json.dumps(rows)), content, ())
    truth = coco_truth(photos(content, ids=coco_ids(content), pixels=False), content.classes)
    return evaluate_results(truth, found.rows, found.matching, **options)


def two_splits(folder: Path, train: Any, val: Any) -> Path:
    for split, document in (("train", train), ("val", val)):
        for each in document["images"]:
            photo(folder / split / each["file_name"])
        write(folder / "annotations" / f"instances_{split}.json", document)
    return folder


def test_categories_in_another_order(tmp_path: Path) -> None:
    val = coco([image(1, "b.jpg")], [annotation(1)])
    val["categories"] = [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}]
    two_splits(tmp_path, coco([image(1, "a.jpg")], [annotation(1)]), val)
    content = read_dataset(tmp_path, split="val")
    assert evaluated(content, [result(1, 1)], tmp_path).masks.ap == pytest.approx(1)


def test_categories_counted_from_0_in_one_split(tmp_path: Path) -> None:
    train = coco([image(1, "a.jpg")], [annotation(1, category=0)])
    train["categories"] = [{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}]
    two_splits(tmp_path, train, coco([image(2, "b.jpg")], [annotation(1, 2)]))
    content = read_dataset(tmp_path, split="train")
    assert evaluated(content, [result(1, 0)], tmp_path).masks.ap == pytest.approx(1)
    both = [result(1, 0), result(2, 1)]
    assert evaluated(read_dataset(tmp_path), both, tmp_path).masks.ap == pytest.approx(1)


def test_photos_of_one_name_in_every_split(tmp_path: Path) -> None:
    train = coco([image(1, "0.jpg"), image(2, "1.jpg")], [annotation(1), annotation(2, 2)])
    rows = [annotation(1), annotation(2, 2, segmentation=[OTHER])]
    two_splits(tmp_path, train, coco([image(1, "1.jpg"), image(2, "0.jpg")], rows))
    found = [result(1, 1), result(2, 1, packed(OTHER), score=0.8)]
    content = read_dataset(tmp_path, split="val")
    assert evaluated(content, found, tmp_path).masks.ap == pytest.approx(1)


def test_an_id_of_two_photos_is_refused(tmp_path: Path) -> None:
    val = coco([image(1, "b.jpg")], [annotation(1, segmentation=[OTHER])])
    two_splits(tmp_path, coco([image(1, "a.jpg")], [annotation(1)]), val)
    with pytest.raises(InputError, match=r"the image 1, which is 2 photos .*`split`"):
        evaluated(read_dataset(tmp_path), [result(1, 1)], tmp_path)


@pytest.mark.parametrize("shape", [packed(SQUARE), plain(SQUARE), [SQUARE], SQUARE])
@pytest.mark.parametrize("box", [{}, {"bbox": [10, 5, 20, 20]}])
def test_masks_as_rle_of_both_kinds_and_as_polygons(tmp_path: Path, shape: Any, box: Any) -> None:
    photo(tmp_path / "a.jpg")
    write(tmp_path / "x.json", coco([image("1", "a.jpg")], [annotation(1)]))
    found = evaluated(read_dataset(tmp_path), [result("1", "1", shape, **box)], tmp_path)
    assert (found.masks.ap, found.boxes.ap) == (pytest.approx(1), pytest.approx(1))


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"segmentation": {"size": [4, 4], "counts": [16]}}, "mask of 4x4 for a photo of 80x60"),
        ({"segmentation": [[1, 2, 3]]}, "result 0: ValueError"),
        ({"segmentation": None}, "neither a box nor a mask"),
        ({"score": "high"}, "result 0"),
        ({"score": float("nan")}, "score is not finite"),
        ({"bbox": [1, 2, 3]}, "result 0"),
        ({"image_id": None}, "is not an id"),
    ],
)
def test_results_that_cannot_be_used(tmp_path: Path, row: Any, sentence: str) -> None:
    photo(tmp_path / "a.jpg")
    write(tmp_path / "x.json", coco([image(1, "a.jpg")], [annotation(1)]))
    with pytest.raises(InputError, match=sentence):
        evaluated(read_dataset(tmp_path), [{**result(1, 1), **row}], tmp_path)


def test_what_is_left_out_is_told(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    write(tmp_path / "x.json", coco([image(1, "a.jpg")], [annotation(1)]))
    rows = [result(1, 1), result(1, 77), result(5, 1), result(5, 1)]
    file = write(tmp_path / "r.txt", json.dumps(rows))
    found = read_coco(file, read_dataset(tmp_path), ())
    assert len(found.rows) == 1
    assert found.notes == [
        "2 results are left out: they are of 1 images that are not evaluated.",
        "1 results are left out: the annotations have no category 77.",
    ]
    write(file, json.dumps([result(1, 77)]))
    with pytest.raises(InputError, match="no result of the dataset's categories; it has 77"):
        read_coco(file, read_dataset(tmp_path), ())


def test_more_than_100_objects(tmp_path: Path) -> None:
    """150 true objects and their results: COCO counts the best 100 alone."""
    photo(tmp_path / "a.jpg")
    places = [(x, y) for x in range(0, 75, 5) for y in range(0, 50, 5)]
    outlines = [[x, y, x + 4, y, x + 4, y + 4, x, y + 4] for x, y in places]
    rows = [annotation(n, segmentation=[outline]) for n, outline in enumerate(outlines, 1)]
    write(tmp_path / "x.json", coco([image(1, "a.jpg")], rows))
    results = [result(1, 1, packed(o), score=1 - n / 1000) for n, o in enumerate(outlines)]
    content = read_dataset(tmp_path)
    usual = evaluated(content, results, tmp_path)
    assert usual.masks.ar100 == pytest.approx(100 / 150)
    assert usual.to_json()["photos_with_more_objects"] == 1
    all_of_them = evaluated(content, results, tmp_path, max_objects=150)
    assert all_of_them.masks.ap == pytest.approx(1)
    assert all_of_them.crowded_photos == 0
    few = evaluated(content, results, tmp_path, max_objects=5)
    assert few.masks.ar100 == pytest.approx(5 / 150)


def test_the_command_says_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    photo(data / "a.jpg")
    write(data / "x.json", coco([image(1, "a.jpg")], [annotation(1)]))
    file = write(tmp_path / "r.json", json.dumps([result(1, 1), result(1, 7)]))
    done = run("evaluate", data, "--detections", file)
    assert "no category 7" in done.stderr
    assert json.loads(done.stdout)["masks"]["AP"] == pytest.approx(1)
    write(file, "[1]")
    assert "holds no COCO results" in fails("evaluate", data, "--detections", file)
