"""CVAT, Label Studio and YouTube-VIS datasets, read back by their tools and by our own readers."""

import json
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image as Picture

from tests.support.scenes import CLASSES, scene_image, scene_instances
from vidseg.datasets import read_dataset
from vidseg.datasets.formats.label_studio import decode_brush
from vidseg.evaluation.ytvis import read_results, read_truth
from vidseg.results.formats.by_name import open_format
from vidseg.results.formats.context import ExportContext
from vidseg.results.formats.label_studio import brush_bytes
from vidseg.structures.frame import Moment
from vidseg.structures.instances import Instances
from vidseg.structures.masks import from_rle, full_mask

SIZE = (128, 192)
VIDEO = ExportContext(CLASSES, source_name="street.mp4", frame_count=4)
PHOTOS = replace(VIDEO, photos=(Path("a.png"), Path("b & c.png"), Path("d.png"), Path("e.png")))
Stream = Sequence[tuple[Moment, Instances]]


@pytest.fixture
def found() -> Stream:
    """Four frames of scenes, two of three objects tracked; the third frame is empty."""
    frames = []
    for index in range(4):
        instances = scene_instances(index) if index != 2 else Instances.empty(SIZE)
        ids = np.array([7, 12, -1][: len(instances)], np.int64)
        frames.append((Moment(index, Fraction(index, 30)), instances.with_ids(ids)))
    return frames


def write(name: str, found: Stream, path: Path, context: ExportContext = VIDEO) -> Path:
    with open_format(name, path, context) as add:
        for moment, instances in found:
            add(moment, instances)
    return path


def assert_read_back(folder: Path, names: Sequence[str], found: Stream) -> None:
    """Our reader finds the very masks, in the photos of these names."""
    for name, (moment, _) in zip(names, found, strict=True):
        Picture.fromarray(scene_image(moment.index)).save(folder / name)
    samples = {sample.path.name: sample for sample in read_dataset(folder).samples}
    for name, (_, instances) in zip(names, found, strict=True):
        objects = samples[name].objects if name in samples else []
        labels = [CLASSES[label] for label in instances.labels.tolist()]
        assert [each.label for each in objects] == labels
        for row, each in enumerate(objects):
            assert np.array_equal(from_rle(each.rle), full_mask(instances, row))


def test_cvat_of_a_video(found: Stream, tmp_path: Path) -> None:
    path = write("cvat", found, tmp_path / "annotations.xml")
    root = ElementTree.parse(path).getroot()
    assert root.findtext("version") == "1.1"
    assert [each.text for each in root.findall(".//label/name")] == list(CLASSES.values())
    tracks = root.findall("track")
    assert len(tracks) == sum(len(instances) for _, instances in found)
    for track in tracks:
        (first, last) = track.findall("mask")
        assert (first.get("outside"), last.get("outside")) == ("0", "1")
        assert int(last.get("frame", "")) == int(first.get("frame", "")) + 1
    assert [track.get("group_id") for track in tracks] == ["7", "12", None] * 3
    assert [e.text for e in tracks[0].findall("mask/attribute")] == ["7", "7"]
    assert_read_back(tmp_path, [f"frame_{index:06}.png" for index in range(4)], found)


def test_cvat_of_photos(found: Stream, tmp_path: Path) -> None:
    path = write("cvat", found, tmp_path / "annotations.xml", PHOTOS)
    root = ElementTree.parse(path).getroot()
    images = root.findall("image")
    assert [each.text for each in root.findall(".//label/name")] == list(CLASSES.values())
    assert [image.get("name") for image in images] == [photo.name for photo in PHOTOS.photos]
    assert_read_back(tmp_path, [photo.name for photo in PHOTOS.photos], found)


def cvat_points(mask: ElementTree.Element) -> list[int]:
    """What CVAT's importer makes of a mask: runs, then left, top, right, bottom."""
    points = [int(run) for run in mask.attrib["rle"].split(",")]
    left, top, width, height = (
        int(mask.attrib[name]) for name in ("left", "top", "width", "height")
    )
    return [*points, left, top, left + width - 1, top + height - 1]


def test_cvat_decodes_our_masks(found: Stream, tmp_path: Path) -> None:
    """As cvat-core's `mask2Rle` and back: runs along the rows of the box, background first."""
    path = write("cvat", found[:1], tmp_path / "annotations.xml")
    for row, track in enumerate(ElementTree.parse(path).getroot().findall("track")):
        *runs, left, top, right, bottom = cvat_points(track[0])
        flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
        full = np.zeros(SIZE, bool)
        box = full[top : bottom + 1, left : right + 1]
        box[:] = flat.reshape(box.shape)
        assert np.array_equal(full, full_mask(found[0][1], row))


def test_names_are_escaped_in_cvat(found: Stream, tmp_path: Path) -> None:
    names = {1: 'a "b" <c> & d', 2: "气球"}
    path = write("cvat", found, tmp_path / "a.xml", ExportContext(names))
    root = ElementTree.parse(path).getroot()
    assert [each.text for each in root.findall(".//label/name")] == list(names.values())
    assert {track.get("label") for track in root.findall("track")} == set(names.values())


def test_label_studio(found: Stream, tmp_path: Path) -> None:
    tasks = json.loads(write("label-studio", found, tmp_path / "t.json", PHOTOS).read_text())
    assert [task["data"]["image"] for task in tasks] == [
        f"/data/local-files/?d={photo.name}" for photo in PHOTOS.photos
    ]
    for task, (_, instances) in zip(tasks, found, strict=True):
        (prediction,) = task["predictions"]
        for row, each in enumerate(prediction["result"]):
            assert each["value"]["brushlabels"] == [CLASSES[int(instances.labels[row])]]
            assert (each["original_height"], each["original_width"]) == SIZE
            levels = decode_brush(each["value"]["rle"], SIZE)
            assert np.array_equal(levels, full_mask(instances, row) * np.uint8(255))
        ids = [each.get("meta", {}).get("track_id") for each in prediction["result"]]
        assert ids == [["7"], ["12"], None][: len(instances)]


def test_label_studio_after_correction_is_a_dataset(found: Stream, tmp_path: Path) -> None:
    """What is accepted in Label Studio comes back as annotations."""
    path = write("label-studio", found, tmp_path / "t.json", PHOTOS)
    tasks = json.loads(path.read_text())
    for task in tasks:
        task["annotations"] = task.pop("predictions")
    path.write_text(json.dumps(tasks))
    assert_read_back(tmp_path, [photo.name for photo in PHOTOS.photos], found)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(1, 40), st.integers(1, 60)), st.floats(0, 1), st.integers(0, 2**32 - 1)
)
def test_brush_masks_are_exact(size: tuple[int, int], share: float, seed: int) -> None:
    mask = np.random.default_rng(seed).random(size) < share
    assert np.array_equal(decode_brush(brush_bytes(mask), size) > 0, mask)


@pytest.mark.parametrize("filled", [False, True])
def test_long_runs_of_brush_masks(filled: bool) -> None:
    mask = np.full((300, 400), filled)
    assert np.array_equal(decode_brush(brush_bytes(mask), (300, 400)) > 0, mask)


def test_label_studios_own_converter_decodes_our_masks(found: Stream) -> None:
    brush = pytest.importorskip("label_studio_converter.brush")
    for row in range(3):
        mask = full_mask(found[0][1], row)
        decoded: NDArray[Any] = brush.decode_rle(brush_bytes(mask)).reshape(*SIZE, 4)
        assert np.array_equal(decoded[..., 3] > 0, mask)


def test_ytvis_datasets_are_truth_for_our_results(found: Stream, tmp_path: Path) -> None:
    truth = write("ytvis-dataset", found, tmp_path / "truth.json")
    (clip,) = read_truth(truth)
    assert (clip.name, clip.size, clip.frames) == ("street", SIZE, 4)
    assert clip.classes == CLASSES
    results = read_results(write("ytvis", found, tmp_path / "results.json"))[1]
    assert [track.masks for track in clip.tracks] == [track.masks for track in results]
    assert [track.number for track in clip.tracks] == [track.number for track in results]
    document = json.loads(truth.read_text())
    names = [f"street/{index:05d}.png" for index in range(4)]
    assert document["videos"][0]["file_names"] == names
    for annotation in document["annotations"]:
        for mask, area, box in zip(
            annotation["segmentations"], annotation["areas"], annotation["bboxes"], strict=True
        ):
            assert (mask is None) == (area is None) == (box is None)
            assert mask is None or sum(mask["counts"][1::2]) == area


def test_trackeval_scores_our_dataset_as_perfect(found: Stream, tmp_path: Path) -> None:
    trackeval = pytest.importorskip("trackeval")
    truth = tmp_path / "gt" / "youtube_vis_train"
    ours = tmp_path / "trackers" / "youtube_vis_train" / "ours" / "data"
    for folder in (truth, ours):
        folder.mkdir(parents=True)
    write("ytvis-dataset", found, truth / "truth.json")
    write("ytvis", found, ours / "results.json")
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
