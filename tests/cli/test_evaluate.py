"""vidseg evaluate: photos, clips and videos in; JSON, a table and pictures out."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pictures

from tests.evaluation.test_photos import annotations
from tests.support.commands import fails, run
from tests.support.doubles import OraclePredictor
from tests.support.pages import facts_of
from tests.support.saved_detections import folder_facts, header_for_tests, source_facts
from tests.support.scenes import CLASSES, SIZE, scene_image, scene_instances, write_scene
from vidseg.cli.commands.data import FORMATS
from vidseg.cli.commands.evaluate import CLIP_FORMATS, evaluate
from vidseg.evaluation.plots import PHOTO_SIDE_PIXELS
from vidseg.results.formats._png_bytes import encode_png
from vidseg.results.vidseg_writer import DetectionWriter
from vidseg.structures.frame import Moment
from vidseg.structures.instances import Instances
from vidseg.structures.masks import instance_rle, label_map, to_rle

pytest.importorskip("trackeval")
pytest.importorskip("skimage")


def photos(folder: Path, count: int = 3, *, first: int = 50) -> Path:
    """Scenes, their COCO file with ids from `first` on down, and classes counted from 0."""
    folder.mkdir(exist_ok=True)
    images, rows = [], []
    for index in range(count):
        name = f"{index}.png"
        Pictures.fromarray(scene_image(index)).save(folder / name)
        size = {"height": SIZE[0], "width": SIZE[1]}
        images.append({"id": first - index, "file_name": name, **size})
        for each in annotations(first - index, scene_instances(index)):
            rows.append({**each, "category_id": each["category_id"] - 1})
    categories = [{"id": label - 1, "name": name} for label, name in CLASSES.items()]
    document = {"images": images, "annotations": rows, "categories": categories}
    (folder / "truth.json").write_text(json.dumps(document))
    return folder


def report(*words: object) -> dict[str, Any]:
    result = run("evaluate", *words)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_photos(tmp_path: Path, model: str, oracle: OraclePredictor) -> None:
    data, out = photos(tmp_path / "data"), tmp_path / "report"
    result = run("evaluate", "--model", model, "--out", out, data)
    facts = json.loads(result.stdout)
    assert facts["masks"]["AP"] == pytest.approx(1)
    assert facts["boxes"]["AP50"] == pytest.approx(1)
    assert set(facts["classes"]) == set(CLASSES.values())
    assert (facts["photos"], facts["objects"]) == (3, 9)
    assert any(line.split()[:2] == ["masks", "1.000"] for line in result.stderr.splitlines())
    files = {path.name for path in out.iterdir()}
    # no photo went wrong
    assert files == {"report.html", "precision_recall.png", "truth.json", "results.json"}
    page = (out / "report.html").read_text()
    assert "<td>masks</td><td>1.000</td>" in page
    assert "Every object was found" in page
    assert {i["id"] for i in json.loads((out / "truth.json").read_text())["images"]} == {48, 49, 50}
    assert "not empty" in fails("evaluate", "--model", model, "--out", out, data)
    quiet = run("evaluate", "--model", model, "-q", data)
    assert quiet.stderr == ""


def test_the_worst_photos_are_shown(tmp_path: Path, model: str, oracle: OraclePredictor) -> None:
    data, out = photos(tmp_path / "data"), tmp_path / "report"
    Pictures.fromarray(scene_image(40)).save(data / "1.png")  # not what was annotated
    facts = report("--model", model, "--out", out, data)
    assert 0.3 < facts["masks"]["AP"] < 0.9
    with Pictures.open(out / "01_1.jpg") as picture:
        assert picture.width == 2 * SIZE[1] + 8
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    red = (pixels[..., 0] > 200) & (pixels[..., 1:].max(axis=2) < 110)
    assert red[:, : SIZE[1]].any()
    assert red[:, SIZE[1] + 8 :].any()
    assert (out / "01_1_overlaps.png").exists()
    page = (out / "report.html").read_text()
    assert f"<td>masks</td><td>{facts['masks']['AP']:.3f}</td>" in page
    assert page.count("<img ") == 2
    assert 'alt="1.png: ' in page
    assert SIZE[1] < PHOTO_SIDE_PIXELS


def test_results_of_others(tmp_path: Path) -> None:
    """COCO results with the file's own ids of photos and classes."""
    data = photos(tmp_path / "data")
    rows = [
        {
            "image_id": 50 - index,
            "category_id": int(found.labels[row]) - 1,
            "segmentation": instance_rle(found, row),
            "score": 0.9,
        }
        for index in range(3)
        for found in [scene_instances(index)]
        for row in range(len(found))
    ]
    file = tmp_path / "results.json"
    file.write_text(json.dumps([*rows, {**rows[0], "image_id": 7}]))
    facts = report("--detections", file, data)
    assert (facts["masks"]["AP"], facts["detections"]) == (pytest.approx(1), 9)
    one = report("--detections", file, "--class", "disc", data)
    assert set(one["classes"]) == {"disc"}
    file.write_text(json.dumps([{**rows[0], "image_id": 7}]))
    assert "no result of these photos" in fails("evaluate", "--detections", file, data)
    file.write_text("{}")
    assert fails("evaluate", "--detections", tmp_path / "none.json", data).startswith(str(tmp_path))


def saved(path: Path, found: list[Instances], source: dict[str, Any], kept: float = 0.05) -> Path:
    header = header_for_tests(CLASSES, source=source, kept_score=kept)
    with DetectionWriter(path, header, force=True) as sink:
        for index, instances in enumerate(found):
            sink.write(Moment(index, Fraction(index), Fraction(1)), instances)  # pyright: ignore
    return path


def test_saved_detections_of_photos(tmp_path: Path) -> None:
    data = photos(tmp_path / "data")
    source = folder_facts("0.png", "1.png", "2.png")
    file = saved(tmp_path / "found.vidseg", [scene_instances(i) for i in range(3)], source)
    assert report("--detections", file, data)["masks"]["AP"] == pytest.approx(1)
    saved(file, [], source, kept=0.5)
    assert "--keep-score 0.05" in fails("evaluate", "--detections", file, data, code=2)
    saved(file, [], folder_facts("x.png"))
    assert "photos other than" in fails("evaluate", "--detections", file, data)


def davis(folder: Path, count: int = 6) -> Path:
    """A clip of scenes as DAVIS has it."""
    pictures, masks = (folder / kind / "480p" / "scene" for kind in ("JPEGImages", "Annotations"))
    for index in range(count):
        for path in (pictures, masks):
            path.mkdir(parents=True, exist_ok=True)
        Pictures.fromarray(scene_image(index)).save(pictures / f"{index:05}.png")
        (masks / f"{index:05}.png").write_bytes(encode_png(label_map(scene_instances(index))))
    return folder


def test_clips_by_a_model(tmp_path: Path, model: str, oracle: OraclePredictor) -> None:
    data = davis(tmp_path / "davis")
    result = run("evaluate", "--model", model, data)
    facts = json.loads(result.stdout)
    assert (facts["format"], facts["tracked"]) == ("davis", True)
    assert facts["all"]["J&F"] > 0.95
    assert (facts["all"]["id_switches"], facts["all"]["tracks"]) == (0, 3)
    assert facts["clips"]["scene"] == facts["all"]
    assert "J&F" in result.stderr
    loose = report("--model", model, "--no-track", data)["all"]
    assert loose["tracks"] == 18  # every object of every frame is a track of its own
    assert loose["HOTA"] < facts["all"]["HOTA"]
    photos = report("--format", "masks", "--model", model, "--class", "disc", data)
    assert photos["photos"] == 6
    assert "is for photos" in fails("evaluate", "--split", "val", "--model", model, data, code=2)


def test_a_page_shows_the_truth_of_clips_beside_what_was_found(
    tmp_path: Path, model: str, oracle: OraclePredictor
) -> None:
    data, out = davis(tmp_path / "davis"), tmp_path / "report"
    facts = report("--model", model, "--out", out, data)
    (clip,) = facts_of(out / "report.html")["videos"]
    assert (clip["name"], clip["frames"], clip["timed"]) == ("scene", 6, False)
    assert clip["metrics"]["HOTA"] == facts["clips"]["scene"]["HOTA"]
    assert [(one["frames"], one["found"], one["ids"]) for one in clip["truth"]] == [
        *((6, 6, [1]), (6, 6, [2]), (6, 6, [3]))
    ]
    assert all(one["mean_iou"] > 0.95 for one in clip["truth"])
    assert [track["unmatched"] for track in clip["tracks"]] == [0, 0, 0]
    assert clip["tracks"][0]["score"]["mean"] == pytest.approx(0.95, abs=1e-4)
    page = tmp_path / "page.html"
    assert run("report", "--model", model, data, page).exit_code == 0
    (again,) = facts_of(page)["videos"]
    assert {**again, "made": {}} == {**clip, "made": {}}
    assert "not empty" in fails("evaluate", "--model", model, "--out", out, data)
    assert "are for videos" in fails(
        "report", "--model", model, "--end", 1, data, tmp_path / "b.html", code=2
    )


def test_clips_by_results(tmp_path: Path) -> None:
    data = davis(tmp_path / "davis")
    masks = data / "Annotations" / "480p"
    for results in (masks, masks / "scene", data / "Annotations"):
        assert report("--detections", results, data)["all"]["J&F"] == pytest.approx(1)
    entries = [
        {
            "video_id": 1,
            "category_id": 1,
            "score": 0.9,
            "segmentations": [instance_rle(scene_instances(i), row) for i in range(6)],
        }
        for row in range(3)
    ]
    file = tmp_path / "tracks.json"
    file.write_text(json.dumps(entries))
    facts = report("--detections", file, data)["all"]
    assert (facts["AP"], facts["HOTA"]) == (pytest.approx(1), pytest.approx(1))
    lines = []
    for index in range(6):
        values = label_map(scene_instances(index))
        for row in range(1, 4):
            counts = to_rle(values == row)["counts"]
            lines.append(f"{index} {2000 + row} 2 {SIZE[0]} {SIZE[1]} {counts}\n")
    (tmp_path / "scene.txt").write_text("".join(lines))
    assert report("--detections", tmp_path, data)["all"]["HOTA"] == pytest.approx(1)
    (tmp_path / "scene.txt").unlink()
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "no results of scene" in fails("evaluate", "--detections", empty, data)


def test_saved_detections_of_a_clip_are_tracked(tmp_path: Path) -> None:
    data = davis(tmp_path / "davis")
    source = source_facts(name="scene", size=list(SIZE))
    file = tmp_path / "scene.vidseg"
    saved(file, [scene_instances(i) for i in range(6)], source)
    assert report("--detections", file, data)["all"]["tracks"] == 3


def test_clips_without_frames_need_results(
    tmp_path: Path, model: str, oracle: OraclePredictor
) -> None:
    truth = {
        "videos": [{"id": 1, "width": 9, "height": 9, "file_names": ["a/0.jpg", "a/1.jpg"]}],
        "annotations": [],
        "categories": [{"id": 1, "name": "disc"}],
    }
    file = tmp_path / "truth.json"
    file.write_text(json.dumps(truth))
    assert "frames of a are missing" in fails("evaluate", "--model", model, file)
    truth["categories"] = [{"id": 1, "name": "yak"}]
    file.write_text(json.dumps(truth))
    assert "they have disc, rectangle" in fails("evaluate", "--model", model, file, code=2)


def test_a_video_without_labels(tmp_path: Path, model: str, oracle: OraclePredictor) -> None:
    video = write_scene(tmp_path / "in.mp4", frames=20)
    result = run("evaluate", "--model", model, video)
    facts = json.loads(result.stdout)
    assert (facts["frames"], facts["flickers"], facts["ids"]) == (20, 0, 3)
    assert 0.05 < facts["coverage"] < 0.5
    assert facts["objects_per_frame"] == 3
    assert "share of the frame covered" in result.stderr
    assert report("--model", model, "--no-track", video)["ids"] is None
    part = report("--model", model, "--end", "0.2", video)
    assert part["frames"] == 6
    file = tmp_path / "found.vidseg"
    assert run("detect", "--model", model, video, file).exit_code == 0
    assert report("--detections", file, video)["flickers"] == 0
    out = tmp_path / "report"
    assert report("--detections", file, "--out", out, video) == report("--detections", file, video)
    (page,) = facts_of(out / "report.html")["videos"]
    assert page["metrics"]["share of the frame covered"] == facts["coverage"]
    assert page["coverage"]["mean"] == pytest.approx(facts["coverage"], abs=0.01)
    assert [track["frames"] for track in page["tracks"]] == [20, 20, 20]


def test_wrong_options(tmp_path: Path, model: str, oracle: OraclePredictor) -> None:
    data = photos(tmp_path / "data")
    assert "--model, --class, or results" in fails("evaluate", data, code=2)
    assert "take the place" in fails(
        "evaluate", "--model", model, "--detections", "x.json", data, code=2
    )
    assert "does not exist" in fails("evaluate", "--model", model, tmp_path / "nothing")
    assert "score must be" in fails("evaluate", "--model", model, "--score", 2, data, code=2)
    assert "for videos" in fails("evaluate", "--model", model, "--end", 1, data, code=2)
    assert "nothing to evaluate" in fails("evaluate", "--model", model, data / "0.png", code=2)


def test_formats_are_those_that_there_are() -> None:
    (named,) = (p for p in evaluate.params if p.name == "name")
    assert [*CLIP_FORMATS, *FORMATS] == list(named.type.choices)  # pyright: ignore
