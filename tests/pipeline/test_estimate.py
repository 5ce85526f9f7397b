"""How long a run would take: the arithmetic by a clock of our own, the rest with real runs."""

from collections.abc import Sequence
from fractions import Fraction
from math import ceil
from pathlib import Path

import pytest
from PIL import Image as Picture

import vidseg
from tests.support.doubles import OraclePredictor
from tests.support.scenes import scene_image, write_scene
from vidseg.errors import InputError
from vidseg.pipeline import estimate as module
from vidseg.pipeline.estimate import (
    MAX_STRETCH_FRAMES,
    SHORT_FRAMES,
    estimate,
)
from vidseg.pipeline.outputs import Output, VideoOutput
from vidseg.pipeline.search import Search
from vidseg.structures.span import Span

SETUP_SECONDS = 5.0


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_scene(tmp_path / "in.mp4", frames=300, options={"g": "10", "sc_threshold": "0"})


def splashed(folder: Path) -> Sequence[Output]:
    return [VideoOutput(folder / "out.mp4", vidseg.Splash())]


class Clock:
    """Stands for `_Measure`: a run takes five seconds and a kilobyte, a frame 50 bytes and what
    its third of the clip costs."""

    def __init__(self, *_: object) -> None:
        self.search = Search(model=OraclePredictor())

    def __call__(self, span: Span) -> module._Cost:
        start, end = span.start, span.end
        assert start is not None
        assert end is not None
        frames = ceil((end - start) * 30)
        cost = (0.1, 0.2, 0.6)[int(start * 30) // 100]
        return module._Cost(frames, SETUP_SECONDS + cost * frames, 1000 + 50 * frames)


def test_set_up_counts_once_and_frames_by_the_median_place(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_Measure", Clock)
    found = estimate(clip, splashed, search=Search(model=OraclePredictor()))
    assert found.frames == 300
    per_frame = found.seconds_per_frame
    assert per_frame is not None
    assert (per_frame.lowest, per_frame.median, per_frame.highest) == pytest.approx((0.1, 0.2, 0.6))
    assert found.seconds is not None
    assert found.seconds.median == pytest.approx(SETUP_SECONDS + 0.1 + 299 * 0.2, abs=0.01)
    assert found.output_bytes is not None
    assert found.output_bytes.median == pytest.approx(1000 + 300 * 50)
    assert found.measured_frames == 3 * 2 * SHORT_FRAMES


@pytest.mark.parametrize(
    ("frame", "lengths"), [(0.5, (1, 4)), (0.11, (1, 7)), (0.1, (8, 16)), (0.01, (8, 32))]
)
def test_cheap_frames_are_measured_in_a_full_pipeline(
    frame: float, lengths: tuple[int, int]
) -> None:
    once, some = module._Cost(1, 1 + frame, 0), module._Cost(4, 1 + 4 * frame, 0)
    assert module._stretch_frames(once, some) == lengths


def test_a_real_run_is_measured_and_leaves_nothing(clip: Path, tmp_path: Path) -> None:
    oracle = OraclePredictor()
    folders: list[Path] = []

    def outputs(folder: Path) -> Sequence[Output]:
        folders.append(folder)
        return splashed(folder)

    search = Search(model=oracle, save_detections=tmp_path / "found.vidseg", follow="largest")
    found = estimate(clip, outputs, search=search, span=Span(1, 9))
    assert found.frames == 240
    assert found.size == (128, 192)
    assert 12 <= found.measured_frames <= 3 * (SHORT_FRAMES + MAX_STRETCH_FRAMES)
    assert found.seconds is not None
    assert 0 < found.seconds.lowest <= found.seconds.median <= found.seconds.highest
    assert found.output_bytes is not None
    assert 0 < found.output_bytes.lowest <= found.output_bytes.median
    assert found.peak_memory > 50_000_000
    assert {30, 150, 270} & {*oracle.seen} == {150}
    assert all(index is not None and 30 <= index < 270 for index in oracle.seen)
    assert not any(folder.exists() for folder in folders)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]
    assert search.save is not None


def test_a_photo_is_drawn_as_it_is(tmp_path: Path) -> None:
    Picture.fromarray(scene_image(3)).save(tmp_path / "in.png")
    found = estimate(
        tmp_path / "in.png",
        lambda folder: [VideoOutput(folder / "out.png", vidseg.Splash())],
        search=Search(model=OraclePredictor()),
    )
    assert (found.frames, found.seconds_per_frame) == (1, None)
    assert found.seconds is not None


def test_saved_detections_are_measured_from_the_start(clip: Path, tmp_path: Path) -> None:
    saved = tmp_path / "in.vidseg"
    vidseg.detect_to_file(clip, saved, search=Search(model=OraclePredictor()))
    assert estimate(clip, splashed, search=Search(detections=saved)).frames == 300


def test_a_frame_by_frame_input_and_its_errors(tmp_path: Path) -> None:
    path = write_scene(tmp_path / "in.apng", frames=6, pixel_format="rgb24", rate=Fraction(10))
    search = Search(model=OraclePredictor())
    assert estimate(path, splashed, search=search).seconds_per_frame is not None
    with pytest.raises(InputError, match="no frame between"):
        estimate(path, splashed, search=search, span=Span(8, 9))
