"""Tracking stages, and ids saved with detections for every later use of the file."""

import csv
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.commands import run
from tests.support.doubles import OraclePredictor
from tests.support.random_instances import blobs
from tests.support.scenes import write_scene
from tests.support.simulated_tracks import (
    ALL_FAULTS,
    NO_FAULTS,
    Faults,
    crossing,
    faulty_detections,
    with_faults,
)
from vidseg.errors import VidsegError
from vidseg.pipeline._saved_frames import quantize_masks
from vidseg.pipeline.detect_to_file import detect_to_file
from vidseg.pipeline.run_options import RunOptions
from vidseg.pipeline.search import Search
from vidseg.results._part_file import part_of
from vidseg.results._records import encode_frame, read_records
from vidseg.results.vidseg_file import read_detections
from vidseg.results.vidseg_header import read_header_line
from vidseg.structures.frame import Frame, Image, Moment
from vidseg.structures.instances import ARRAY_FIELDS, UNTRACKED, Instances
from vidseg.tracking.stages import assign_ids, shown_tracks, without_tracks
from vidseg.video.decoding.reader import read_frames
from vidseg.video.probe import probe

EYE = Faults(miss=0.2, jitter=1.0, weak=0.3, false_positives=0.3, mislabel=0.2)
FRAMES = 40


class FaultyOracle(OraclePredictor):
    """Detects the true objects with faults, always the same in the same frame."""

    def _look(self, image: Image) -> Instances:
        truth = super()._look(image)
        found = with_faults(truth, EYE, np.random.default_rng(self.seen[-1]))
        return replace(found, labels=np.where(found.labels == 3, 1, found.labels))


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_scene(tmp_path / "in.mp4", frames=FRAMES)


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> FaultyOracle:
    predictor = FaultyOracle()
    monkeypatch.setattr("tests.support.plugged.predictor", predictor)
    return predictor


@pytest.fixture
def saved(clip: Path, model: str, faulty: FaultyOracle, tmp_path: Path) -> Path:
    assert run("detect", "--model", model, clip, tmp_path / "a.vidseg").exit_code == 0
    return tmp_path / "a.vidseg"


def assert_same(a: Instances, b: Instances) -> None:
    for name in ARRAY_FIELDS:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


class ByLabel:
    """A tracker of one's own: the label is the id."""

    def update(self, frame: Frame, instances: Instances) -> Instances:
        first = np.unique(instances.labels, return_index=True)[1]
        ids = np.full(len(instances), UNTRACKED, np.int64)
        ids[first] = instances.labels[first]
        return instances.with_ids(ids)


def test_a_tracker_of_ones_own_takes_the_place_of_the_default_one() -> None:
    pairs = list(faulty_detections(crossing(), NO_FAULTS))
    tracks = assign_ids(pairs, score=0.5, fill=5, tracker=ByLabel())
    for (_, detected), (_, shown) in zip(pairs, shown_tracks(tracks, radius=0), strict=True):
        assert shown.ids.tolist() == shown.labels.tolist()
        assert set(shown.ids) == set(detected.labels)


class Wrong:
    """A tracker that returns what it was made with."""

    def __init__(self, make: Callable[[Instances], Instances]) -> None:
        self.make = make

    def update(self, frame: Frame, instances: Instances) -> Instances:
        return self.make(instances)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda found: found[:0],
            r"Wrong.update returned 0 of [1-9]\d* objects; it must return all",
        ),
        (lambda found: found.with_ids(0 * found.ids + 3), r"the ids \[3, 3.*\]; ids start at 1"),
        (lambda found: None, r"Wrong.update must return vidseg.Instances, got None"),
        (lambda found: found.with_ids(0 * found.ids), r"the ids \[0.*\]; ids start at 1"),
    ],
)
def test_a_tracker_of_ones_own_that_goes_wrong_is_told(
    make: Callable[[Instances], Instances], message: str
) -> None:
    pairs = [pair for pair in faulty_detections(crossing(), NO_FAULTS) if len(pair[1]) > 1]
    with pytest.raises(VidsegError, match=message):
        list(assign_ids(pairs, score=0.5, fill=5, tracker=Wrong(make)))


def test_everything_detected_is_kept_when_ids_are_assigned() -> None:
    pairs = list(faulty_detections(crossing(), ALL_FAULTS))
    known = list(assign_ids(pairs, score=0.5, fill=5))
    assert sum(instances.filled.sum() for _, instances in known) > 5
    for (_, raw), (_, back) in zip(pairs, without_tracks(known), strict=True):
        order = [np.lexsort((*i.boxes.T, i.scores)) for i in (raw, back)]
        assert_same(raw[order[0]], back[order[1]])


def test_ids_are_saved_and_gaps_are_marked(saved: Path) -> None:
    rows: Counter[tuple[bool, bool]] = Counter()
    for _, instances in read_detections(saved):
        rows.update(zip((instances.ids > 0).tolist(), instances.filled.tolist(), strict=True))
        assert len(set(instances.ids[instances.ids > 0])) == (instances.ids > 0).sum()
    assert rows[True, False] > FRAMES
    assert rows[True, True] > 3
    assert rows[False, False] > 3
    assert rows[False, True] == 0


@pytest.mark.parametrize("score", [0.5, 0.7])
@pytest.mark.parametrize("name", ["csv", "mots", "ytvis"])
def test_saved_detections_give_the_tracks_of_a_direct_run(
    name: str, score: float, saved: Path, clip: Path, model: str, tmp_path: Path
) -> None:
    words = ["--format", name, "--score", score]
    plain, again = tmp_path / "plain", tmp_path / "again"
    assert run("frames", *words, "--model", model, clip, plain).exit_code == 0
    assert run("frames", *words, "--detections", saved, clip, again).exit_code == 0
    assert plain.read_bytes() == again.read_bytes()


@pytest.mark.parametrize("name", ["csv", "mots", "ytvis", "coco"])
def test_export_without_the_video_has_the_tracks(
    name: str, saved: Path, clip: Path, model: str, tmp_path: Path
) -> None:
    direct, exported = tmp_path / "direct", tmp_path / "exported"
    assert run("frames", "--format", name, "--model", model, clip, direct).exit_code == 0
    assert run("export", "--format", name, saved, exported).exit_code == 0
    assert direct.read_bytes() == exported.read_bytes()


def test_export_at_another_score_keeps_the_ids(saved: Path, tmp_path: Path) -> None:
    def rows(score: float) -> list[dict[str, Any]]:
        target = tmp_path / f"{score}.csv"
        assert run("export", "--format", "csv", "--score", score, saved, target).exit_code == 0
        return list(csv.DictReader(target.read_text().splitlines()))

    every, some = rows(0.5), rows(0.8)
    assert some == [row for row in every if float(row["score"]) >= 0.8]
    assert 0 < len(some) < len(every)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.61, 0.98])
def test_a_resumed_run_knows_the_tracks_before(
    share: float, saved: Path, clip: Path, model: str, faulty: FaultyOracle
) -> None:
    whole = saved.read_bytes()
    part_of(saved).write_bytes(whole[: round(len(whole) * share)])
    with part_of(saved).open("rb") as file:
        read_header_line(file)
        left = len(list(read_records(file, saved)))
    saved.unlink()
    faulty.seen.clear()
    assert run("detect", "--model", model, "--resume", clip, saved).exit_code == 0
    assert saved.read_bytes() == whole
    assert len(faulty.seen) == FRAMES - max(left - 5, 0) // 8 * 8


@pytest.mark.parametrize("fill", [5, 0, 2])
@pytest.mark.parametrize("broken", [15, 17, 18, 20, 21])
def test_a_run_that_failed_in_a_gap_resumes_to_the_same_file(
    broken: int, fill: int, clip: Path, model: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Frames before an error are written, although gaps and confirmation need later ones."""

    def detect(saved: Path, *, broken: int | None = None, resume: bool = False) -> None:
        monkeypatch.setattr("tests.support.plugged.predictor", _Blinking(broken))
        search = Search(model=model, batch_size=1, fill=fill)
        detect_to_file(clip, saved, search=search, options=RunOptions(resume=resume))

    whole, saved = tmp_path / "whole.vidseg", tmp_path / "saved.vidseg"
    detect(whole)
    with pytest.raises(RuntimeError, match="broke"):
        detect(saved, broken=broken)
    detect(saved, resume=True)
    assert saved.read_bytes() == whole.read_bytes()


class _Blinking(OraclePredictor):
    """Misses the first object in frames 14 to 17, and finds the last one weakly before frame 20.
    Raises at frame `broken`."""

    def __init__(self, broken: int | None) -> None:
        super().__init__()
        self.broken = broken

    def _look(self, image: Image) -> Instances:
        found = super()._look(image)
        if self.seen[-1] == self.broken:
            raise RuntimeError("the predictor broke")
        number = self.seen[-1] or 0
        scores = found.scores.copy()
        scores[-1:] = 0.9 if number >= 20 else 0.6 if number == 12 else 0.2
        found = replace(found, scores=scores)
        return found[1:] if number in range(14, 18) else found


def test_without_tracking_there_are_no_ids_and_no_filled_objects(
    clip: Path, model: str, faulty: FaultyOracle, tmp_path: Path
) -> None:
    plain = tmp_path / "plain.vidseg"
    assert run("detect", "--no-track", "--model", model, clip, plain).exit_code == 0
    for frame, (_, instances) in zip(read_frames(probe(clip)), read_detections(plain), strict=True):
        assert (instances.ids == -1).all()
        assert_same(instances, faulty.predict([frame.image])[0])


def test_saved_tracks_can_be_left_out(saved: Path, clip: Path, model: str, tmp_path: Path) -> None:
    words = ["--no-track", "--format", "csv"]
    plain, again = tmp_path / "plain.csv", tmp_path / "again.csv"
    assert run("frames", *words, "--model", model, clip, plain).exit_code == 0
    assert run("frames", *words, "--detections", saved, clip, again).exit_code == 0

    def rows(path: Path) -> list[list[str]]:
        return sorted(csv.reader(path.read_text().splitlines()))

    assert rows(plain) == rows(again)


def test_coarse_masks_keep_their_threshold_and_are_coarse_once() -> None:
    side = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    levels = quantize_masks(replace(blobs(1, (90, 90), side=16), masks=side))
    assert ((levels.masks >= 128) == (side >= 128)).all()
    assert len(np.unique(levels.masks)) == 16
    assert np.abs(levels.masks.astype(int) - side).max() <= 15
    assert {0, 255} <= set(levels.masks.ravel().tolist())
    assert_same(quantize_masks(levels), levels)
    soft = blobs(20, (720, 1280))
    exact, small = (
        encode_frame(Moment(0, Fraction(0)), each) for each in (soft, quantize_masks(soft))
    )
    assert len(small) < 0.8 * len(exact)


def test_compact_files_are_smaller_and_resume_too(
    saved: Path, clip: Path, model: str, tmp_path: Path
) -> None:
    small = tmp_path / "small.vidseg"
    words = ["detect", "--compact", "--model", model, clip, small]
    assert run(*words).exit_code == 0
    whole = small.read_bytes()
    for (_, a), (_, b) in zip(read_detections(saved), read_detections(small), strict=True):
        assert a.boxes.shape == b.boxes.shape
        assert len(np.unique(b.masks)) <= 16
    part_of(small).write_bytes(whole[: len(whole) // 2])
    small.unlink()
    assert run(*words, "--resume").exit_code == 0
    assert small.read_bytes() == whole
