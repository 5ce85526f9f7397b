"""The joined stages: order, batches, the memory bound, errors, and nothing left running."""

import json
import signal
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from types import FrameType

import numpy as np
import pytest
from PIL import Image as Picture

from tests.support.doubles import BrokenPredictor, BrokenSource, OraclePredictor, SceneSource
from tests.support.scenes import read_barcode, scene_image, scene_instances, write_scene
from vidseg.detection.batched import detect
from vidseg.errors import InputError, OptionError
from vidseg.pipeline._compatibility import check_kinds
from vidseg.pipeline.detected_frames import expected_frames
from vidseg.pipeline.outputs import MaskFolderOutput, VideoOutput
from vidseg.pipeline.run import frames_alive, run
from vidseg.pipeline.run_options import RunOptions
from vidseg.pipeline.search import Search
from vidseg.structures.frame import Frame, Image
from vidseg.structures.instances import Instances
from vidseg.structures.span import Span
from vidseg.video.info import VideoInfo
from vidseg.video.probe import probe

SIZE = (128, 192)


def facts(**known: object) -> VideoInfo:
    """A video of 10 s at 30 frames a second, but for what is `known`."""
    given = {
        "path": Path("clip.mp4"),
        "kind": "video",
        "size": SIZE,
        "rate": Fraction(30),
        "constant_rate": True,
        "frames": 300,
        "duration": Fraction(10),
    }
    return VideoInfo(**{**given, **known})  # type: ignore[arg-type]


def test_frames_and_objects_stay_together_and_in_order() -> None:
    source, oracle = SceneSource(23), OraclePredictor()
    found = list(detect(source, oracle, batch_size=4))
    assert [frame.index for frame, _ in found] == list(range(23))
    for frame, instances in found:
        np.testing.assert_array_equal(instances.boxes, scene_instances(frame.index, SIZE).boxes)
    assert oracle.batches == [4] * 5 + [3]
    assert source.closed


def test_reading_and_predicting_run_beside_the_caller() -> None:
    class Watching(OraclePredictor):
        def predict(self, images: object) -> list[Instances]:
            threads.add(threading.get_ident())
            return super().predict(images)  # type: ignore[arg-type]

    threads: set[int] = set()
    source = SceneSource(8)
    list(detect(source, Watching(), batch_size=2))
    assert len(threads | source.threads) == 2
    assert threading.get_ident() not in threads | source.threads


def test_a_source_error_comes_after_the_frames_before_it() -> None:
    source, seen = BrokenSource(30, at=11), []

    def drain() -> None:
        for frame, _ in detect(source, OraclePredictor(), batch_size=4):
            seen.append(frame.index)

    with pytest.raises(OSError, match="the source broke"):
        drain()
    assert seen == list(range(11))
    assert source.closed


def test_a_predictor_error_ends_the_stream() -> None:
    source = SceneSource(30)
    with pytest.raises(RuntimeError, match="the predictor broke"):
        list(detect(source, BrokenPredictor(at=9), batch_size=4))
    assert source.closed


def test_leaving_early_closes_the_source() -> None:
    source = SceneSource(1000)
    with closing(detect(source, OraclePredictor(), batch_size=4)) as found:
        next(found)
    assert source.closed
    assert source.read < 30


class Census:
    """Counts the pictures that are alive."""

    def __init__(self) -> None:
        self.alive = self.most = 0
        self._lock = threading.Lock()

    def register(self, image: Image) -> Image:
        with self._lock:
            self.alive += 1
            self.most = max(self.most, self.alive)
        weakref.finalize(image, self._gone)
        return image

    def _gone(self) -> None:
        with self._lock:
            self.alive -= 1


class TwoAtOnce(OraclePredictor):
    batches_at_once = 2


@pytest.mark.parametrize(
    ("batch_size", "outputs", "at_once"),
    [(1, 1, 1), (2, 1, 1), (5, 1, 1), (2, 3, 1), (2, 1, 2), (5, 1, 2)],
)
def test_no_more_pictures_are_alive_than_stated(
    batch_size: int,
    outputs: int,
    at_once: int,
    tmp_path: Path,
    model: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Counted with every frame and every drawn picture of a whole run, encoder included."""
    census = Census()

    def counted(*_: object, **__: object) -> Iterator[Frame]:
        for index in range(60):
            image = census.register(np.zeros((*SIZE, 3), np.uint8))
            yield Frame(index, Fraction(index, 30), image, Fraction(1, 30))
            del image

    def drawn(image: Image, _: Instances) -> Image:
        return census.register(image.copy())

    monkeypatch.setattr("vidseg.pipeline.detected_frames.read_frames", counted)
    predictor = OraclePredictor() if at_once == 1 else TwoAtOnce()
    monkeypatch.setattr("tests.support.plugged.predictor", predictor)
    clip = write_scene(tmp_path / "in.mp4", frames=60)
    search = Search(model=model, batch_size=batch_size)
    wanted = [VideoOutput(tmp_path / f"{n}.mp4", drawn) for n in range(outputs)]
    assert run(clip, [*wanted, MaskFolderOutput(tmp_path / "masks")], search=search).frames == 60
    stated = frames_alive(batch_size, outputs, at_once=at_once)
    assert batch_size < census.most <= stated
    assert census.alive == 0


def test_two_batches_are_predicted_at_once_where_the_predictor_offers_it() -> None:
    meeting = threading.Barrier(2, timeout=60)

    class Meeting(TwoAtOnce):
        def predict(self, images: Sequence[Image]) -> list[Instances]:
            meeting.wait()
            return super().predict(images)

    found = list(detect(SceneSource(24), Meeting(), batch_size=4))
    assert [frame.index for frame, _ in found] == list(range(24))
    for frame, instances in found:
        np.testing.assert_array_equal(instances.boxes, scene_instances(frame.index, SIZE).boxes)


def test_of_two_batches_at_once_the_good_one_arrives_before_the_error() -> None:
    class Broken(TwoAtOnce):
        def predict(self, images: Sequence[Image]) -> list[Instances]:
            if 9 in [read_barcode(image) for image in images]:
                raise RuntimeError("the predictor broke")
            return super().predict(images)

    source, indexes = SceneSource(24), []
    with pytest.raises(RuntimeError, match="broke"):
        indexes.extend(frame.index for frame, _ in detect(source, Broken(), batch_size=4))
    assert indexes == list(range(8))
    assert source.closed


@pytest.mark.parametrize("every", [1, 2])
def test_ctrl_c_does_not_wait_until_the_tracker_has_looked_ahead(
    every: int, tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    main = threading.main_thread()  # no other takes the signal
    interrupted = threading.Event()

    def interrupt(number: int, _: FrameType | None) -> None:
        interrupted.set()
        raise KeyboardInterrupt

    class Slow(OraclePredictor):
        def predict(self, images: Sequence[Image]) -> list[Instances]:
            if len(self.batches) == 2:
                signal.pthread_kill(main.ident or 0, signal.SIGINT)
                assert interrupted.wait(60)
            if len(self.batches) >= 2:
                time.sleep(0.3)  # for those that are left, ten times what any machine needs
            return super().predict(images)

    monkeypatch.setattr("tests.support.plugged.predictor", predictor := Slow())
    handler = signal.signal(signal.SIGINT, interrupt)
    clip = write_scene(tmp_path / "in.mp4", frames=60)
    search = Search(model=model, batch_size=1, fill=50, every=every)
    try:
        with pytest.raises(KeyboardInterrupt):
            run(clip, [MaskFolderOutput(tmp_path / "masks")], search=search)
    finally:
        signal.signal(signal.SIGINT, handler)
    assert len(predictor.batches) < 50 // every  # which the tracker looks ahead
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_an_input_without_frames_in_the_cut_is_an_error(
    tmp_path: Path, oracle: OraclePredictor, model: str
) -> None:
    clip = write_scene(tmp_path / "in.mp4", frames=30)
    with pytest.raises(
        InputError, match="no frame between the start and the end asked for; it lasts 1 s"
    ):
        run(
            clip,
            [MaskFolderOutput(tmp_path / "out")],
            search=Search(model=model),
            span=Span(Fraction(5)),
        )
    assert not oracle.batches
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("start", "end"), [(2.5, 1), (-1, None), (None, 0), (None, -2.0)])
def test_spans_that_hold_nothing_are_wrong_options(
    start: float | None, end: float | None, tmp_path: Path, model: str
) -> None:
    with pytest.raises(OptionError):
        run(
            "gone.mp4",
            [MaskFolderOutput(tmp_path)],
            search=Search("disc", model=model),
            span=Span(start, end),
        )


@pytest.mark.parametrize(
    ("start", "end", "count"),
    [
        (None, None, 300),
        (Fraction(1), None, 270),
        (None, Fraction(1, 60), 1),
        (Fraction(2), Fraction(3), 30),
        (Fraction(9), Fraction(99), 30),
        (Fraction(11), None, 0),
    ],
)
def test_expected_frames(start: Fraction | None, end: Fraction | None, count: int) -> None:
    assert expected_frames(facts(), Span(start, end)) == count


def test_expected_frames_of_an_unknown_length() -> None:
    unknown = facts(frames=None, duration=None)
    assert expected_frames(unknown, Span()) is None
    assert expected_frames(unknown, Span(Fraction(1))) is None
    assert expected_frames(unknown, Span(None, Fraction(2))) == 60


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("video", "photo"),
        ("animation", "photo"),
        ("photo", "video"),
        ("photo", "folder"),
        ("folder", "video"),
        ("folder", "photo"),
    ],
)
def test_kinds_that_do_not_go_together(given: str, wanted: str) -> None:
    with pytest.raises(OptionError, match="cannot become"):
        check_kinds(given, wanted)  # type: ignore[arg-type]


@pytest.mark.parametrize(("start", "end"), [(None, None), (Fraction(1, 3), Fraction(2, 3))])
def test_expected_frames_are_those_read(
    start: Fraction | None,
    end: Fraction | None,
    tmp_path: Path,
    oracle: OraclePredictor,
    model: str,
) -> None:
    clip = write_scene(tmp_path / "in.mp4", frames=30)
    told: list[tuple[int, int | None]] = []
    result = run(
        clip,
        [VideoOutput(tmp_path / "out.mp4", lambda image, _: image)],
        search=Search(model=model),
        span=Span(start, end),
        options=RunOptions(on_frame=lambda n, total: told.append((n, total))),
    )
    expected = expected_frames(probe(clip), Span(start, end))
    assert told == [(n + 1, expected) for n in range(result.frames)]
    assert result.frames == expected


@pytest.mark.parametrize("track", [True, False])
def test_objects_of_a_video_are_tracked_unless_that_is_switched_off(
    track: bool, tmp_path: Path, oracle: OraclePredictor, model: str
) -> None:
    clip = write_scene(tmp_path / "in.mp4", frames=6)
    search = Search(model=model, track=track)
    assert run(clip, [MaskFolderOutput(tmp_path / "out")], search=search).frames == 6
    record = json.loads((tmp_path / "out" / "instances.json").read_text())
    ids = [[found["id"] for found in frame["objects"]] for frame in record["frames"]]
    assert ids == [[1, 2, 3] if track else [None] * 3] * 6


def test_photos_are_never_tracked(tmp_path: Path, oracle: OraclePredictor, model: str) -> None:
    (tmp_path / "in").mkdir()
    for index in range(2):
        picture = Picture.fromarray(scene_image(index))
        picture.save(tmp_path / "in" / f"{index}.png")
    run(tmp_path / "in", [MaskFolderOutput(tmp_path / "out")], search=Search(model=model))
    record = json.loads((tmp_path / "out" / "instances.json").read_text())
    ids = [found["id"] for frame in record["frames"] for found in frame["objects"]]
    assert ids == [None] * 6
