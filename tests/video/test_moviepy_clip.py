"""FrameClip: moviepy's methods over exact frames."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.support.scenes import SIZE, read_barcode, scene_image, scene_instances
from vidseg.structures.frame import Frame, Image
from vidseg.structures.instances import Instances
from vidseg.video.info import VideoInfo
from vidseg.video.moviepy_clip import FrameClip

RATE = Fraction(24000, 1001)


def pairs(
    count: int = 12, rate: Fraction = RATE, start: Fraction = Fraction(0)
) -> Iterator[tuple[Frame, Instances]]:
    for index in range(count):
        time = start + index / rate
        yield Frame(index, time, scene_image(index), 1 / rate), scene_instances(index)


def facts(count: int = 12, rate: Fraction = RATE) -> VideoInfo:
    return VideoInfo(
        path=Path("scene.mp4"),
        kind="video",
        size=SIZE,
        rate=rate,
        constant_rate=True,
        frames=count,
        duration=count / rate,
    )


class Counter:
    """A function for `image_transform` that counts its calls and sees each frame's barcode."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def __call__(self, image: Image) -> Image:
        self.seen.append(read_barcode(image))
        image[64:] = 255 - image[64:]
        return image


def test_frames_keep_index_time_and_duration_through_a_chain() -> None:
    clip = FrameClip(pairs(), facts()).image_transform(np.flipud).image_transform(np.flipud)
    frames = list(clip.frames())
    assert [f.index for f in frames] == list(range(12))
    assert [read_barcode(f.image) for f in frames] == list(range(12))
    assert [f.time for f in frames] == [i / RATE for i in range(12)]
    assert {f.duration for f in frames} == {1 / RATE}


def test_a_transform_is_called_once_a_frame_and_may_draw_in_place() -> None:
    count = Counter()
    clip = FrameClip(pairs(), facts()).image_transform(count)
    assert count.seen == []
    frames = list(clip.frames())
    assert count.seen == list(range(12))
    assert np.array_equal(frames[5].image[64:], 255 - scene_image(5)[64:])


def test_asking_for_the_size_costs_no_second_call() -> None:
    count = Counter()
    clip = FrameClip(pairs(), facts()).image_transform(count).image_transform(lambda i: i[:64])
    assert clip.size == (192, 64)
    assert len(list(clip.frames())) == 12
    assert count.seen == list(range(12))


def test_draw_gives_each_frame_its_own_objects() -> None:
    def mark(image: Image, instances: Instances) -> Image:
        x0, y0, x1, y1 = instances.boxes[0].round().astype(int)
        drawn = image.copy()
        drawn[y0:y1, x0:x1] = 7
        return drawn

    frames = list(FrameClip(pairs(), facts()).draw(mark).frames())
    for frame in frames:
        x0, y0, x1, y1 = scene_instances(frame.index).boxes[0].round().astype(int)
        assert (frame.image[y0:y1, x0:x1] == 7).all()
        assert read_barcode(frame.image) == frame.index


def test_the_stream_is_pulled_no_further_than_needed() -> None:
    pulled = []

    def watched() -> Iterator[Frame]:
        for frame, _ in pairs():
            pulled.append(frame.index)
            yield frame

    frames = FrameClip(watched(), facts()).frames()
    assert next(frames).index == 0
    assert next(frames).index == 1
    assert pulled == [0, 1]


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(30000, 1001), Fraction(25), 120])
def test_moviepys_own_loop_sees_every_frame_once(rate: Fraction) -> None:
    rate = Fraction(rate)
    clip = FrameClip(pairs(40, rate), facts(40, rate))
    assert clip.n_frames == 40
    assert [read_barcode(image) for image in clip.iter_frames()] == list(range(40))


def test_times_in_milliseconds_do_not_confuse_moviepys_loop() -> None:
    def rounded() -> Iterator[Frame]:
        for frame, _ in pairs(40):
            time = Fraction(round(frame.time * 1000), 1000)
            yield Frame(frame.index, time, frame.image, frame.duration)

    clip = FrameClip(rounded(), facts(40))
    assert [read_barcode(image) for image in clip.iter_frames()] == list(range(40))


def test_methods_that_change_time_work_forwards_and_frames_refuses_them() -> None:
    part = FrameClip(pairs(), facts()).subclipped(0.2, 0.4)
    assert [read_barcode(image) for image in part.iter_frames()] == [4, 5, 6, 7]
    later = FrameClip(pairs(), facts()).subclipped(0.2)
    with pytest.raises(ValueError, match="own times"):
        list(later.frames())


def test_a_stream_that_cannot_start_again_says_so_when_asked_to_go_back() -> None:
    clip = FrameClip(pairs(), facts())
    clip.get_frame(0.4)
    with pytest.raises(ValueError, match="forwards only"):
        clip.get_frame(0.1)


def test_going_back_reopens() -> None:
    clip = FrameClip(pairs(), facts(), reopen=pairs)
    times = [0.4, 0.1, 0.3, 0.0, 0.45]
    assert [read_barcode(clip.get_frame(t)) for t in times] == [int(t * RATE) for t in times]


def test_an_in_place_drawing_is_not_seen_by_a_second_look() -> None:
    clip = FrameClip(pairs(), facts())
    clip.get_frame(0.1)[:] = 0
    assert read_barcode(clip.get_frame(0.1)) == 2


def test_before_a_late_first_frame_it_is_shown() -> None:
    clip = FrameClip(pairs(start=Fraction(1, 2)), facts())
    assert read_barcode(clip.get_frame(0.0)) == 0
    assert read_barcode(clip.get_frame(0.1)) == 0
    assert read_barcode(clip.get_frame(0.55)) == 1


def test_an_empty_stream_is_an_error_for_moviepy_and_nothing_for_frames() -> None:
    assert list(FrameClip(iter(()), facts()).frames()) == []
    with pytest.raises(ValueError, match="no frame"):
        FrameClip(iter(()), facts()).get_frame(0)


def test_close_closes_the_stream() -> None:
    source = pairs()
    clip = FrameClip(source, facts())
    clip.get_frame(0)
    clip.image_transform(np.flipud).close()
    assert next(source, None) is None


def test_a_source_error_passes_through() -> None:
    def broken() -> Iterator[Frame]:
        yield from (frame for frame, _ in pairs(3))
        raise RuntimeError("lost")

    frames = FrameClip(broken(), facts()).image_transform(np.flipud).frames()
    assert [next(frames).index for _ in range(3)] == [0, 1, 2]
    with pytest.raises(RuntimeError, match="lost"):
        next(frames)
