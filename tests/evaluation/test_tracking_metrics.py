"""Tracks against annotated clips: TrackEval itself, run on the files, gives the same numbers."""

import json
import sys
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pictures
from pycocotools import mask as coco

from tests.support.simulated_tracks import Actor, Faults, Scene, crossing, faulty_detections, line
from tests.support.track_stages import tracked
from vidseg.errors import InputError, VidsegError
from vidseg.evaluation import davis, mots, ytvis
from vidseg.evaluation.clips import ANY_CLASS, Clip, MaskTrack, collect_tracks
from vidseg.evaluation.trackeval_sequence import EvaluatedClip, sequence
from vidseg.evaluation.tracking_metrics import score_tracks
from vidseg.results.formats._png_bytes import encode_png
from vidseg.structures.frame import Moment
from vidseg.structures.instances import Instances
from vidseg.structures.masks import from_rle, instance_rle, label_map, to_rle

trackeval = pytest.importorskip("trackeval")

NAMES = {1: "person", 2: "car"}
Stream = list[tuple[Moment, Instances]]
FRAMES = 24


def scenes() -> tuple[Stream, Stream]:
    """The truth, and what a tracker makes of a faulty eye; both without overlaps of masks."""
    scene = replace(crossing(), frames=60)
    faults = Faults(miss=0.05, jitter=1.0, false_positives=0.5)
    found = list(tracked(faulty_detections(scene, faults)))[-FRAMES:]
    ours = [(Moment(n, Fraction(n)), i) for n, (_, i) in enumerate(found)]
    true = [(Moment(n, Fraction(n)), scene.truth(n + scene.frames - FRAMES)) for n in range(FRAMES)]
    known = [(m, i[np.isin(i.labels, (1, 2))]) for m, i in ours]
    return true, known


@pytest.fixture(scope="module")
def streams() -> tuple[Stream, Stream]:
    return scenes()


def theirs(reader: Any, tracker: str, names: Iterable[str]) -> dict[str, dict[str, float]]:
    """TrackEval on its own reader, for each class; one sequence."""
    quiet = {"PRINT_CONFIG": False}
    whole = {"USE_AREA_RANGES": False, "USE_TIME_RANGES": False, "MAX_DETECTIONS": 100}
    metrics = trackeval.metrics
    found = {}
    for name in names:
        raw = reader.get_raw_seq_data(tracker, reader.seq_list[0])
        data = reader.get_preprocessed_seq_data(raw, name)
        hota = metrics.HOTA().eval_sequence(data)
        row = {key: float(np.mean(hota[key])) for key in ("HOTA", "DetA", "AssA", "LocA")}
        clear = metrics.CLEAR(quiet).eval_sequence(data)
        row |= {"MOTA": clear["MOTA"], "id_switches": clear["IDSW"], "misses": clear["CLR_FN"]}
        row |= {"false_alarms": clear["CLR_FP"], "fragments": clear["Frag"]}
        row["IDF1"] = metrics.Identity(quiet).eval_sequence(data)["IDF1"]
        if "dt_tracks" in data:
            ap = metrics.TrackMAP(quiet | whole)
            counted = ap.combine_sequences({"a": ap.eval_sequence(data)})
            row |= {"AP": counted["AP_all"].mean(), "AP50": counted["AP_all"][0]}
            row |= {"AP75": counted["AP_all"][5], "AR": counted["AR_all"].mean()}
        jf = metrics.JAndF().eval_sequence(data)
        row |= {"J&F": jf["J&F"], "J": jf["J-Mean"], "F": jf["F-Mean"]}
        found[name] = row
    return found


def same(ours: dict[str, Any], reference: dict[str, float]) -> None:
    assert {key: ours[key] for key in reference} == pytest.approx(reference, abs=1e-12)


def ytvis_truth(true: Stream) -> dict[str, Any]:
    """As YouTube-VIS writes its truth, with run lengths as numbers."""
    height, width = true[0][1].size
    annotations = []
    for number, one in enumerate(collect_tracks(true, {1: 1, 2: 2}), 1):
        rles = [one.masks.get(index) for index in range(len(true))]
        areas = [None if rle is None else int(coco.area(rle)) for rle in rles]  # pyright: ignore
        annotations.append(
            {
                "id": number,
                "video_id": 7,
                "category_id": one.number,
                "segmentations": [rle and uncompressed(from_rle(rle)) for rle in rles],
                "areas": areas,
                "iscrowd": 0,
                "height": height,
                "width": width,
            }
        )
    files = [f"scene/{index:05}.jpg" for index in range(len(true))]
    video = {"id": 7, "width": width, "height": height, "length": len(true), "file_names": files}
    categories = [{"id": number, "name": name} for number, name in NAMES.items()]
    return {"videos": [video], "annotations": annotations, "categories": categories}


def uncompressed(mask: Any) -> dict[str, Any]:
    flat = np.concatenate([[False], mask.ravel(order="F")])
    turns = np.flatnonzero(np.diff(flat))
    counts = np.diff(turns, prepend=0, append=len(flat) - 1).tolist()
    return {"size": list(mask.shape), "counts": counts}


def test_ytvis_as_trackeval_itself(streams: tuple[Stream, Stream], tmp_path: Path) -> None:
    true, found = streams
    gt, ours = (tmp_path / side / "youtube_vis_train" for side in ("gt", "trackers"))
    gt.mkdir(parents=True)
    (ours / "ours" / "data").mkdir(parents=True)
    (gt / "truth.json").write_text(json.dumps(ytvis_truth(true)))
    file = ours / "ours" / "data" / "results.json"
    rows = [
        {
            "category_id": one.number,
            "score": one.score,
            "segmentations": [one.masks.get(index) for index in range(FRAMES)],
        }
        for one in collect_tracks(found, {1: 1, 2: 2})
    ]
    # the tool counts tracks from 0 and lets what track 0 matched be matched again: give it a 0
    first = {"segmentations": [None] * FRAMES, "category_id": 1, "score": 1e-9}
    file.write_text(json.dumps([{**row, "video_id": 7} for row in [first, *rows]]))
    config = {"GT_FOLDER": f"{tmp_path}/gt/", "TRACKERS_FOLDER": f"{tmp_path}/trackers/"}
    config |= {"TRACKERS_TO_EVAL": ["ours"], "SPLIT_TO_EVAL": "train", "PRINT_CONFIG": False}
    reader = trackeval.datasets.YouTubeVIS(config)
    (clip,) = ytvis.read_truth(gt / "truth.json")
    assert (clip.name, clip.frames, clip.size) == ("scene", FRAMES, true[0][1].size)
    scores = score_tracks([EvaluatedClip(clip, ytvis.read_results(file)[7])])
    for name, row in theirs(reader, "ours", NAMES.values()).items():
        same(scores["classes"][name], row)
    assert 0.3 < scores["all"]["HOTA"] < 0.95
    assert 0.1 < scores["classes"]["person"]["AP"] < 0.95
    assert scores["all"] == scores["clips"]["scene"]


def mots_lines(stream: Stream) -> str:
    """The tracks as MOTS text without overlaps: 1 is car, 2 is person; frames count from 1."""
    lines = []
    for moment, instances in stream:
        values, (height, width) = label_map(instances), instances.size
        for row, label in enumerate(instances.labels.tolist(), 1):
            if (values == row).any():
                number = 3 - label
                identity = 1000 * number + instances.ids[row - 1]
                counts = to_rle(values == row)["counts"]
                start = f"{moment.index + 1} {identity} {number}"
                lines.append(f"{start} {height} {width} {counts}\n")
    return "".join(lines)


def test_mots_as_trackeval_itself(streams: tuple[Stream, Stream], tmp_path: Path) -> None:
    """MOTSChallenge, with a region to ignore; frames count from 1."""
    true, found = streams
    gt, ours = tmp_path / "gt" / "MOTS-train", tmp_path / "trackers" / "MOTS-train"
    source, file = gt / "scene" / "gt" / "gt.txt", ours / "ours" / "data" / "scene.txt"
    for path, stream in ((source, true), (file, found)):
        path.parent.mkdir(parents=True)
        path.write_text(mots_lines(stream))
    ignore_a_corner(source, true)
    (gt / "scene" / "seqinfo.ini").write_text(f"[Sequence]\nname=scene\nseqLength={FRAMES}\n")
    (tmp_path / "gt" / "seqmaps").mkdir()
    (tmp_path / "gt" / "seqmaps" / "MOTS-train.txt").write_text("name\nscene\n")
    config = {"GT_FOLDER": str(tmp_path / "gt"), "TRACKERS_FOLDER": str(tmp_path / "trackers")}
    config |= {"TRACKERS_TO_EVAL": ["ours"], "PRINT_CONFIG": False}
    reader = trackeval.datasets.MOTSChallenge(config)
    (clip,) = mots.read_truth(gt)
    assert (clip.name, clip.frames, clip.classes) == ("scene", FRAMES, {1: "car", 2: "person"})
    tracks = mots.read_results(file, clip)
    scores = score_tracks([EvaluatedClip(clip, tracks)])
    same(scores["classes"]["person"], theirs(reader, "ours", ["pedestrian"])["pedestrian"])
    everywhere = sequence(EvaluatedClip(replace(clip, ignored={}), tracks), 2)
    assert (
        sequence(EvaluatedClip(clip, tracks), 2)["num_tracker_dets"]
        < everywhere["num_tracker_dets"]
    )
    assert scores["all"]["AP"] is None  # the file has no scores


def ignore_a_corner(source: Path, true: Stream) -> None:
    """The right half of the frame without the objects."""
    lines = []
    for moment, instances in true:
        region = label_map(instances) == 0
        region[:, : region.shape[1] // 2] = False
        height, width = region.shape
        counts = to_rle(region)["counts"]
        lines.append(f"{moment.index + 1} 10000 10 {height} {width} {counts}\n")
    source.write_text(source.read_text() + "".join(lines))


def test_davis_as_trackeval_itself(streams: tuple[Stream, Stream], tmp_path: Path) -> None:
    """With void pixels around the objects."""
    true, found = streams
    masks, photos = tmp_path / "Annotations" / "scene", tmp_path / "JPEGImages" / "scene"
    file = tmp_path / "trackers" / "ours" / "data" / "scene"
    for folder in (masks, photos, file):
        folder.mkdir(parents=True)
    for moment, instances in true:
        values = label_map(instances, instances.ids).copy()
        values[:, 300:330][values[:, 300:330] > 0] = 255
        values[:20, :60] = 255
        (masks / f"{moment.index:05}.png").write_bytes(encode_png(values))
        Pictures.fromarray(values).save(photos / f"{moment.index:05}.jpg")
    for moment, instances in found:
        picture = encode_png(label_map(instances, instances.ids))
        (file / f"{moment.index:05}.png").write_bytes(picture)
    config = {"GT_FOLDER": str(masks.parent), "TRACKERS_FOLDER": str(tmp_path / "trackers")}
    config |= {"TRACKERS_TO_EVAL": ["ours"], "PRINT_CONFIG": False}
    reader = trackeval.datasets.DAVIS(config)
    assert davis.is_truth(tmp_path)
    (clip,) = davis.read_truth(tmp_path)
    assert (clip.single, len(clip.void), len(clip.pictures)) == (False, FRAMES, FRAMES)
    scores = score_tracks([EvaluatedClip(clip, davis.read_results(file, clip))])
    same(scores["all"], theirs(reader, "ours", ["general"])["general"])
    assert 0.2 < scores["all"]["J&F"] < 0.95


def clip_of(scene: Scene) -> Clip:
    true = [(Moment(n, Fraction(n)), scene.truth(n)) for n in range(scene.frames)]
    tracks = [replace(track, score=None) for track in collect_tracks(true, None)]
    return Clip("scene", scene.size, scene.frames, tracks, {})


TWO = Scene(
    "two", (Actor(line(100, 100, 2, 0, 60, 60)), Actor(line(400, 250, 0, 0, 80, 80))), frames=10
)


def test_the_truth_itself_is_perfect() -> None:
    clip = clip_of(TWO)
    row = score_tracks([EvaluatedClip(clip, [replace(t, score=0.9) for t in clip.tracks])])["all"]
    measures = ("HOTA", "DetA", "AssA", "LocA", "IDF1", "MOTA", "J&F", "J", "F", "AP", "AP50")
    assert {name: row[name] for name in measures} == pytest.approx(dict.fromkeys(measures, 1.0))
    counts = ("id_switches", "misses", "false_alarms", "fragments", "tracks", "true_tracks")
    assert [row[name] for name in counts] == [0, 0, 0, 0, 2, 2]


def test_known_faults_give_known_numbers() -> None:
    """One track breaks in the middle: another id from frame 5 on."""
    clip = clip_of(TWO)
    whole, other = clip.tracks
    halves = [
        replace(whole, masks={t: whole.masks[t] for t in part}, score=0.5)
        for part in (range(5), range(5, 10))
    ]
    row = score_tracks([EvaluatedClip(clip, [*halves, replace(other, score=0.5)])])["all"]
    assert (row["id_switches"], row["misses"], row["false_alarms"]) == (1, 0, 0)
    assert row["DetA"] == pytest.approx(1)
    # 10 of 20 objects have a track of 5 of their 10 frames, 10 a whole one
    assert row["AssA"] == pytest.approx((0.5 + 1) / 2)
    assert row["HOTA"] == pytest.approx(np.sqrt(0.75))
    assert row["IDF1"] == pytest.approx(15 / 20)
    assert row["MOTA"] == pytest.approx(1 - 1 / 20)
    assert row["J"] == pytest.approx((0.5 + 1) / 2)
    # of three tracks with equal scores, the first and the last are right at 0.5, the last above
    assert row["AP50"] == pytest.approx((51 + 50 * 2 / 3) / 101)
    assert row["AP75"] == pytest.approx(51 / 101 / 3)


def test_nothing_found() -> None:
    row = score_tracks([EvaluatedClip(clip_of(TWO), [])])["all"]
    assert (row["HOTA"], row["IDF1"], row["J&F"], row["AP"]) == (0, 0, 0, 0)
    assert (row["misses"], row["tracks"]) == (20, 0)


def test_nothing_there() -> None:
    empty = Clip("empty", (90, 90), 3, [], {})
    mask = to_rle(np.eye(90, dtype=bool))
    row = score_tracks([EvaluatedClip(empty, [MaskTrack(ANY_CLASS, {0: mask, 1: mask}, 0.5)])])[
        "all"
    ]
    assert (row["false_alarms"], row["J&F"], row["AP"]) == (2, None, None)
    both = score_tracks(
        [EvaluatedClip(clip_of(TWO), clip_of(TWO).tracks), EvaluatedClip(empty, [])]
    )["all"]
    assert both["J&F"] == pytest.approx(1)


def test_one_annotated_object_is_judged_by_its_best_track(tmp_path: Path) -> None:
    """As in DAVIS 2016: 255 on 0, and more to be seen."""
    masks = tmp_path / "Annotations" / "480p" / "two"
    (tmp_path / "JPEGImages" / "480p" / "two").mkdir(parents=True)
    masks.mkdir(parents=True)
    for index in range(TWO.frames):
        first = TWO.truth(index)[:1]
        (masks / f"{index:05}.png").write_bytes(encode_png(np.uint8(255) * label_map(first)))
    (clip,) = davis.read_truth(tmp_path)
    assert (clip.name, clip.single, len(clip.tracks)) == ("two", True, 1)
    found = collect_tracks(
        [(Moment(n, Fraction(n)), TWO.truth(n)) for n in range(TWO.frames)], None
    )
    row = score_tracks([EvaluatedClip(clip, found[::-1])])["all"]
    assert (row["J&F"], row["HOTA"]) == (pytest.approx(1), pytest.approx(1))
    assert (row["false_alarms"], row["tracks"], row["AP"]) == (0, 1, None)
    assert score_tracks([EvaluatedClip(clip, [])])["all"]["J&F"] == 0


def test_only_annotated_frames_are_judged(tmp_path: Path) -> None:
    masks, photos = tmp_path / "Annotations" / "two", tmp_path / "JPEGImages" / "two"
    for folder in (masks, photos):
        folder.mkdir(parents=True)
    for index in range(TWO.frames):
        Pictures.new("L", (9, 9)).save(photos / f"{index:05}.jpg")
        if index % 5 == 0:
            (masks / f"{index:05}.png").write_bytes(encode_png(label_map(TWO.truth(index))))
    (clip,) = davis.read_truth(tmp_path)
    assert (clip.frames, clip.counted) == (10, (0, 5))
    found = collect_tracks(
        [(Moment(n, Fraction(n)), TWO.truth(n)) for n in range(TWO.frames)], None
    )
    assert score_tracks([EvaluatedClip(clip, found)])["all"]["false_alarms"] == 0
    assert len(davis.read_results(masks, clip)) == 2


def test_results_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    clip = clip_of(TWO)
    (tmp_path / "00000.png").write_bytes(encode_png(np.zeros((4, 4), np.uint8)))
    with pytest.raises(InputError, match="1 mask images and scene has 10 frames"):
        davis.read_results(tmp_path, clip)
    with pytest.raises(InputError, match="masks of 4x4 for a clip of 640x360"):
        davis.read_results(tmp_path, replace(clip, frames=1))
    rle = instance_rle(TWO.truth(0), 0)["counts"]
    file = tmp_path / "mots.txt"
    file.write_text(f"10 2001 2 360 640 {rle}\n")
    assert mots.read_results(file, clip)[0].masks.keys() == {9}
    file.write_text(f"11 2001 2 360 640 {rle}\n0 2002 2 360 640 {rle}\n")
    with pytest.raises(InputError, match="in frame 11, which scene"):
        mots.read_results(file, clip)
    for text in ("1 2001 2 360\n", "1 2001 2 360 640 a\n"):
        file.write_text(text)
        with pytest.raises(InputError, match=r"line 1, does not follow the format of MOTS"):
            mots.read_results(file, clip)
    file.write_text('[{"video_id": 1}]')
    with pytest.raises(InputError, match="no results of YouTube-VIS"):
        ytvis.read_results(file)


def test_mots_pictures_are_read_as_text_is(tmp_path: Path) -> None:
    folder = tmp_path / "instances" / "0002"
    folder.mkdir(parents=True)
    for index in range(3):
        values = label_map(TWO.truth(index)).astype(np.uint16)
        values[values > 0] += 2000
        values[:9, :9] = 10000
        (folder / f"{index:06}.png").write_bytes(encode_png(values))
    (clip,) = mots.read_truth(tmp_path)
    assert (clip.name, clip.frames, clip.classes) == ("0002", 3, {2: "person"})
    assert (len(clip.tracks), len(clip.ignored)) == (2, 3)


def test_without_trackeval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trackeval", None)
    with pytest.raises(VidsegError, match=r"pip install 'vidseg\[evaluate\]'"):
        score_tracks([])
