"""The results as a stream: of files, of frames of one's own, left half way."""

from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import vidseg
from tests.support.doubles import OraclePredictor, SceneSource
from tests.support.scenes import scene_image, scene_instances, write_scene
from vidseg.errors import FrameError, OptionError, OutputExistsError
from vidseg.structures.frame import Frame, Image
from vidseg.structures.instances import UNTRACKED, Instances


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_scene(tmp_path / "in.mp4", frames=20)


def searching(**options: object) -> vidseg.Search:
    return vidseg.Search(model=OraclePredictor(), **options)  # type: ignore[arg-type]


def test_a_file_gives_what_the_commands_save(clip: Path, tmp_path: Path) -> None:
    found = list(vidseg.find(clip, searching()))
    assert [frame.index for frame, _ in found] == list(range(20))
    vidseg.detect_to_file(clip, tmp_path / "a.vidseg", search=searching())
    shown = vidseg.Search(detections=tmp_path / "a.vidseg")
    for (_, one), (_, other) in zip(found, vidseg.find(clip, shown), strict=True):
        np.testing.assert_array_equal(one.boxes, other.boxes)
        np.testing.assert_array_equal(one.ids, other.ids)


def test_a_span_of_a_file(clip: Path) -> None:
    span = vidseg.Span(Fraction(5, 30), Fraction(9, 30))
    assert [frame.index for frame, _ in vidseg.find(clip, searching(), span=span)] == [5, 6, 7, 8]


def images(count: int) -> Iterator[Image]:
    for index in range(count):
        yield scene_image(index)


def test_arrays_are_numbered_and_tracked() -> None:
    found = list(vidseg.find(images(12), searching(), rate=25))
    assert [(frame.index, frame.time) for frame, _ in found] == [
        (n, Fraction(n, 25)) for n in range(12)
    ]
    for index, (_, instances) in enumerate(found):
        assert len(instances) == len(scene_instances(index))
        assert (instances.ids > 0).all()
    assert len({tuple(instances.ids.tolist()) for _, instances in found}) == 1


def test_arrays_with_times_of_their_own() -> None:
    times = [Fraction(n * n, 100) for n in range(8)]
    pairs = zip(times, images(8), strict=True)
    found = list(vidseg.find(pairs, searching(track=False)))
    assert [frame.time for frame, _ in found] == times
    assert all((instances.ids == UNTRACKED).all() for _, instances in found)


def test_leaving_half_way_closes_the_source() -> None:
    source = SceneSource(1000)
    with closing(vidseg.find(source, searching())) as found:
        for frame, _ in found:
            if frame.index == 3:
                break
    assert source.closed
    assert source.read < 100


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((8, 8, 3), np.float32),
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
    ],
)
def test_images_of_another_kind_are_told(bad: np.ndarray) -> None:
    with pytest.raises(FrameError):
        list(vidseg.find(iter([bad]), searching()))  # type: ignore[list-item]


def test_times_that_go_back_are_told() -> None:
    frames = [(0.5, scene_image(0)), (0.25, scene_image(1))]
    with pytest.raises(OptionError, match="not after the frame"):
        list(vidseg.find(frames, searching()))


@pytest.mark.parametrize(
    "options", [{"save_detections": "a.vidseg"}, {"at": 1, "point": (3.0, 3.0)}]
)
def test_own_frames_do_not_allow_everything(options: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        vidseg.find(images(3), searching(**options))
    with pytest.raises(OptionError, match="span"):
        vidseg.find(images(3), searching(), span=vidseg.Span(1))


def test_wrong_paths_are_told_before_the_first_frame(clip: Path, tmp_path: Path) -> None:
    taken = tmp_path / "taken.vidseg"
    taken.touch()
    with pytest.raises(OutputExistsError):
        vidseg.find(clip, searching(save_detections=taken))
    with pytest.raises(vidseg.VidsegError, match="does not exist"):
        vidseg.find(tmp_path / "gone.mp4", searching())


class NumberEverything:
    """A tracker that gives every object of a frame its row as an id."""

    def update(self, frame: Frame, instances: Instances) -> Instances:
        return instances.with_ids(np.arange(len(instances), dtype=np.int64) + 41)


def test_a_tracker_of_ones_own_gives_the_ids(clip: Path) -> None:
    for _, instances in vidseg.find(clip, searching(tracker=NumberEverything, smooth=0)):
        assert instances.ids.tolist() == list(range(41, 41 + len(instances)))


def test_small_values_and_flat_keywords_say_the_same() -> None:
    flat = searching(device="cpu", batch_size=3, fill=2, smooth=0, ids=[4, 5])
    values = searching(
        model_options=vidseg.ModelOptions("cpu", batch_size=3),
        tracking=vidseg.TrackingOptions(fill=2, smooth=0),
        selection=vidseg.Selection((4, 5)),
    )
    assert flat.model_options == values.model_options
    assert flat.tracking == values.tracking
    assert flat.selection == values.selection
    with pytest.raises(TypeError, match="'wrong'"):
        searching(wrong=1)


PHOTO = scene_image(0)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (PHOTO, r"come in a list, got one array \(128, 192, 3\)"),
        (["a.jpg", "b.jpg"], "Frame 0 is a path, a.jpg"),
        ([(0, PHOTO), (1, PHOTO, 2)], r"Frame 1 must be \(seconds, image\), got 3 values"),
        ([("a", PHOTO)], "The time of frame 0 must be a time in seconds, got 'a'"),
        ([(None, PHOTO)], "got None"),
        ([(float("inf"), PHOTO)], "got inf"),
    ],
)
def test_what_is_no_frame_is_refused_in_one_sentence(source: object, message: str) -> None:
    with pytest.raises(vidseg.VidsegError, match=message):
        list(vidseg.find(source, searching()))  # type: ignore[arg-type]


@pytest.mark.parametrize("rate", ["30", None, float("nan"), float("inf"), 0])
def test_a_rate_is_a_positive_number(rate: object) -> None:
    with pytest.raises(OptionError, match="rate must be positive"):
        vidseg.find([PHOTO], searching(), rate=rate)  # type: ignore[arg-type]


def test_times_may_be_numbers_of_numpy() -> None:
    times = [np.float32(0.25), np.float64(0.5), np.int64(1)]
    found = vidseg.find([(time, PHOTO) for time in times], searching())  # type: ignore[arg-type]
    assert [frame.time for frame, _ in found] == [Fraction(1, 4), Fraction(1, 2), 1]


@pytest.mark.parametrize(
    "options",
    [
        {"score": "high"},
        {"keep_score": None, "score": None},
        {"max_objects": 1.5},
        {"every": 2.5},
        {"every": "often"},
        {"fill": 2.5},
        {"smooth": 1.5},
        {"batch_size": 1.5},
        {"ids": [1.5]},
        {"ids": ["a"]},
        {"at": "0:12", "point": (1, 2)},
        {"tracker": object()},
        {"model": object()},
        {"model": 5},
        {"model": OraclePredictor},
    ],
    ids=str,
)
def test_options_of_a_wrong_kind_are_refused_at_once(options: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        vidseg.Search(**{"model": OraclePredictor(), **options})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options", [{"device": "gpu"}, {"precision": "int4"}, {"size": 1}, {"batch_size": 0}]
)
def test_model_options_are_checked_before_a_model_loads(options: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        searching(**options)
