import errno
import json
import logging
import tracemalloc
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Picture
from pycocotools import mask as coco

from tests.support.doubles import BrokenSource, SceneSource
from tests.support.random_instances import blobs
from tests.support.scenes import CLASSES, scene_image, scene_instances
from vidseg.errors import OutputError, OutputExistsError
from vidseg.results.formats import mask_folder
from vidseg.results.formats.mask_folder import MaskFolder, object_numbers
from vidseg.structures.colors import davis_palette
from vidseg.structures.frame import Frame
from vidseg.structures.instances import Instances
from vidseg.structures.masks import full_mask, label_map


def read_folder(folder: Path) -> list[tuple[Fraction, NDArray[Any], list[Any], list[Any]]]:
    """What a stranger would write after reading the docstring of `mask_folder`."""
    frames = []
    for frame in json.loads((folder / "instances.json").read_text())["frames"]:
        numbers = np.array(Picture.open(folder / frame["file"]))
        visible = [numbers == found["object"] for found in frame["objects"]]
        whole = [coco.decode(found["segmentation"]).astype(bool) for found in frame["objects"]]
        frames.append((Fraction(frame["time"]), numbers, visible, whole))
    return frames


def frame_of(instances: Instances, index: int = 0) -> Frame:
    return Frame(index, Fraction(index, 30), np.zeros((*instances.size, 3), np.uint8))


def write(folder: Path, found: list[Instances], **options: Any) -> Path:
    with MaskFolder(folder, CLASSES, kept_score=0.1, **options) as sink:
        for index, instances in enumerate(found):
            sink.write(frame_of(instances, index), instances)
    return folder


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_what_is_written_reads_back_the_same(tmp_path: Path) -> None:
    source = SceneSource(40, rate=Fraction(30000, 1001))
    with MaskFolder(tmp_path / "out", CLASSES, kept_score=0.5, frames=40) as sink:
        for frame in source:
            sink.write(frame, scene_instances(frame.index))
    document = json.loads((tmp_path / "out" / "instances.json").read_text())
    assert document["format"] == "vidseg frames"
    assert document["version"] == 1
    assert document["kept_score"] == 0.5
    assert {int(label): name for label, name in document["classes"].items()} == CLASSES
    assert [record["index"] for record in document["frames"]] == list(range(40))
    assert files(tmp_path / "out") == [*(f"{i:05d}.png" for i in range(40)), "instances.json"]
    for record, read in zip(document["frames"], read_folder(tmp_path / "out"), strict=True):
        true, (time, numbers, visible, whole) = scene_instances(record["index"]), read
        assert time == Fraction(record["index"] * 1001, 30000)
        assert Fraction(record["duration"]) == Fraction(1001, 30000)
        assert record["seconds"] == float(time)
        assert tuple(record["size"]) == true.size
        assert np.array_equal(numbers, label_map(true))
        objects = record["objects"]
        assert [o["label"] for o in objects] == true.labels.tolist()
        assert [o["class"] for o in objects] == [CLASSES[label] for label in true.labels.tolist()]
        assert [o["id"] for o in objects] == [None] * len(true)
        assert np.array_equal(np.array([o["score"] for o in objects], np.float32), true.scores)
        assert np.array_equal(np.array([o["box"] for o in objects], np.float32), true.boxes)
        for row in range(len(true)):
            assert np.array_equal(whole[row], full_mask(true, row))
            assert not (visible[row] & ~whole[row]).any()


def test_pictures_are_indexed_with_the_davis_palette(tmp_path: Path) -> None:
    write(tmp_path / "out", [scene_instances(0)])
    with Picture.open(tmp_path / "out" / "00000.png") as picture:
        assert picture.mode == "P"
        assert bytes(picture.getpalette() or [])[:30] == davis_palette()[:30]


def test_the_numbers_in_pictures_are_track_ids(tmp_path: Path) -> None:
    found = replace(blobs(4, (60, 80), share=0.1), ids=np.array([3, -1, 1, -1]))
    assert object_numbers(found).tolist() == [3, 2, 1, 4]
    write(tmp_path / "out", [found])
    record = json.loads((tmp_path / "out" / "instances.json").read_text())["frames"][0]
    assert [o["object"] for o in record["objects"]] == [3, 2, 1, 4]
    assert [o["id"] for o in record["objects"]] == [3, None, 1, None]
    (_, numbers, _, _) = read_folder(tmp_path / "out")[0]
    assert np.array_equal(numbers, label_map(found, np.array([3, 2, 1, 4])))


def test_ids_that_do_not_fit_or_repeat_give_way() -> None:
    found = replace(blobs(4, (9, 9)), ids=np.array([70000, 2, 2, 65535]))
    assert object_numbers(found).tolist() == [1, 2, 3, 65535]
    assert object_numbers(Instances.empty((9, 9))).shape == (0,)


def test_ids_that_do_not_fit_are_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = replace(blobs(2, (9, 9)), ids=np.array([70000, 2]))
    with caplog.at_level(logging.WARNING, "vidseg"):
        write(tmp_path / "out", [found, found])
    assert ["ids above 65535" in record.getMessage() for record in caplog.records] == [True]
    frames = json.loads((tmp_path / "out" / "instances.json").read_text())["frames"]
    assert [each["id"] for each in frames[0]["objects"]] == [70000, 2]


def test_more_than_255_objects_take_sixteen_bits(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    many, few = blobs(300, (200, 300), share=0.001), blobs(3, (200, 300))
    with caplog.at_level(logging.WARNING, "vidseg"):
        write(tmp_path / "out", [few, many, many, few])
    assert [len(record.getMessage()) > 0 for record in caplog.records] == [True]
    read = read_folder(tmp_path / "out")
    assert read[0][1].dtype == np.uint8
    assert np.array_equal(read[1][1], label_map(many))
    assert read[1][1].max() == 300


def test_pictures_per_object_keep_what_is_hidden(tmp_path: Path) -> None:
    found = blobs(6, (60, 80), share=0.3)
    write(tmp_path / "out", [found, Instances.empty((60, 80))], per_object=True)
    assert len(files(tmp_path / "out" / "objects")) == 6
    for row in range(6):
        picture = Picture.open(tmp_path / "out" / "objects" / f"00000_{row + 1:03d}.png")
        assert np.array_equal(np.array(picture), full_mask(found, row) * np.uint8(255))


def test_frames_are_written_when_asked_for(tmp_path: Path) -> None:
    with MaskFolder(tmp_path / "out", CLASSES, kept_score=0.1, image=True) as sink:
        for frame in SceneSource(2):
            sink.write(frame, scene_instances(frame.index))
    for index in range(2):
        picture = Picture.open(tmp_path / "out" / "images" / f"{index:05d}.png")
        assert np.array_equal(np.array(picture), scene_image(index))


@pytest.mark.parametrize(
    ("frames", "index", "name"),
    [
        (None, 7, "00007.png"),
        (0, 7, "00007.png"),
        (100_000, 7, "00007.png"),
        (100_001, 7, "000007.png"),
        (5, 123_456, "123456.png"),
    ],
)
def test_names_grow_with_the_video(
    tmp_path: Path, frames: int | None, index: int, name: str
) -> None:
    with MaskFolder(tmp_path / "out", CLASSES, kept_score=0.1, frames=frames) as sink:
        sink.write(frame_of(Instances.empty((4, 6)), index), Instances.empty((4, 6)))
    assert files(tmp_path / "out") == [name, "instances.json"]
    assert read_folder(tmp_path / "out")[0][1].shape == (4, 6)


def test_no_frames_are_valid_json_too(tmp_path: Path) -> None:
    write(tmp_path / "out", [])
    document = json.loads((tmp_path / "out" / "instances.json").read_text())
    assert document["frames"] == []
    assert files(tmp_path / "out") == ["instances.json"]


def test_unknown_labels_and_odd_names_survive(tmp_path: Path) -> None:
    found = replace(blobs(2, (9, 9)), labels=np.array([1, 99]))
    with MaskFolder(tmp_path / "out", {1: 'a "ball" 气球'}, kept_score=0.1) as sink:
        sink.write(frame_of(found), found)
    document = json.loads((tmp_path / "out" / "instances.json").read_text())
    assert [o["class"] for o in document["frames"][0]["objects"]] == ['a "ball" 气球', "99"]


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    kept = tmp_path / "out" / "mine.txt"
    kept.parent.mkdir()
    kept.write_text("mine")
    with pytest.raises(OutputExistsError, match="out"):
        write(kept.parent, [scene_instances(0)])
    assert files(kept.parent) == ["mine.txt"]
    write(kept.parent, [scene_instances(0)], force=True)
    assert files(kept.parent) == ["00000.png", "instances.json", "mine.txt"]


def test_an_empty_folder_is_welcome(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert len(files(write(tmp_path / "out", [scene_instances(0)]))) == 2


def test_a_missing_parent_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="does not exist"):
        write(tmp_path / "no" / "out", [])


@pytest.mark.parametrize("error", [OSError("the source broke"), KeyboardInterrupt()])
def test_a_failed_run_leaves_nothing(tmp_path: Path, error: BaseException) -> None:
    source = BrokenSource(9, at=4, error=error)

    def run() -> None:
        with MaskFolder(tmp_path / "out", CLASSES, kept_score=0.1) as sink:
            for frame in source:
                sink.write(frame, scene_instances(frame.index))

    with pytest.raises(type(error)):
        run()
    assert source.read == 4
    assert list(tmp_path.iterdir()) == []


def test_nothing_has_the_final_name_before_the_end(tmp_path: Path) -> None:
    with MaskFolder(tmp_path / "out", CLASSES, kept_score=0.1) as sink:
        sink.write(frame_of(scene_instances(0)), scene_instances(0))
        assert not (tmp_path / "out").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_full_disk_is_told_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left"):
        write(tmp_path / "out", [scene_instances(0)])
    assert list(tmp_path.iterdir()) == []


def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    found = blobs(5, (120, 160), share=0.1)

    def peak(frames: int, name: str) -> int:
        tracemalloc.start()
        write(tmp_path / name, [found] * frames)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak(3, "first")
    long = min(peak(200, "once"), peak(200, "twice"))  # a cache may fill for the first time in one
    assert long < peak(20, "short") + 100_000


def test_the_docstring_reads_the_folder(tmp_path: Path) -> None:
    with MaskFolder(tmp_path / "OUT", CLASSES, kept_score=0.1) as sink:
        sink.write(frame_of(scene_instances(3)), scene_instances(3))
    lines = (mask_folder.__doc__ or "").splitlines()
    example = lines[next(i for i, line in enumerate(lines) if "import json" in line) :]
    code = "\n".join(line.removeprefix("    ") for line in example)
    names: dict[str, Any] = {}
    exec(code.replace("OUT/", f"{tmp_path}/OUT/"), names)
    assert np.array_equal(names["whole"], full_mask(scene_instances(3), 2))
    assert np.array_equal(names["visible"], names["numbers"] == 3)
