"""A live source shown as it comes: what is dropped, recorded, finished, and that nothing grows."""

import gc
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest

from tests.support.doubles import OraclePredictor
from tests.support.scenes import read_barcode, scene_image
from vidseg.effects import Effect, Overlay, Splash
from vidseg.errors import InputError, OptionError, OutputError, OutputExistsError
from vidseg.pipeline.find import find
from vidseg.pipeline.live import LiveResult, live
from vidseg.pipeline.search import Search
from vidseg.structures.frame import Frame, Image
from vidseg.structures.instances import Instances
from vidseg.video.live.output import LiveOutput, Show
from vidseg.video.live.recording import Recording


class Camera:
    """Gives scenes, each once the one before is `taken` by the model, so that none is dropped."""

    reconnects = 0

    def __init__(self, times: Sequence[Fraction], error: Exception | None = None) -> None:
        self.times, self.error = times, error
        self.model: OraclePredictor | None = None

    def frames(self, stop: Event) -> Iterator[Frame]:
        for index, at in enumerate(self.times):
            yield Frame(index, at, self.picture(index))
            while self.model and len(self.model.seen) <= index and not stop.is_set():
                time.sleep(0.0005)
        if self.error is not None:
            raise self.error

    def picture(self, index: int) -> Image:
        return scene_image(index)


class Screen:
    """Keeps what it is shown; ends the run after `most` frames."""

    def __init__(self, most: int = 10**9) -> None:
        self.frames: list[tuple[int, Fraction]] = []
        self.finished = False
        self._most = most

    def check(self) -> None: ...

    @contextmanager
    def open(self, stop: Event) -> Iterator[Show]:
        def show(frame: Frame) -> None:
            self.frames.append((frame.index, frame.time))
            if len(self.frames) >= self._most:
                stop.set()

        yield show
        self.finished = True


def play(
    camera: Camera, *outputs: LiveOutput, effect: Effect | None = None, **options: Any
) -> LiveResult:
    camera.model = OraclePredictor()
    search = Search(model=camera.model, **options)
    return live(camera, outputs, lambda: effect or Overlay(search.names), search=search)


def every(step: str, count: int) -> list[Fraction]:
    return [Fraction(step) * index for index in range(count)]


def test_every_frame_is_shown_where_the_model_keeps_up() -> None:
    screen = Screen()
    result = play(Camera(every("0.04", 30)), screen)
    assert screen.frames == list(enumerate(every("0.04", 30)))
    assert (result.frames, result.dropped, screen.finished) == (30, 0, True)


class SlowPredictor(OraclePredictor):
    """Waits in its first call until the camera has given all its frames."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = Event()

    def predict(self, images: Sequence[Image]) -> list[Instances]:
        assert self.go_on.wait(60)
        return super().predict(images)


def test_the_oldest_frames_are_dropped_and_counted() -> None:
    model, screen = SlowPredictor(), Screen()

    class Burst(Camera):
        def frames(self, stop: Event) -> Iterator[Frame]:
            yield from (Frame(i, Fraction(i), scene_image(i)) for i in range(19))
            model.go_on.set()
            yield Frame(19, Fraction(19), scene_image(19))

    burst = Burst(())
    result = live(burst, [screen], lambda: Overlay({}), search=Search(model=model))
    assert screen.frames[-1][0] == 19, "the newest frame is never the one that is dropped"
    assert result.dropped == 20 - len(screen.frames) >= 17


def test_objects_are_found_tracked_and_not_waited_for() -> None:
    """Frame 0 is on the screen before the model has seen frame 2, and its objects have ids."""
    seen: list[int] = []
    model = OraclePredictor()
    ids: list[list[int]] = []

    def effect(image: Image, instances: Instances) -> Image:
        ids.append(instances.ids.tolist())
        seen.append(len(model.seen))
        return image

    camera = Camera(every("0.04", 12))
    camera.model = model
    live(camera, [Screen()], lambda: effect, search=Search(model=model))
    assert all(ahead <= number + 3 for number, ahead in enumerate(seen))
    expected = [o.ids.tolist() for _, o in find(list(_scenes(12)), Search(model=OraclePredictor()))]
    assert [sorted(each) for each in ids] == [sorted(each) for each in expected]


def _scenes(count: int) -> Iterator[Image]:
    return (scene_image(index) for index in range(count))


def test_a_recording_has_the_true_times(tmp_path: Path) -> None:
    times = [Fraction(5) + t for t in map(Fraction, ("0", "0.04", "0.5", "0.54", "2.25"))]
    target = tmp_path / "out.mp4"
    play(Camera(times), Recording(target))
    frames = [(read_barcode(f.image), f.time) for f, _ in find(target, _anything())]
    assert [index for index, _ in frames] == [0, 1, 2, 3, 4]
    assert [at for _, at in frames] == [at - 5 for at in times]


def _anything() -> Search:
    return Search(model=OraclePredictor(), track=False)


def test_a_source_that_breaks_leaves_a_whole_recording(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    screen = Screen()
    with pytest.raises(InputError, match="unplugged"):
        play(Camera(every("0.1", 8), InputError("It was unplugged.")), Recording(target), screen)
    assert screen.finished
    assert len(list(find(target, _anything()))) == 8


def test_stopping_finishes_the_recording(tmp_path: Path) -> None:
    target = tmp_path / "out.mkv"
    result = play(Camera(every("0.1", 1000)), Recording(target), Screen(most=5))
    assert 5 <= result.frames <= 6
    assert len(list(find(target, _anything()))) == result.frames


def test_frames_of_another_size_fit_into_the_recording(tmp_path: Path) -> None:
    class Turned(Camera):
        def picture(self, index: int) -> Image:
            image = scene_image(index)
            return np.ascontiguousarray(np.rot90(image)) if index == 3 else image

    target = tmp_path / "out.mp4"
    play(Turned(every("0.1", 5)), Recording(target))
    assert [f.image.shape for f, _ in find(target, _anything())] == [(128, 192, 3)] * 5


def test_a_source_without_frames_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not there"):
        play(Camera([], InputError("It is not there.")), Recording(tmp_path / "out.mp4"))
    assert list(tmp_path.iterdir()) == []


def test_a_broken_output_ends_the_run_and_leaves_no_half_recording(tmp_path: Path) -> None:
    class Broken(Screen):
        @contextmanager
        def open(self, stop: Event) -> Iterator[Show]:
            def show(frame: Frame) -> None:
                raise OutputError("The disk is full.")

            yield show

    with pytest.raises(OutputError, match="full"):
        play(Camera(every("0.1", 50)), Recording(tmp_path / "out.mp4"), Broken())
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_live_is_refused(tmp_path: Path) -> None:
    (tmp_path / "there.mp4").write_text("mine")
    with pytest.raises(OutputExistsError):
        play(Camera([]), Recording(tmp_path / "there.mp4"))
    with pytest.raises(OptionError, match="recording is a video"):
        Recording(tmp_path / "out.gif")
    with pytest.raises(OptionError, match="nowhere"):
        play(Camera([]))
    with pytest.raises(OptionError, match="Keyframes"):
        play(Camera([]), Screen(), every=5)
    with pytest.raises(OptionError, match="saved of files"):
        play(Camera([]), Screen(), save_detections=tmp_path / "x.vidseg")
    assert (tmp_path / "there.mp4").read_text() == "mine"


def test_memory_does_not_grow_in_an_hour() -> None:
    """An hour of the source's clock, a frame every 22 s; objects come, go, and get new ids."""
    count, held = 160, list[int]()
    small = [scene_image(index, (32, 48)) for index in range(0, 80, 2)]

    class Meter(Screen):
        @contextmanager
        def open(self, stop: Event) -> Iterator[Show]:
            def show(frame: Frame) -> None:
                if frame.index in (count // 2, count - 1):
                    gc.collect()
                    held.append(tracemalloc.get_traced_memory()[0])

            yield show

    class Small(Camera):
        def picture(self, index: int) -> Image:
            return small[index % len(small)]

    tracemalloc.start()
    try:
        play(Small(every("22", count)), Meter(), effect=Splash())
    finally:
        tracemalloc.stop()
    assert held[1] - held[0] < 20_000, "a frame is 4.6 kB, and 80 came between"
