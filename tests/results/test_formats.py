"""Every format, read back by the tool that defines it where it can be had, and by hand."""

import csv
import json
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray
from PIL import Image as Picture
from pycocotools import mask as coco
from pycocotools.coco import COCO

from tests.support.commands import fails, run
from tests.support.doubles import OraclePredictor
from tests.support.random_instances import any_instances, blobs
from tests.support.saved_detections import header_for_tests
from tests.support.scenes import CLASSES, scene_image, scene_instances, write_scene
from vidseg.datasets import read_dataset
from vidseg.datasets.rasterize import rasterize
from vidseg.errors import OutputError
from vidseg.results.formats.by_name import _OPEN, open_format
from vidseg.results.formats.context import ExportContext, polygon
from vidseg.results.formats.names import FORMATS
from vidseg.results.vidseg_writer import DetectionWriter
from vidseg.structures.frame import Frame, Instant, Moment
from vidseg.structures.instances import Instances
from vidseg.structures.masks import areas, from_rle, full_mask, label_map

CONTEXT = ExportContext(CLASSES, source_name="in.mp4", frame_count=6)
Stream = list[tuple[Moment, Instances]]


@pytest.fixture
def found() -> Stream:
    """Six frames of scenes, tracked by lane but for the last object; the fourth is empty."""
    frames = []
    for index in range(6):
        instances = scene_instances(index) if index != 3 else Instances.empty((128, 192))
        ids = np.array([7, 12, -1][: len(instances)], np.int64)
        frames.append((Moment(index, Fraction(index, 30)), instances.with_ids(ids)))
    return frames


def write(name: str, found: Stream, path: Path) -> Path:
    write_as(name, found, path, CONTEXT)
    return path


def write_as(
    name: str,
    found: Sequence[tuple[Instant, Instances]],
    path: Path,
    context: ExportContext,
    **options: bool,
) -> None:
    with open_format(name, path, context, **options) as add:
        for moment, instances in found:
            add(moment, instances)


def picture(path: Path) -> NDArray[Any]:
    with Picture.open(path) as opened:
        return np.array(opened)


def test_every_format_can_be_opened() -> None:
    assert FORMATS.keys() == _OPEN.keys()


def test_davis(found: Stream, tmp_path: Path) -> None:
    folder = write("davis", found, tmp_path / "out")
    for index, (_, instances) in enumerate(found):
        with Picture.open(folder / f"{index:05d}.png") as opened:
            assert opened.mode == "P"
        numbers = np.array([7, 12, 1][: len(instances)])
        assert np.array_equal(picture(folder / f"{index:05d}.png"), label_map(instances, numbers))


def test_davis_stops_at_254_and_names_the_next_format(found: Stream, tmp_path: Path) -> None:
    last = found[5][1]
    for ids, fits in (([253, 1, 2], True), ([254, 1, 2], False)):
        stream = [*found[:5], (found[5][0], last.with_ids(np.array(ids)))]
        target = tmp_path / str(ids[0])
        if fits:
            write("davis", stream, target)
            continue
        with pytest.raises(OutputError, match=r"Object 254 of frame 5 .* use `format='png16'`"):
            write("davis", stream, target)
        assert not target.exists()
        assert picture(write("png16", stream, target) / "00005.png").max() == 254


@pytest.mark.parametrize("name", ["davis", "png16"])
def test_track_ids_that_fit_no_image_are_told(name: str, found: Stream, tmp_path: Path) -> None:
    moment, instances = found[0]
    large = instances.with_ids(np.array([70_000, 1, 2]))
    with pytest.raises(OutputError, match=r"Track 70000 of frame 0 .* use `format='coco'`"):
        write(name, [(moment, large)], tmp_path / "out")


def test_an_id_that_occurs_twice_loses_no_mask(found: Stream, tmp_path: Path) -> None:
    moment, instances = found[0]
    twice = instances.with_ids(np.array([3, 3, 3]))
    entries = json.loads(write("ytvis", [(moment, twice)], tmp_path / "y.json").read_text())
    assert len(entries) == 3


def test_png16_has_one_depth(found: Stream, tmp_path: Path) -> None:
    folder = write("png16", found, tmp_path / "out")
    for path in folder.iterdir():
        with Picture.open(path) as opened:
            assert opened.mode == "I;16"


def test_objects_keep_overlaps(tmp_path: Path) -> None:
    many = blobs(5, (60, 80), share=0.4).with_ids(np.arange(1, 6))
    folder = write("objects", [(Moment(0, Fraction(0)), many)], tmp_path / "out")
    for row in range(5):
        mask = picture(folder / f"{row + 1:03d}" / "00000.png")
        assert np.array_equal(mask, full_mask(many, row) * np.uint8(255))


def test_coco_reads_its_own(found: Stream, tmp_path: Path) -> None:
    """pycocotools opens the dataset, and the results on it."""
    truth = COCO(str(write("coco-dataset", found, tmp_path / "truth.json")))
    results: Any = truth.loadRes(str(write("coco", found, tmp_path / "results.json")))
    assert truth.getImgIds() == list(range(6))
    assert {c["id"]: c["name"] for c in truth.dataset["categories"]} == CLASSES
    assert min(truth.anns) == 1
    for moment, instances in found:
        for dataset in (truth, results):
            entries: Any = dataset.imgToAnns[moment.index]
            assert [e["category_id"] for e in entries] == instances.labels.tolist()
            for row, entry in enumerate(entries):
                assert np.array_equal(dataset.annToMask(entry) > 0, full_mask(instances, row))
                x, y, width, height = entry["bbox"]
                slack = 1e-4 if dataset is results else 1  # the truth's boxes are those of pixels
                np.testing.assert_allclose(
                    [x, y, x + width, y + height], instances.boxes[row], atol=slack
                )
        assert [e["area"] for e in truth.imgToAnns[moment.index]] == areas(instances).tolist()
    scores = [entry["score"] for entry in json.loads((tmp_path / "results.json").read_text())]
    assert np.array_equal(
        np.array(scores, np.float32), np.concatenate([i.scores for _, i in found])
    )


def test_no_objects_at_all_is_still_valid(tmp_path: Path) -> None:
    empty = [(Moment(0, Fraction(0)), Instances.empty((9, 9)))]
    for name in ("coco", "ytvis"):
        assert json.loads(write(name, empty, tmp_path / name).read_text()) == []
    document = json.loads(write("coco-dataset", empty, tmp_path / "d.json").read_text())
    assert (len(document["images"]), document["annotations"]) == (1, [])
    for name in sorted(set(FORMATS) - {"coco", "ytvis", "coco-dataset", "label-studio"}):
        assert write(name, empty, tmp_path / f"{name}.out").exists()


def test_ytvis_has_null_where_a_track_is_not_seen(found: Stream, tmp_path: Path) -> None:
    entries = json.loads(write("ytvis", found, tmp_path / "y.json").read_text())
    lengths = [sum(mask is not None for mask in e["segmentations"]) for e in entries]
    untracked = [len(i) == 3 for _, i in found].count(True)
    assert lengths == [5, 5, *[1] * untracked]
    for entry, row in zip(entries[:2], (0, 1), strict=True):
        assert entry["video_id"] == 1
        assert entry["segmentations"][3] is None
        assert entry["category_id"] == found[0][1].labels[row]
        assert entry["score"] == pytest.approx(np.mean([i.scores[row] for _, i in found if len(i)]))
        for (_, instances), mask in zip(found, entry["segmentations"], strict=True):
            if mask is not None:
                assert isinstance(mask["counts"], str)
                assert np.array_equal(from_rle(mask), full_mask(instances, row))


def test_ytvis_takes_the_class_of_most_frames(found: Stream, tmp_path: Path) -> None:
    stream = [
        (moment, replace(i, labels=np.full(len(i), 2 if n in (1, 2, 4) else 1)))
        for n, (moment, i) in enumerate(found)
    ]
    entries = json.loads(write("ytvis", stream, tmp_path / "y.json").read_text())
    assert entries[0]["category_id"] == 2


def test_trackeval_scores_our_ytvis_as_perfect(found: Stream, tmp_path: Path) -> None:
    """TrackEval reads our results against the same tracks as YouTube-VIS' truth."""
    trackeval = pytest.importorskip("trackeval")
    truth = tmp_path / "gt" / "youtube_vis_train"
    ours = tmp_path / "trackers" / "youtube_vis_train" / "ours" / "data"
    for folder in (truth, ours):
        folder.mkdir(parents=True)
    results = json.loads(write("ytvis", found, ours / "results.json").read_text())
    (truth / "truth.json").write_text(json.dumps(ytvis_truth(results)))
    dataset = trackeval.datasets.YouTubeVIS(
        {
            "GT_FOLDER": f"{tmp_path}/gt/",
            "TRACKERS_FOLDER": f"{tmp_path}/trackers/",
            "TRACKERS_TO_EVAL": ["ours"],
            "SPLIT_TO_EVAL": "train",
            "PRINT_CONFIG": False,
        }
    )
    raw = dataset.get_raw_seq_data("ours", dataset.seq_list[0])
    for name in CLASSES.values():
        data = dataset.get_preprocessed_seq_data(raw, name)
        assert trackeval.metrics.HOTA().eval_sequence(data)["HOTA"].min() == pytest.approx(1)


def uncompressed(rle: Any) -> dict[str, Any]:
    """As YouTube-VIS writes its truth: run lengths as numbers, the first one of background."""
    flat = np.concatenate([[False], from_rle(rle).ravel(order="F")])
    turns = np.flatnonzero(np.diff(flat))
    return {"size": rle["size"], "counts": np.diff(turns, prepend=0, append=len(flat) - 1).tolist()}


def ytvis_truth(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Results as annotations of one video of six frames."""
    annotations = []
    for number, result in enumerate(results, 1):
        rles: list[Any] = result["segmentations"]
        annotation = {key: result[key] for key in ("video_id", "category_id")}
        annotation["segmentations"] = [rle and uncompressed(rle) for rle in rles]
        annotation |= {"id": number, "iscrowd": 0, "height": 128, "width": 192, "length": 1}
        annotation["areas"] = [None if rle is None else int(coco.area(rle)) for rle in rles]
        annotation["bboxes"] = [rle and coco.toBbox(rle).tolist() for rle in rles]
        annotations.append(annotation)
    files = [f"scene/{index:05d}.jpg" for index in range(6)]
    video = {"id": 1, "width": 192, "height": 128, "length": 6, "file_names": files}
    return {
        "info": {},
        "videos": [video],
        "annotations": annotations,
        "categories": [{"id": label, "name": name} for label, name in CLASSES.items()],
    }


def test_mots_masks_never_overlap(tmp_path: Path) -> None:
    many = blobs(6, (60, 80), share=0.4, classes=2).with_ids(np.arange(1, 7))
    path = write("mots", [(Moment(4, Fraction(0)), many)], tmp_path / "out.txt")
    painted = np.zeros((60, 80), int)
    for line in path.read_text().splitlines():
        frame, identity, kind, height, width, counts = line.split(" ")
        assert (frame, height, width) == ("4", "60", "80")
        assert int(identity) // 1000 == int(kind) in (11, 12)
        rle: Any = {"size": [int(height), int(width)], "counts": counts}
        painted += coco.decode(rle)
    assert painted.max() == 1
    assert np.array_equal(painted > 0, label_map(many) > 0)


def test_mots_numbers_cars_and_people_as_mots_does(tmp_path: Path, found: Stream) -> None:
    context = ExportContext({1: "person", 2: "car"})
    write_as("mots", found[:1], tmp_path / "out.txt", context)
    lines = (tmp_path / "out.txt").read_text().splitlines()
    assert [line.split(" ")[1:3] for line in lines[:2]] == [["2001", "2"], ["2002", "2"]]


def test_mots_holds_999_tracks_of_a_class(tmp_path: Path) -> None:
    lonely = blobs(1, (9, 9), share=0.9, classes=1)
    stream = [(Moment(i, Fraction(i)), lonely) for i in range(1000)]
    with pytest.raises(OutputError, match="999 tracks of a class"):
        write("mots", stream, tmp_path / "out.txt")


def test_mots_png_holds_class_and_number_of_what_is_visible(tmp_path: Path) -> None:
    many = blobs(6, (60, 80), share=0.4, classes=2).with_ids(np.arange(11, 17))
    frames = [(Moment(index, Fraction(index)), many) for index in (4, 5)]
    folder = write("mots-png", frames, tmp_path / "out") / "train" / "instances"
    assert sorted(file.name for file in folder.iterdir()) == [
        "00004.png",
        "00005.png",
        "labels.txt",
    ]
    ids = np.asarray(Picture.open(folder / "00004.png"))
    assert np.array_equal(ids > 0, label_map(many) > 0)
    classes = (folder / "labels.txt").read_text().splitlines()
    visible = label_map(many, np.arange(1, len(many) + 1))
    for row, label in enumerate(many.labels):
        values = np.unique(ids[visible == row + 1])
        if len(values):
            (value,) = values
            assert classes[value // 1000 - 1] == CONTEXT.class_name(int(label))
    assert len(np.unique(ids)) == len(np.unique(visible))
    assert (folder / "00004.png").read_bytes() == (folder / "00005.png").read_bytes()


def test_mots_png_holds_64_classes(tmp_path: Path) -> None:
    objects = blobs(70, (200, 200), share=0.02, classes=70)
    each = replace(objects, labels=np.arange(1, len(objects) + 1))
    context = ExportContext({label: f"class {label}" for label in range(1, 71)})
    stream = [(Moment(i, Fraction(i)), each[np.array([i])]) for i in range(len(each))]
    with pytest.raises(OutputError, match="MOTS PNG holds 64 classes"):
        write_as("mots-png", stream, tmp_path / "out", context)


def test_trackeval_scores_our_mots_as_perfect(tmp_path: Path) -> None:
    """TrackEval reads the file both as truth and as result."""
    trackeval = pytest.importorskip("trackeval")
    truth, tracker = tmp_path / "gt" / "MOTS-train", tmp_path / "trackers" / "MOTS-train"
    people = [
        (
            Moment(i + 1, Fraction(i)),
            replace(s, labels=np.ones_like(s.labels), ids=s.ids + 2 + np.arange(len(s))),
        )
        for i, s in enumerate(scene_instances(n) for n in range(5))
    ]
    context = ExportContext({1: "person"})
    for path in (truth / "scene" / "gt" / "gt.txt", tracker / "ours" / "data" / "scene.txt"):
        path.parent.mkdir(parents=True)
        write_as("mots", people, path, context)
    (truth / "scene" / "seqinfo.ini").write_text("[Sequence]\nname=scene\nseqLength=5\n")
    maps = tmp_path / "gt" / "seqmaps"
    maps.mkdir()
    (maps / "MOTS-train.txt").write_text("name\nscene\n")
    dataset = trackeval.datasets.MOTSChallenge(
        {
            "GT_FOLDER": str(tmp_path / "gt"),
            "TRACKERS_FOLDER": str(tmp_path / "trackers"),
            "TRACKERS_TO_EVAL": ["ours"],
            "PRINT_CONFIG": False,
        }
    )
    data = dataset.get_preprocessed_seq_data(
        dataset.get_raw_seq_data("ours", "scene"), "pedestrian"
    )
    score = trackeval.metrics.HOTA().eval_sequence(data)
    assert score["HOTA"].min() == pytest.approx(1)
    assert data["num_gt_dets"] == sum(len(i) for _, i in people)


@pytest.mark.parametrize("name", ["labelme", "yolo", "via"])
def test_polygons_are_read_back_as_a_dataset(name: str, tmp_path: Path, found: Stream) -> None:
    """With the pictures beside them, by the readers that training uses."""
    frames = [(Frame(m.index, m.time, scene_image(m.index)), i) for m, i in found]
    if name == "via":
        for frame, _ in frames:
            Picture.fromarray(frame.image).save(tmp_path / f"{frame.index:05d}.png")
        write_as(name, frames, tmp_path / "via.json", CONTEXT)
        samples = read_dataset(tmp_path).samples
    else:
        write_as(name, frames, tmp_path / "out", CONTEXT, image=True)
        samples = read_dataset(tmp_path / "out").samples
    assert {int(s.path.stem) for s in samples} >= {0, 1, 2, 4, 5}
    for sample in samples:
        instances = found[int(sample.path.stem)][1]
        names = [CLASSES[label] for label in instances.labels.tolist()]
        assert [each.label for each in sample.objects] == names
        for row, each in enumerate(sample.objects):
            drawn, true = from_rle(each.rle), full_mask(instances, row)
            assert (drawn & true).sum() / (drawn | true).sum() > 0.95


def test_labelme_opens_our_files(tmp_path: Path, found: Stream) -> None:
    label_file = pytest.importorskip("labelme._label_file", exc_type=ImportError)
    frames = [(Frame(m.index, m.time, scene_image(m.index)), i) for m, i in found]
    write_as("labelme", frames, tmp_path / "out", CONTEXT, image=True)
    for index, (_, instances) in enumerate(found):
        opened = label_file.LabelFile(str(tmp_path / "out" / f"{index:05d}.json"))
        assert [s["label"] for s in opened.shapes] == [
            CLASSES[n] for n in instances.labels.tolist()
        ]
        assert [s["group_id"] for s in opened.shapes] == [7, 12, None][: len(instances)]


def test_npz_is_loaded_by_numpy(tmp_path: Path, found: Stream) -> None:
    with np.load(write("npz", found, tmp_path / "out.npz")) as data:
        for index, (moment, instances) in enumerate(found):
            name = f"{index:05d}"
            assert data[f"{name}/time"] == float(moment.time)
            for field in ("boxes", "masks", "scores", "labels", "ids", "filled"):
                assert np.array_equal(data[f"{name}/{field}"], getattr(instances, field))
            assert np.array_equal(data[f"{name}/map"] > 0, label_map(instances) > 0)


def test_csv_has_a_line_an_object(tmp_path: Path, found: Stream) -> None:
    with write("csv", found, tmp_path / "out.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == sum(len(instances) for _, instances in found)
    assert [line["id"] for line in lines[:3]] == ["7", "12", ""]
    first = found[0][1]
    box = [float(lines[0][name]) for name in ("x0", "y0", "x1", "y1")]
    assert np.array_equal(np.array(box, np.float32), first.boxes[0])
    assert int(lines[0]["area"]) == areas(first)[0]


@pytest.mark.parametrize("name", FORMATS)
def test_commands_write_every_format(
    name: str, model: str, oracle: OraclePredictor, tmp_path: Path
) -> None:
    """From the video, tracked, and from the file of detections without the video."""
    clip, file = write_scene(tmp_path / "in.mp4", frames=4), tmp_path / "a.vidseg"
    assert run("detect", "--model", model, clip, file).exit_code == 0
    words = ["frames", "--format", name, "--detections", file]
    assert run(*words, clip, tmp_path / "one.out").exit_code == 0
    clip.unlink()
    result = run("export", "--format", name, file, tmp_path / "two.out")
    assert result.stderr.startswith(f"{tmp_path / 'two.out'}: 4 frames in ")
    assert contents(tmp_path / "one.out") == contents(tmp_path / "two.out")
    assert "--force" in fails("export", "--format", name, file, tmp_path / "two.out")


def contents(path: Path) -> Any:
    if path.is_dir():
        return {p.name: contents(p) for p in path.iterdir()}
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    return path.read_bytes()


def test_what_does_not_go_together_is_refused(model: str, tmp_path: Path) -> None:
    words = ("frames", "--model", model, "--format", "coco")
    assert "no place for images" in fails(*words, "--image", "in.mp4", "out.json", code=2)
    assert "--format objects" in fails(*words, "--per-object", "in.mp4", "out.json", code=2)
    assert "one after another" in fails(*words, "a.mp4", "b.mp4", "out.json", code=2)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of two photos, the second one turned by its EXIF data."""
    folder = tmp_path / "photos"
    folder.mkdir()
    Picture.fromarray(scene_image(2)).save(folder / "b.png")
    turned, exif = Picture.fromarray(np.rot90(scene_image(10))), Picture.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    turned.save(folder / "a.jpg", exif=exif, quality=100, subsampling=0)
    return folder


@pytest.mark.parametrize(("name", "pictures"), [("labelme", "."), ("yolo", "images")])
def test_photos_become_a_dataset_of_their_copies(
    name: str, pictures: str, photos: Path, model: str, oracle: OraclePredictor, tmp_path: Path
) -> None:
    """The files as they are, beside annotations that fit them: to correct, and to train on."""
    words = ["frames", "--format", name, "--image", "--model", model]
    assert run(*words, photos, tmp_path / "out").exit_code == 0
    assert oracle.seen == [10, 2]
    samples = {sample.path.name: sample for sample in read_dataset(tmp_path / "out").samples}
    assert sorted(samples) == ["a.jpg", "b.png"]
    for photo, index in (("a.jpg", 10), ("b.png", 2)):
        copy = tmp_path / "out" / pictures / photo
        assert copy.read_bytes() == (photos / photo).read_bytes()
        true = scene_instances(index)
        for row, each in enumerate(samples[photo].objects):
            drawn, mask = from_rle(each.rle), full_mask(true, row)
            assert (drawn & mask).sum() / (drawn | mask).sum() > 0.95


@pytest.mark.parametrize("name", ["labelme", "yolo"])
def test_photos_of_one_stem_are_told_apart(
    name: str, photos: Path, model: str, oracle: OraclePredictor, tmp_path: Path
) -> None:
    Picture.fromarray(scene_image(3)).save(photos / "b.bmp")
    words = ["frames", "--format", name, "--model", model, photos, tmp_path / "out"]
    assert "b.bmp and b.png would be described in one file" in fails(*words)
    assert oracle.seen == []
    file = tmp_path / "a.vidseg"
    assert run("detect", "--model", model, photos, file).exit_code == 0
    assert "rename one" in fails("export", "--format", name, file, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["labelme", "yolo", "via"])
def test_outlines_are_simple_and_fit(name: str, found: Stream, tmp_path: Path) -> None:
    """A disc in some 20 corners; with a tolerance of 0 the very mask."""
    disc = blobs(1, (400, 600), share=0.2, seed=3, classes=1)
    (tmp_path / "exact").mkdir()
    (tmp_path / "simple").mkdir()
    counts = []
    frames = [(Frame(0, Fraction(0), np.zeros((400, 600, 3), np.uint8)), disc)]
    for folder, tolerance in (("exact", 0.0), ("simple", None)):
        context = replace(CONTEXT, tolerance=tolerance)
        target = tmp_path / folder / ("a.json" if name == "via" else "out")
        Picture.fromarray(frames[0][0].image).save(tmp_path / folder / "00000.png")
        write_as(name, frames, target, context, **({} if name == "via" else {"image": True}))
        (sample,) = read_dataset(tmp_path / folder if name == "via" else target).samples
        drawn, true = from_rle(sample.objects[0].rle), full_mask(disc, 0)
        iou = (drawn & true).sum() / (drawn | true).sum()
        assert iou == 1 if folder == "exact" else iou >= 0.98
        (corners,) = sample.objects[0].polygons
        counts.append(len(corners))
    assert counts[0] > 60 > 40 > counts[1] > 10


@given(any_instances())
@settings(max_examples=40, deadline=None)
def test_every_outline_fits_its_mask(instances: Instances) -> None:
    for row in range(len(instances)):
        true, corners = full_mask(instances, row), polygon(instances, row)
        assert (corners is None) == (not true.any())
        if corners is not None:
            drawn = from_rle(rasterize([corners], instances.size))
            assert (drawn & true).sum() / (drawn | true).sum() >= 0.98


def test_coco_datasets_have_track_ids_and_boxes_of_masks(found: Stream, tmp_path: Path) -> None:
    document = json.loads(write("coco-dataset", found, tmp_path / "d.json").read_text())
    ids = [i for _, instances in found for i in instances.ids.tolist()]
    for annotation, track_id in zip(document["annotations"], ids, strict=True):
        expected = None if track_id == -1 else track_id
        assert annotation.get("track_id") == expected
        assert annotation.get("attributes", {}).get("track_id") == expected
        assert annotation["bbox"] == coco.toBbox(annotation["segmentation"]).tolist()
    results = json.loads(write("coco", found, tmp_path / "r.json").read_text())
    assert [each.get("track_id", -1) for each in results] == ids


def test_yolo_names_no_folder_and_splits_without_overlap(found: Stream, tmp_path: Path) -> None:
    folder = write("yolo", found, tmp_path / "out")
    assert "path" not in (folder / "data.yaml").read_text()
    lists = [(folder / f"{name}.txt").read_text().split() for name in ("train", "val")]
    assert lists == [[f"./images/{i:05d}.png" for i in range(5)], ["./images/00005.png"]]
    photos = replace(CONTEXT, photos=tuple(Path(f"{n}.jpg") for n in range(6)))
    write_as("yolo", found, tmp_path / "photos", photos)
    assert (tmp_path / "photos" / "val.txt").read_text() == "./images/4.jpg\n"


def test_yolo_quotes_names(tmp_path: Path, found: Stream) -> None:
    yaml = pytest.importorskip("yaml")
    names = {1: 'a "b" \\ c: #', 2: "\u200b🎈 气球"}
    write_as("yolo", found, tmp_path / "out", ExportContext(names))
    settings = yaml.safe_load((tmp_path / "out" / "data.yaml").read_text(encoding="utf-8"))
    assert list(settings["names"].values()) == list(names.values())


def test_tolerances_are_checked(model: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.vidseg"
    with DetectionWriter(file, header_for_tests(CLASSES)):
        pass
    words = ("export", file, tmp_path / "out", "--tolerance")
    assert "exact masks" in fails(*words, "1", "--format", "coco", code=2)
    assert "0 to 100 pixels" in fails(*words, "-1", "--format", "yolo", code=2)
    assert "0 to 100 pixels" in fails(*words, "nan", "--format", "yolo", code=2)
    frames = ("frames", "--model", model, "in.mp4", "out", "--tolerance", "1")
    assert "belongs to formats of outlines" in fails(*frames, code=2)


def test_text_goes_to_standard_output(model: Path, oracle: OraclePredictor, tmp_path: Path) -> None:
    clip, file = write_scene(tmp_path / "in.mp4", frames=3), tmp_path / "a.vidseg"
    assert run("detect", "--model", model, clip, file).exit_code == 0
    for name in ("csv", "coco", "mots"):
        assert run("export", "--format", name, file, tmp_path / name).exit_code == 0
        result = run("export", "--format", name, file, "-")
        assert result.stdout == (tmp_path / name).read_text()
        assert result.stderr.startswith("-: 3 frames in ")
    words = ("frames", "--format", "csv", "--model", model, clip)
    assert run(*words, "-").stdout == (tmp_path / "csv").read_text()
    assert "takes text only" in fails("export", "--format", "npz", file, "-", code=2)
    assert "name a text --format" in fails("frames", "--model", model, clip, "-", code=2)
    for command in (("overlay",), ("detect",)):
        assert "standard output" in fails(*command, "--model", model, clip, "-", code=2)
    assert "standard output" in fails("run", clip, "--to", "overlay=-", code=2)
    assert not Path("-").exists()
