"""AP equals pycocotools' own, known faults give known numbers, classes are matched by name."""

import contextlib
import io
import json
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pictures
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from tests.datasets.test_formats import write
from tests.support.random_instances import blobs
from vidseg.datasets import read_dataset
from vidseg.errors import OptionError
from vidseg.evaluation.coco_ap import Result, evaluate, evaluate_results, results
from vidseg.evaluation.false_positives import count_false_positives
from vidseg.evaluation.ground_truth import match_classes
from vidseg.structures.frame import Image
from vidseg.structures.instances import Instances
from vidseg.structures.masks import areas, instance_rle

NAMES = {1: "cat", 2: "dog", 3: "fox", 4: "owl"}
SIZE = (120, 160)
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


class Listed:
    """A predictor that answers with a list, photo by photo; the photo's grey is its number."""

    keep_score = 0.05

    def __init__(self, answers: Sequence[Instances], classes: Mapping[int, str] = NAMES) -> None:
        self.answers, self.classes = answers, classes

    def predict(self, images: Sequence[Image]) -> list[Instances]:
        return [self.answers[int(image[0, 0, 0])] for image in images]


def annotations(number: int, truth: Instances, crowd: int | None = None) -> list[dict[str, Any]]:
    """COCO's, with areas of their own to see that they are kept."""
    rows = [row for row, area in enumerate(areas(truth)) if area]
    boxes = truth.boxes.astype(float)
    return [
        {
            "id": 100 * number + row + 1,
            "image_id": number,
            "category_id": int(truth.labels[row]),
            "bbox": [*boxes[row, :2], *(boxes[row, 2:] - boxes[row, :2])],
            "area": float(areas(truth)[row]) * 0.9,
            "iscrowd": int(row == crowd),
            "segmentation": instance_rle(truth, row),
        }
        for row in rows
    ]


def write_coco(folder: Path, truths: Sequence[Instances], ids: Sequence[int] = ()) -> Path:
    """Photos and their COCO file; the third object of the second photo is a crowd."""
    images, rows = [], []
    for place, truth in enumerate(truths):
        number = ids[place] if ids else place + 1
        name = f"{place:03}.png"
        Pictures.fromarray(np.full((*truth.size, 3), place, np.uint8)).save(folder / name)
        height, width = truth.size
        images.append({"id": number, "file_name": name, "height": height, "width": width})
        rows += annotations(number, truth, crowd=2 if place == 1 else None)
    categories = [{"id": number, "name": name} for number, name in NAMES.items()]
    document = {"images": images, "annotations": rows, "categories": categories}
    (folder / "truth.json").write_text(json.dumps(document))
    return folder / "truth.json"


def faulty(truth: Instances, seed: int) -> Instances:
    """The truth, moved a little, some of it missing, with false alarms and other scores."""
    random = np.random.default_rng(seed)
    shift = random.normal(0, 2, truth.boxes.shape)
    height, width = truth.size
    boxes = np.sort((truth.boxes + shift).reshape(-1, 2, 2), axis=1).reshape(-1, 4)
    moved = Instances(
        boxes=boxes.clip(0, (width, height, width, height)).astype(np.float32),
        masks=truth.masks,
        scores=random.choice(np.array([0.04, 0.3, 0.5, 0.9], np.float32), len(truth)),
        labels=np.where(random.random(len(truth)) < 0.1, 2, truth.labels),
        ids=truth.ids,
        size=truth.size,
    )
    return moved[random.random(len(truth)) > 0.2]


def plain(truth: Path, found: Path, kind: Any) -> COCOeval:
    """COCOeval as everyone runs it."""
    with contextlib.redirect_stdout(io.StringIO()):
        known = COCO(str(truth))
        counting = COCOeval(known, known.loadRes(str(found)), kind)
        counting.evaluate()
        counting.accumulate()
        counting.summarize()
    return counting


def numbers(measures: Any) -> list[float]:
    return [-1 if value is None else value for value in measures.to_json().values()]


@pytest.fixture
def many(tmp_path: Path) -> tuple[Path, list[Instances]]:
    """Twelve crowded photos, of which one is empty, numbered out of order."""
    truths = [blobs(9, SIZE, seed=n, share=0.05, classes=3) for n in range(11)]
    truths.append(Instances.empty(SIZE))
    path = write_coco(tmp_path, truths, ids=[37, 5, 90, 12, 1, 77, 6, 41, 8, 52, 3, 66])
    return path, [faulty(truth, seed) for seed, truth in enumerate(truths)]


def test_photos_looked_at_at_once_change_nothing(many: tuple[Path, list[Instances]]) -> None:
    path, answers = many
    meeting, done = threading.Barrier(3, timeout=60), []

    class Several(Listed):
        batches_at_once = 3

        def predict(self, images: Sequence[Image]) -> list[Instances]:
            meeting.wait()
            return super().predict(images)

    dataset = read_dataset(path)
    result = evaluate(dataset, Several(answers), on_photo=lambda n, _: done.append(n))
    assert result.to_json() == evaluate(dataset, Listed(answers)).to_json()
    assert done == list(range(1, 13))


def test_equal_to_pycocotools_to_the_last_digit(
    many: tuple[Path, list[Instances]], tmp_path: Path
) -> None:
    path, answers = many
    ids = [image["id"] for image in json.loads(path.read_text())["images"]]
    result = evaluate(read_dataset(path), Listed(answers), ids=ids)
    same = {label: label for label in NAMES}
    rows = [row for n, found in zip(ids, answers, strict=True) for row in results(n, found, same)]
    file = tmp_path / "results.json"
    file.write_text(json.dumps(rows))
    for kind, measures in (("segm", result.masks), ("bbox", result.boxes)):
        reference = plain(path, file, kind)
        assert numbers(measures) == reference.stats.tolist(), kind
        assert 0.2 < reference.stats[0] < 0.8
        for place, name in enumerate(["cat", "dog", "fox"]):
            table = reference.eval["precision"][:, :, place, 0, 2]
            one = getattr(result.classes[name], "masks" if kind == "segm" else "boxes")
            assert one.ap == table[table > -1].mean()
    assert result.classes["owl"].masks.ap is None
    assert result.to_json()["crowds"] == 1
    json.dumps(result.to_json(), allow_nan=False)


def grid(*places: tuple[int, int], label: int = 1, scores: Sequence[float] = ()) -> Instances:
    """Squares of 20 pixels, corners at the places."""
    n = len(places)
    return Instances(
        boxes=np.array([(x, y, x + 20, y + 20) for x, y in places], np.float32).reshape(n, 4),
        masks=np.full((n, 28, 28), 255, np.uint8),
        scores=np.array(scores or np.linspace(0.9, 0.8, n), np.float32),
        labels=np.full(n, label, np.int64),
        ids=np.full(n, -1, np.int64),
        size=SIZE,
    )


def run(folder: Path, truths: Sequence[Instances], answers: Sequence[Instances]) -> Result:
    return evaluate(read_dataset(write_coco(folder, truths)), Listed(answers))


def test_known_faults_give_known_numbers(tmp_path: Path) -> None:
    four = grid((10, 10), (50, 10), (90, 10), (10, 60))
    assert run(tmp_path, [four], [four]).masks.ap == pytest.approx(1)
    three = run(tmp_path, [four], [four[:3]]).masks
    # recall 0, 0.01 ... 0.75 of 101 points at precision 1
    assert three.ap == pytest.approx(76 / 101)
    assert three.ar100 == pytest.approx(0.75)
    # a false alarm above the second of two: precision 1 to recall 0.5, then 2/3
    alarm = grid((10, 10), (120, 90), (50, 10))
    assert run(tmp_path, [four[:2]], [alarm]).masks.ap == pytest.approx((51 + 50 * 2 / 3) / 101)
    # moved by 4 of 20 pixels: IoU 16/24, so it counts at 0.50, 0.55, 0.60 and 0.65 of ten
    moved = run(tmp_path, [grid((10, 10))], [grid((14, 10))]).masks
    assert (moved.ap, moved.ap50, moved.ap75) == (pytest.approx(0.4), pytest.approx(1), 0)
    assert moved.ap_small == moved.ap
    assert moved.ap_large is None


def test_no_results_at_all(tmp_path: Path) -> None:
    result = run(tmp_path, [grid((10, 10))], [Instances.empty(SIZE)])
    assert (result.masks.ap, result.boxes.ap50, result.masks.ar100) == (0, 0, 0)
    nothing = run(tmp_path, [Instances.empty(SIZE)], [grid((10, 10))])
    assert nothing.masks.ap is None


def test_results_without_masks_are_judged_by_boxes(tmp_path: Path) -> None:
    result = run(tmp_path, [grid((10, 10))], [grid((10, 10))])
    rows = [{k: v for k, v in row.items() if k != "segmentation"} for row in result.found]
    again = evaluate_results(result.truth, rows, result.matching)
    assert (again.masks.ap, again.boxes.ap) == (None, pytest.approx(1))


def test_false_alarms_are_counted_on_photos_without_the_class(tmp_path: Path) -> None:
    cat, dog = grid((10, 10)), grid((60, 60), label=2)
    twice = grid((10, 10), (90, 60), scores=(0.5, 0.4))
    result = run(tmp_path, [cat, dog, Instances.empty(SIZE)], [cat, twice, twice])
    alarms = count_false_positives(result, 0.5)
    assert (alarms["photos"], alarms["detections"], alarms["per_photo"]) == (1, 1, 1.0)
    assert alarms["classes"]["cat"] == {"photos": 2, "detections": 2, "per_photo": 1.0}
    assert alarms["classes"]["dog"] == {"photos": 2, "detections": 0, "per_photo": 0.0}
    assert list(alarms["where"].values()) == [{"cat": 1}, {"cat": 1}]
    assert count_false_positives(result, 0.3)["detections"] == 2


def test_classes_are_matched_by_name() -> None:
    found = match_classes({1: "Dog", 2: "cat", 3: "emu"}, {18: "dog", 17: "cat", 5: "bus"})
    assert found.numbers == {18: 1, 17: 2}
    assert (found.unknown, found.extra) == (("emu",), ("bus",))
    only = match_classes({1: "Dog", 2: "cat"}, {18: "dog", 17: "cat"}, ["DOG"])
    assert (only.numbers, only.unknown, only.extra) == ({18: 1}, (), ())
    with pytest.raises(OptionError, match=r"none of the classes to evaluate .emu.; they have bus"):
        match_classes({1: "emu"}, {5: "bus"})
    with pytest.raises(OptionError, match="no class 'yak'; it has: emu"):
        match_classes({1: "emu"}, {5: "bus"}, ["yak"])


def test_shapes_without_a_class_are_the_only_one_looked_for() -> None:
    one = match_classes({1: "object"}, {1: "balloon"})
    assert (one.numbers, one.names) == ({1: 1}, {1: "balloon"})
    assert match_classes({1: "object"}, {3: "dog", 7: "cat"}, ["cat"]).numbers == {7: 1}
    with pytest.raises(OptionError, match="none of the classes"):
        match_classes({1: "object"}, {3: "dog", 7: "cat"})


def test_a_class_that_the_model_does_not_know_is_named_and_left_out(tmp_path: Path) -> None:
    both = [grid((10, 10)), grid((10, 10), label=2)]
    dataset = read_dataset(write_coco(tmp_path, both))
    result = evaluate(dataset, Listed(both, {1: "cat", 2: "bus"}))
    assert result.masks.ap == pytest.approx(1)
    assert list(result.classes) == ["cat"]
    assert result.matching.unknown == ("dog", "fox", "owl")
    assert result.matching.extra == ("bus",)


def test_a_predictor_must_keep_weak_objects(tmp_path: Path) -> None:
    predictor = Listed([])
    predictor.keep_score = 0.1
    with pytest.raises(OptionError, match=r"keep_score=0\.05"):
        evaluate(read_dataset(write_coco(tmp_path, [grid((10, 10))])), predictor)


def test_any_torch_dataset_will_do(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    truth, answer = grid((10, 10), (50, 10)), grid((10, 10), (52, 10))

    class Own:
        classes = NAMES

        def __len__(self) -> int:
            return 1

        def __getitem__(self, index: int) -> Any:
            masks = torch.zeros(2, *SIZE, dtype=torch.uint8)
            masks[0, 10:30, 10:30] = masks[1, 10:30, 50:70] = 1
            boxes, labels = torch.from_numpy(truth.boxes), torch.from_numpy(truth.labels)
            return torch.zeros(3, *SIZE), {"boxes": boxes, "labels": labels, "masks": masks}

    own = evaluate(Own(), Listed([answer]))
    assert own.masks == run(tmp_path, [truth], [answer]).masks


@pytest.mark.skipif(not (SHARED / "coco_mini").is_dir(), reason="no photos here")
def test_real_coco_annotations_are_those_that_pycocotools_sees(tmp_path: Path) -> None:
    """Polygons, crowds, holes and stated areas, through `open_dataset` and straight from the file,
    against the truth itself, some of it left out and moved by a pixel."""
    document = json.loads((SHARED / "coco_mini" / "instances.json").read_text())
    (tmp_path / "images").symlink_to(SHARED / "coco_mini" / "images")
    document["images"] = document["images"][:80]
    kept = {image["id"] for image in document["images"]}
    document["annotations"] = [a for a in document["annotations"] if a["image_id"] in kept]
    path = write(tmp_path / "instances.json", document)
    dataset = read_dataset(path)
    random = np.random.default_rng(0)
    with contextlib.redirect_stdout(io.StringIO()):
        known = COCO(str(path))
    rows = []
    for each in document["annotations"]:
        if random.random() < 0.7 and not each["iscrowd"]:
            rle = known.annToRLE(each)
            rle["counts"] = rle["counts"].decode()
            score = round(float(random.random()), 2)
            x, y, w, h = each["bbox"]
            box = [x + random.integers(-3, 4), y, w, h]
            rows.append(
                {
                    "image_id": each["image_id"],
                    "category_id": each["category_id"],
                    "segmentation": rle,
                    "bbox": [float(v) for v in box],
                    "score": score,
                }
            )
    file = tmp_path / "results.json"
    file.write_text(json.dumps(rows))
    from vidseg.evaluation.ground_truth import coco_truth, photos

    names = {Path(i["file_name"]).name: i["id"] for i in document["images"]}
    ids = [names[sample.path.name] for sample in dataset.samples]
    truth = coco_truth(photos(dataset, ids=ids, pixels=False), dataset.classes)
    matching = match_classes(dataset.classes, dataset.classes)
    result = evaluate_results(truth, rows, matching)
    for kind, measures in (("segm", result.masks), ("bbox", result.boxes)):
        assert numbers(measures) == plain(path, file, kind).stats.tolist()
