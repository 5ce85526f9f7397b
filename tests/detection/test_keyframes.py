"""Keyframe mode, on objects of known motion."""

import threading
from collections.abc import Iterable, Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.pipeline.test_run import Census
from tests.support.commands import run
from tests.support.doubles import BrokenPredictor, BrokenSource, OraclePredictor, SceneSource
from tests.support.scenes import write_scene
from tests.support.simulated_tracks import BLUE, RED, Actor, Scene, during, line
from vidseg.detection import Every, detect_keyframes, frames_waiting
from vidseg.detection.batched import detect
from vidseg.errors import OptionError
from vidseg.pipeline.detect_to_file import detect_to_file
from vidseg.pipeline.run_options import RunOptions
from vidseg.pipeline.search import Search
from vidseg.pipeline.stages import with_ids
from vidseg.structures.frame import Frame, Image
from vidseg.structures.instances import UNTRACKED, Instances
from vidseg.structures.masks import iou_matrix
from vidseg.video.decoding.reader import read_frames
from vidseg.video.probe import probe


class Eye:
    """Returns the truth of a scene by the picture, and counts the pictures."""

    def __init__(self, scene: Scene, blind: Iterable[int] = ()) -> None:
        self.classes = {1: "thing", 2: "other"}
        self.scene, self.blind = scene, set(blind)
        self.pictures = [scene.frame(index) for index in range(scene.frames)]
        self.seen: list[int] = []
        self.batches: list[int] = []

    def predict(self, images: Sequence[Image]) -> list[Instances]:
        self.batches.append(len(images))
        return [self._look(image) for image in images]

    def _look(self, image: Image) -> Instances:
        index = next(f.index for f in self.pictures if f.image is image)
        self.seen.append(index)
        truth = self.scene.truth(index)
        truth = truth.with_ids(np.full(len(truth), UNTRACKED, np.int64))
        return truth[:0] if index in self.blind else truth


def watched(
    scene: Scene, every: Every, *, blind: Iterable[int] = (), batch_size: int = 2
) -> tuple[Eye, list[Instances]]:
    eye = Eye(scene, blind)
    found = list(detect_keyframes(iter(eye.pictures), eye, every=every, batch_size=batch_size))
    assert [frame.index for frame, _ in found] == list(range(scene.frames))
    return eye, [instances for _, instances in found]


def overlaps(scene: Scene, found: list[Instances]) -> list[float]:
    """For each frame, the least IoU of a true object with the one found."""
    least = []
    for index, instances in enumerate(found):
        truth = scene.truth(index)
        assert len(truth) == len(instances), index
        least.append(float(iou_matrix(truth, instances).max(axis=1, initial=0).min(initial=1)))
    return least


MOVES = {
    "still": line(200, 150, 0, 0, 90, 90),
    "slow": line(150, 150, 2, 1, 90, 90),
    "fast": line(100, 150, 9, 2, 90, 90),
    "growing": lambda index: (320, 180, 60 + 4 * index, 60 + 4 * index),
    "shrinking": lambda index: (320, 180, 160 - 4 * index, 160 - 4 * index),
}


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("every", [3, 5])
def test_objects_follow_their_motion(move: str, every: int) -> None:
    scene = Scene(move, (Actor(MOVES[move], RED, "disc"),), frames=16)
    eye, found = watched(scene, every)
    assert min(overlaps(scene, found)) > 0.85
    assert eye.seen == sorted({*range(0, 16, every), 15})


def test_propagated_objects_are_marked() -> None:
    scene = Scene("slow", (Actor(MOVES["slow"], RED, "disc"),), frames=11)
    _, found = watched(scene, 5)
    assert [bool(one.filled[0]) for one in found] == [index % 5 != 0 for index in range(11)]
    assert {int(one.ids[0]) for one in found} == {UNTRACKED}


def test_crossing_objects_stay_apart() -> None:
    actors = (
        Actor(line(150, 160, 8, 0, 80, 80), RED, "disc", label=1),
        Actor(line(400, 200, -8, 0, 80, 80), BLUE, "box", label=2),
    )
    scene = Scene("crossing", actors, frames=31)
    _, found = watched(scene, 5)
    for index, instances in enumerate(found):
        truth = scene.truth(index)
        assert sorted(instances.labels.tolist()) == sorted(truth.labels.tolist())
        for row, label in enumerate(truth.labels.tolist()):
            same = iou_matrix(truth[row : row + 1], instances[instances.labels == label])
            assert same.max() > 0.75, (index, label)


def test_scores_go_from_one_keyframe_to_the_next() -> None:
    scene = Scene("slow", (Actor(MOVES["slow"], RED, "disc"),), frames=6)

    class Fading(Eye):
        def _look(self, image: Image) -> Instances:
            one = super()._look(image)
            one.scores[:] = 0.9 if self.seen[-1] == 0 else 0.4
            return one

    eye = Fading(scene)
    found = list(detect_keyframes(iter(eye.pictures), eye, every=5, batch_size=1))
    scores = [float(one.scores[0]) for _, one in found]
    np.testing.assert_allclose(scores, np.linspace(0.9, 0.4, 6), atol=1e-5)


def test_an_object_of_one_keyframe_is_shown_half_of_the_way() -> None:
    scene = Scene("slow", (Actor(MOVES["slow"], RED, "disc"),), frames=13)
    _, found = watched(scene, 6, blind=[6])
    assert [len(one) for one in found] == [1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1]


def test_an_object_that_leaves_is_shown_until_it_is_out() -> None:
    scene = Scene("leaving", (Actor(line(560, 180, 14, 0, 80, 80), RED, "disc"),), frames=13)
    there = [len(scene.truth(index)) for index in range(13)]
    assert there[0] == 1
    assert there[12] == 0
    _, found = watched(scene, 12)
    shown = [len(one) for one in found]
    assert sum(a != b for a, b in zip(shown, there, strict=True)) <= 2, (shown, there)


def test_an_object_that_enters_is_shown_from_the_edge() -> None:
    scene = Scene("entering", (Actor(line(-60, 180, 14, 0, 80, 80), RED, "disc"),), frames=11)
    there = [len(scene.truth(index)) for index in range(11)]
    _, found = watched(scene, 10)
    shown = [len(one) for one in found]
    assert sum(a != b for a, b in zip(shown, there, strict=True)) <= 2, (shown, there)


def test_nothing_is_carried_over_a_cut() -> None:
    actors = (
        Actor(during(0, 7, line(200, 100, 3, 0, 80, 80)), RED, "disc"),
        Actor(during(7, 20, line(420, 260, 3, 0, 80, 80)), BLUE, "box", label=2),
    )
    scene = Scene("cut", actors, frames=14, shot=7)
    eye, found = watched(scene, 5)
    assert eye.seen == [0, 5, 6, 7, 10, 13]  # the last frame before the cut and the first after it
    assert [one.labels.tolist() for one in found] == [[1]] * 7 + [[2]] * 7


def test_frames_without_objects() -> None:
    scene = Scene("nothing", (), frames=12)
    eye, found = watched(scene, 5)
    assert [len(one) for one in found] == [0] * 12
    assert eye.seen == [0, 5, 10, 11]


@pytest.mark.parametrize(("frames", "keys"), [(1, [0]), (2, [0, 1]), (7, [0, 6])])
def test_a_step_longer_than_the_video(frames: int, keys: list[int]) -> None:
    scene = Scene("short", (Actor(MOVES["slow"], RED, "disc"),), frames=frames)
    eye, found = watched(scene, 50)
    assert eye.seen == keys
    assert min(overlaps(scene, found)) > 0.85


def test_auto_looks_more_often_when_things_move() -> None:
    quiet = Scene("quiet", (Actor(MOVES["still"], RED, "disc"),), frames=31)
    hasty = Scene("hasty", (Actor(lambda i: (24 * i - 40, 180, 300, 300), RED, "star"),), frames=31)
    assert watched(quiet, "auto")[0].seen == [0, 10, 20, 30]
    assert len(watched(hasty, "auto")[0].seen) > 8


def test_keyframes_come_in_batches() -> None:
    source, oracle = SceneSource(30), OraclePredictor()
    found = list(detect(source, oracle, batch_size=4, every=4))
    assert [frame.index for frame, _ in found] == list(range(30))
    assert oracle.seen == [*range(0, 30, 4), 29]
    assert oracle.batches == [4, 4, 1]
    assert source.closed


@pytest.mark.parametrize("size", [(8, 8), (16, 300), (70, 40)])
def test_small_frames(size: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    frames = [
        Frame(i, Fraction(i, 30), random.integers(0, 255, (*size, 3), np.uint8)) for i in range(7)
    ]

    class Whole:
        def __init__(self) -> None:
            self.classes = {1: "thing"}

        def predict(self, images: Sequence[Image]) -> list[Instances]:
            box = np.array([[0, 0, size[1], size[0]]], np.float32)
            one, soft = np.ones(1, np.int64), np.full((1, 28, 28), 255, np.uint8)
            return [Instances(box, soft, np.ones(1, np.float32), one, -one, size) for _ in images]

    found = list(detect_keyframes(iter(frames), Whole(), every=3, batch_size=1))
    assert len(found) == 7
    assert all(len(instances) == 1 for _, instances in found)


def test_a_source_error_arrives_after_the_frames_before_it() -> None:
    source, oracle, seen = BrokenSource(30, at=13), OraclePredictor(), []

    def drain() -> None:
        for frame, instances in detect(source, oracle, batch_size=2, every=5):
            seen.append((frame.index, len(instances)))

    with pytest.raises(OSError, match="the source broke"):
        drain()
    assert [index for index, _ in seen] == list(range(13))
    assert min(count for _, count in seen) >= 2
    assert oracle.seen == [0, 5, 10, 12]
    assert source.closed


def test_a_predictor_error_arrives_after_the_frames_before_it() -> None:
    source, seen = SceneSource(60), []

    def drain() -> None:
        for frame, _ in detect(source, BrokenPredictor(at=6), batch_size=2, every=5):
            seen.append(frame.index)

    with pytest.raises(RuntimeError, match="the predictor broke"):
        drain()
    assert seen == list(range(30))
    assert source.closed


def test_leaving_early_ends_the_threads() -> None:
    before = threading.active_count()
    source = SceneSource(1000)
    with closing(detect(source, OraclePredictor(), batch_size=2, every=5)) as found:
        for _ in range(7):
            next(found)
    assert source.closed
    assert source.read < 60
    assert threading.active_count() == before


class ThreeAtOnce(OraclePredictor):
    batches_at_once = 3


@pytest.mark.parametrize(
    ("every", "batch_size", "at_once"),
    [(2, 1, 1), (5, 2, 1), (5, 8, 1), (10, 1, 1), ("auto", 2, 1), (5, 1, 3), ("auto", 1, 3)],
)
def test_no_more_pictures_are_alive_than_stated(
    every: Every, batch_size: int, at_once: int
) -> None:
    census = Census()

    class Counted(SceneSource):
        def _make(self):
            for frame in super()._make():
                census.register(frame.image)
                yield frame
                del frame

    source = Counted(150, size=(64, 96))
    predictor = OraclePredictor() if at_once == 1 else ThreeAtOnce()
    stated = frames_waiting(every, batch_size, at_once)
    for _ in detect(source, predictor, batch_size=batch_size, every=every):
        assert census.alive <= stated
    assert census.most <= stated


@pytest.mark.parametrize("every", [5, "auto"])
def test_windows_predicted_at_once_change_nothing(every: Every) -> None:
    alone = list(detect(SceneSource(60), OraclePredictor(), batch_size=1, every=every))
    several = list(detect(SceneSource(60), ThreeAtOnce(), batch_size=1, every=every))
    assert [frame.index for frame, _ in several] == list(range(60))
    for (_, one), (_, other) in zip(alone, several, strict=True):
        np.testing.assert_array_equal(one.boxes, other.boxes)
        np.testing.assert_array_equal(one.masks, other.masks)
        np.testing.assert_array_equal(one.filled, other.filled)


def test_a_variable_frame_rate(tmp_path: Path) -> None:
    times = [Fraction(n, 90) for n in (0, 2, 3, 9, 12, 14, 20, 21, 22, 30, 34)]
    path = write_scene(tmp_path / "variable.mp4", frames=len(times), times=times)
    oracle = OraclePredictor()
    found = list(detect(read_frames(probe(path)), oracle, batch_size=2, every=4))
    assert [frame.time for frame, _ in found] == times
    assert oracle.seen == [0, 4, 8, 10]


def test_wrong_steps_are_refused() -> None:
    with pytest.raises(OptionError, match="every"):
        Search(model="balloon", every=0)
    with pytest.raises(OptionError, match="fill"):
        Search(model="balloon", fill=-1)
    with pytest.raises(OptionError, match="smooth"):
        Search(model="balloon", smooth=-1)


def test_a_run_with_keyframes_that_breaks_leaves_nothing_to_resume(
    model: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tests.support.plugged.predictor", BrokenPredictor(at=4))
    clip = write_scene(tmp_path / "in.mp4", frames=40)
    search = Search(model=model, every=5, batch_size=1)
    with pytest.raises(RuntimeError, match="broke"):
        detect_to_file(clip, tmp_path / "a.vidseg", search=search)
    assert list(tmp_path.iterdir()) == [clip]
    with pytest.raises(OptionError, match="`every`"):
        detect_to_file(clip, tmp_path / "a.vidseg", search=search, options=RunOptions(resume=True))


def test_gaps_as_long_as_between_keyframes_are_filled() -> None:
    assert Search(model="balloon").tracking.fill == 5
    assert Search(model="balloon", every=8).tracking.fill == 8
    assert Search(model="balloon", every=8, fill=0).tracking.fill == 0


def test_saved_keyframes_keep_their_ids_by_default(
    model: str, oracle: OraclePredictor, tmp_path: Path
) -> None:
    clip, saved = write_scene(tmp_path / "in.mp4", frames=20), tmp_path / "a.vidseg"
    assert run("detect", "--model", model, "--every", 8, clip, saved).exit_code == 0
    search = Search(detections=saved)
    assert search.tracking.fill == 8
    assert search.saved is not None
    found = iter(search.saved)
    with closing(found):
        assert with_ids(search, found, "video") is found  # type: ignore[arg-type]
    assert Search(detections=saved, fill=3).tracking.fill == 3


@pytest.mark.parametrize("name", ["every", "fill", "smooth"])
def test_more_frames_than_memory_holds_are_refused(name: str) -> None:
    for frames in (-1, 101, 10**23):
        with pytest.raises(OptionError, match=f"{name} must be between . and 100, got {frames}"):
            Search(**{"model": "balloon", name: frames})  # type: ignore[arg-type]
