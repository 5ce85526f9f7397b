"""Parts of a video, found apart and joined, are byte for byte the file of one run."""

import json
import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as Picture

from tests.support.commands import fails, run
from tests.support.doubles import BrokenPredictor, OraclePredictor
from tests.support.scenes import scene_image, write_scene
from vidseg.errors import InputError, OptionError, OutputExistsError
from vidseg.pipeline.detect_part import alignment, detect_part
from vidseg.pipeline.detect_to_file import detect_to_file
from vidseg.pipeline.merge import merge
from vidseg.pipeline.run_options import RunOptions
from vidseg.pipeline.search import Search
from vidseg.results.parts import INDEX_NAME, Frames, known_input, part_path
from vidseg.results.vidseg_file import read_detections
from vidseg.structures.frame import Image
from vidseg.structures.instances import Instances
from vidseg.tracking.mask_tracker import MaskTracker
from vidseg.video.decoding.reader import read_frames
from vidseg.video.probe import probe

Every = int | Literal["auto"]
FRAMES = 50
NEVER = 10**9


class BatchSensitivePredictor(OraclePredictor):
    """An oracle whose scores tell the batch and the place in it, as a network's last bits do."""

    def __init__(self, batch_size: int) -> None:
        super().__init__()
        self.batch_size = batch_size

    def predict(self, images: Sequence[Image]) -> list[Instances]:
        found = super().predict(images)
        return [
            replace(each, scores=each.scores - np.float32(0.01 * len(images) + 0.001 * place))
            for place, each in enumerate(found)
        ]


def shot_image(index: int) -> Image:
    """The scene, with all but its barcode inverted in every other shot of 17 frames."""
    image = scene_image(index)
    if index // 17 % 2:
        image[50:] = 255 - image[50:]
    return image


def write_shots(path: Path, times: Sequence[Fraction]) -> Path:
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream("libx264", rate=30, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = 192, 128, "yuv420p"
        video.time_base = video.codec_context.time_base = Fraction(1, 30000)
        video.codec_context.gop_size = 12
        for index, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(shot_image(index), "rgb24")
            frame.pts, frame.time_base = round(time * 30000), Fraction(1, 30000)
            container.mux(video.encode(frame))
        container.mux(video.encode())
    return path


CLIPS: dict[str, Callable[[int], Fraction]] = {
    "constant.mp4": lambda index: Fraction(index * 1001, 30000),
    "constant.mkv": lambda index: Fraction(index, 25),
    "variable.mp4": lambda index: Fraction(index * 1000 + 137 * (index % 3), 30000),
}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("clips")
    return {
        name: write_shots(folder / name, [time(i) for i in range(FRAMES)])
        for name, time in CLIPS.items()
    }


def search_with(predictor: OraclePredictor, **options: Any) -> Search:
    return Search(model=predictor, keep_score=0.05, **options)


def spans(lengths: Sequence[int], step: int) -> list[Frames]:
    """Spans of `lengths` x `step` frames, the last one to the end."""
    found: list[Frames] = []
    start = 0
    for length in lengths:
        if start + length * step >= FRAMES:
            break
        found.append((start, start + length * step))
        start += length * step
    return [*found, (start, None)]


@pytest.mark.timeout(600)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    name=st.sampled_from(sorted(CLIPS)),
    every=st.sampled_from([1, 5, "auto"]),
    batch=st.sampled_from([1, 2, 4]),
    track=st.booleans(),
    compact=st.booleans(),
    lengths=st.lists(st.integers(1, 4), max_size=6),
    order=st.randoms(use_true_random=False),
)
def test_joined_parts_are_the_file_of_one_run(
    name: str,
    every: Every,
    batch: int,
    track: bool,
    compact: bool,
    lengths: list[int],
    order: Any,
    clips: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("spans")
    options: dict[str, Any] = {"every": every, "track": track}

    def searching() -> Search:
        return search_with(BatchSensitivePredictor(batch), **options)

    detect_to_file(clips[name], folder / "one.vidseg", search=searching(), compact=compact)
    parts = spans(lengths, alignment(every, batch))
    order.shuffle(parts)
    for frames in parts:
        detect_part(clips[name], folder / "parts", frames, search=searching(), compact=compact)
    assert merge(folder / "parts", folder / "joined.vidseg").frames == FRAMES
    assert (folder / "joined.vidseg").read_bytes() == (folder / "one.vidseg").read_bytes()
    shutil.rmtree(folder)


INTERLACED = {"preset": "ultrafast", "x264-params": "tff=1:keyint=12"}


@pytest.mark.parametrize("name", [*CLIPS, "scene.avi", "scene.ts", "interlaced.mp4"])
def test_frames_are_read_by_index(name: str, clips: dict[str, Path], tmp_path: Path) -> None:
    options = INTERLACED if name == "interlaced.mp4" else None
    clip = clips.get(name) or write_scene(tmp_path / name, frames=FRAMES, options=options)
    info = probe(clip)
    assert info.interlaced == (options is not None)
    whole = [(f.index, f.time, f.duration, f.image.tobytes()) for f in read_frames(info)]
    assert [index for index, *_ in whole] == list(range(FRAMES))
    for first, stop in ((0, 1), (7, 20), (12, 24), (13, None), (49, 50), (40, 99), (50, None)):
        found = read_frames(info, first=first, stop=stop)
        part = [(f.index, f.time, f.duration, f.image.tobytes()) for f in found]
        assert part == whole[first:stop]


@pytest.fixture
def parts(clips: dict[str, Path], tmp_path: Path) -> Path:
    """Three parts of 16 frames and one of the rest."""
    for start in (0, 16, 32):
        search = search_with(OraclePredictor())
        end = None if start == 32 else start + 16
        detect_part(clips["constant.mp4"], tmp_path / "parts", (start, end), search=search)
    return tmp_path / "parts"


def refused(folder: Path, match: str, **options: Any) -> None:
    target = folder.parent / "joined.vidseg"
    with pytest.raises(InputError, match=match):
        merge(folder, target, **options)
    assert not target.exists()
    assert not target.with_name("joined.vidseg.part").exists()


def test_missing_frames_are_named(parts: Path) -> None:
    part_path(parts, (16, 32)).unlink()
    refused(parts, "lacks the frames from 16 to 31")
    part_path(parts, (32, None)).unlink()
    refused(parts, "lacks the frames from 16 to 49")
    part_path(parts, (0, 16)).unlink()
    refused(parts, "holds no parts")
    shutil.rmtree(parts)
    refused(parts, "not a folder of parts|holds no parts")


def test_the_first_frames_may_not_be_missing(parts: Path) -> None:
    part_path(parts, (0, 16)).unlink()
    refused(parts, "lacks the frames from 0 to 15")


def test_doubled_frames_are_refused(parts: Path, clips: dict[str, Path]) -> None:
    search = search_with(OraclePredictor())
    detect_part(clips["constant.mp4"], parts, (16, None), search=search)
    refused(parts, "hold the same frames")


def test_parts_of_other_runs_are_refused(parts: Path, clips: dict[str, Path]) -> None:
    part_path(parts, (16, 32)).unlink()
    search = search_with(OraclePredictor(), score=0.7)
    detect_part(clips["constant.mp4"], parts, (16, 32), search=search)
    refused(parts, "different runs: options")


def test_parts_of_another_video_are_refused(parts: Path, clips: dict[str, Path]) -> None:
    part_path(parts, (16, 32)).unlink()
    search = search_with(OraclePredictor())
    detect_part(clips["constant.mkv"], parts, (16, 32), search=search)
    refused(parts, "different runs: source", source=clips["constant.mp4"])


def test_a_video_that_changed_is_refused(parts: Path, clips: dict[str, Path]) -> None:
    refused(parts, "made from another input", source=clips["variable.mp4"])


def test_parts_of_unlike_machines_are_joined_on_demand(
    parts: Path, clips: dict[str, Path], tmp_path: Path
) -> None:
    part_path(parts, (16, 32)).unlink()
    predictor = OraclePredictor()
    setattr(predictor, "batch_size", 16)  # noqa: B010
    detect_part(clips["constant.mp4"], parts, (16, 32), search=search_with(predictor))
    refused(parts, "batch_size is 4 and 16; `mixed=True` takes them")
    assert merge(parts, tmp_path / "mixed.vidseg", mixed=True).frames == FRAMES


def test_a_part_cut_short_is_refused(parts: Path) -> None:
    path = part_path(parts, (32, None))
    path.write_bytes(path.read_bytes()[:-40])
    refused(parts, "its run was interrupted")


def test_parts_of_another_release_are_refused(parts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vidseg.pipeline.merge.__version__", "9.9")
    refused(parts, "are of vidseg .*, and this is 9.9")


def test_files_of_whole_videos_are_no_parts(parts: Path, clips: dict[str, Path]) -> None:
    search = search_with(OraclePredictor())
    detect_to_file(clips["constant.mp4"], parts / "whole.vidseg", search=search)
    refused(parts, "whole.vidseg is not a part")


def test_spans_begin_where_batches_do(clips: dict[str, Path], tmp_path: Path) -> None:
    clip = clips["constant.mp4"]
    search = search_with(BatchSensitivePredictor(4), every=5)
    for frames in ((6, 15), (15, 20), (6, None)):
        with pytest.raises(OptionError, match="multiples of 15 frames"):
            detect_part(clip, tmp_path / "parts", frames, search=search)
    with pytest.raises(InputError, match="has 50 frames; none is at 60"):
        detect_part(clip, tmp_path / "parts", (60, 120), search=search)
    result = detect_part(clip, tmp_path / "parts", (0, 77), search=search)
    assert result
    assert result.frames == FRAMES


def test_the_video_is_probed_once(
    parts: Path, clips: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vidseg.results.parts.probe", lambda path: pytest.fail("probed again"))
    clip = clips["constant.mp4"]
    known = known_input(clip, parts)
    assert known == probe(clip)
    assert known.keyframes == probe(clip).keyframes
    assert merge(parts, parts.parent / "joined.vidseg").frames == FRAMES


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"of": 1}', "[" * 100_000])
def test_a_broken_index_is_made_again(content: str, parts: Path, clips: dict[str, Path]) -> None:
    (parts / INDEX_NAME).write_text(content)
    assert known_input(clips["constant.mp4"], parts) == probe(clips["constant.mp4"])
    assert json.loads((parts / INDEX_NAME).read_text())["info"]["frames"] == FRAMES


@pytest.mark.parametrize("every", [1, 5])
def test_resuming_takes_what_is_whole(every: int, clips: dict[str, Path], tmp_path: Path) -> None:
    clip, folder = clips["constant.mp4"], tmp_path / "parts"
    broken = search_with(BrokenPredictor(7 if every == 1 else 3), every=every)
    ends: list[Frames] = [(0, 16), (16, None)] if every == 1 else [(0, 30), (30, None)]
    with pytest.raises(RuntimeError):
        detect_part(clip, folder, ends[0], search=broken)
    left = [path.name for path in folder.iterdir() if path.suffix == ".part"]
    assert left == (["00000000-00000016.vidseg.part"] if every == 1 else [])
    search = search_with(BrokenPredictor(NEVER), every=every)
    for frames in ends:
        detect_part(clip, folder, frames, search=search, options=RunOptions(resume=True))
    idle = BrokenPredictor(NEVER)
    for frames in ends:
        assert not detect_part(
            clip,
            folder,
            frames,
            search=search_with(idle, every=every),
            options=RunOptions(resume=True),
        )
    assert idle.seen == []
    with pytest.raises(OutputExistsError):
        detect_part(clip, folder, ends[0], search=search)
    merge(folder, tmp_path / "joined.vidseg")
    search = search_with(BrokenPredictor(NEVER), every=every)
    detect_to_file(clip, tmp_path / "one.vidseg", search=search)
    assert (tmp_path / "joined.vidseg").read_bytes() == (tmp_path / "one.vidseg").read_bytes()
    other = search_with(BrokenPredictor(NEVER), every=every, score=0.9)
    with pytest.raises(OptionError, match="made with other options"):
        detect_part(clip, folder, ends[0], search=other, options=RunOptions(resume=True))


def test_commands(
    clips: dict[str, Path], model: str, oracle: OraclePredictor, tmp_path: Path
) -> None:
    clip, folder = clips["constant.mkv"], tmp_path / "parts"
    detect = ("detect", "--model", model)
    assert run(*detect, clip, tmp_path / "one.vidseg").exit_code == 0
    for span in ("24:", "0:24"):
        assert run(*detect, "--frames", span, clip, folder).exit_code == 0
    result = run("merge", folder, tmp_path / "joined.vidseg")
    assert result.stderr.startswith(f"{tmp_path / 'joined.vidseg'}: {FRAMES} frames in ")
    assert (tmp_path / "joined.vidseg").read_bytes() == (tmp_path / "one.vidseg").read_bytes()
    assert "--force" in fails("merge", folder, tmp_path / "joined.vidseg")
    skipped = run("merge", "--skip-existing", folder, tmp_path / "joined.vidseg")
    assert (skipped.exit_code, "is left out" in skipped.stderr) == (0, True)
    skipped = run(*detect, "--skip-existing", "--frames", "24:", clip, folder)
    assert (skipped.exit_code, "is left out" in skipped.stderr) == (0, True)
    assert "--force" in fails(*detect, "--frames", "24:", clip, folder)
    assert run(*detect, "--resume", "--frames", "24:", clip, folder).exit_code == 0
    assert "write A:B" in fails(*detect, "--frames", "24", clip, folder, code=2)
    assert "B must be above A" in fails(*detect, "--frames", "24:24", clip, folder, code=2)
    assert "for one input" in fails(*detect, "--frames", "0:8", clip, clip, folder, code=2)
    assert "--keep-going" in fails(*detect, "--frames", "0:8", "--start", "1", clip, folder, code=2)


def test_photos_have_no_spans(tmp_path: Path) -> None:
    Picture.fromarray(scene_image(0)).save(tmp_path / "a.png")
    search = search_with(OraclePredictor())
    with pytest.raises(OptionError, match="for videos"):
        detect_part(tmp_path / "a.png", tmp_path / "parts", (0, None), search=search)


def test_a_tracker_of_ones_own_needs_the_whole_video(
    clips: dict[str, Path], tmp_path: Path
) -> None:
    search = search_with(OraclePredictor(), tracker=MaskTracker)
    with pytest.raises(OptionError, match="detect the whole video"):
        detect_part(clips["constant.mp4"], tmp_path / "parts", (0, None), search=search)


def test_no_warning_of_a_part(parts: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "vidseg"):
        merge(parts, parts.parent / "joined.vidseg")
    assert not caplog.records
    header = read_detections(parts.parent / "joined.vidseg").header
    assert header.part is None
