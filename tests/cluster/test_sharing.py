"""One video found by workers for any command; without Ray, whose part threads play here."""

import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image as Picture

from tests.cli.test_evaluate import davis, photos
from tests.support import plugged
from tests.support.commands import fails, run
from tests.support.doubles import OraclePredictor
from tests.support.scenes import read_barcode, scene_image, write_scene
from tests.support.thread_ray import RayError, ThreadRay
from vidseg import RunOptions, Search, Splash, VideoOutput, detect_to_file, evaluate, find, frames
from vidseg.cluster import Workers, draw
from vidseg.errors import OptionError, OutputError, VidsegError
from vidseg.structures.frame import Image
from vidseg.structures.instances import Instances
from vidseg.tracking.mask_tracker import MaskTracker
from vidseg.video.decoding.reader import read_frames
from vidseg.video.probe import probe

FRAMES = 48


@pytest.fixture(autouse=True)
def ray(monkeypatch: pytest.MonkeyPatch) -> ThreadRay:
    threads = ThreadRay()
    monkeypatch.setitem(sys.modules, "ray", threads)
    return threads


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_scene(tmp_path / "street.mp4", frames=FRAMES, sound=1)


def files(place: Path) -> dict[str, bytes]:
    """The content of a file, or of all files in a folder."""
    paths = [path for path in place.rglob("*") if path.is_file()] if place.is_dir() else [place]
    return {str(path.relative_to(place)): path.read_bytes() for path in paths}


COMMANDS = [
    (("overlay",), "out.mp4"),
    (("splash", "--feather", "3"), "out.mov"),
    (("draw", "--effect", "trace", "--effect", "blur-background"), "out.mp4"),
    (("cutout",), "out.mov"),
    (("frames",), "out"),
    (("frames", "--image"), "out"),
    (("frames", "--format", "coco"), "out.json"),
    (("overlay", "--every", "5", "--no-track"), "out.mp4"),
    (("overlay", "--id", "2"), "out.mp4"),
    (("overlay", "--at", "0.5", "--point", "94,64"), "out.gif"),
    (("detect", "--every", "auto", "--compact"), "out.vidseg"),
]


@pytest.mark.parametrize(
    ("words", "name"), COMMANDS, ids=lambda each: each if isinstance(each, str) else " ".join(each)
)
def test_workers_change_no_byte(
    words: Sequence[str],
    name: str,
    clip: Path,
    model: str,
    oracle: OraclePredictor,
    tmp_path: Path,
    ray: ThreadRay,
) -> None:
    made = {}
    for workers in ((), ("--workers", 3)):
        folder = tmp_path / f"by{len(workers)}"
        folder.mkdir()
        result = run(*words, *workers, "--model", model, clip, folder / name)
        assert result.exit_code == 0, result.stderr
        assert [path.name for path in folder.iterdir()] == [name]
        made[workers] = files(folder / name)
    assert len(ray.started) == 1
    assert made[()] == made["--workers", 3]


def test_several_outputs_and_the_detections_are_made_at_once(
    clip: Path, model: str, oracle: OraclePredictor, tmp_path: Path
) -> None:
    targets = ("a.mp4", "b.vidseg", "c.json")
    for folder, workers in (("one", ()), ("two", ("--workers", 2))):
        (tmp_path / folder).mkdir()
        to = [
            f"{kind}={tmp_path / folder / name}" for kind, name in zip(KINDS, targets, strict=True)
        ]
        words = [word for each in to for word in ("--to", each)]
        result = run("run", *workers, "--model", model, *words, clip)
        assert result.exit_code == 0, result.stderr
    for name in targets:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


KINDS = ("overlay", "detections", "coco")


def test_find_gives_the_same_frames_and_objects(
    clip: Path, model: str, oracle: OraclePredictor
) -> None:
    alone = list(find(clip, Search(model=model)))
    shared = list(find(clip, Search(model=model, workers=Workers(2))))
    assert [frame.time for frame, _ in shared] == [frame.time for frame, _ in alone]
    for (one, these), (other, those) in zip(alone, shared, strict=True):
        assert (one.image == other.image).all()
        assert these.ids.tolist() == those.ids.tolist()
        assert (these.masks == those.masks).all()


def test_leaving_find_early_ends_the_workers(
    clip: Path, model: str, oracle: OraclePredictor, ray: ThreadRay
) -> None:
    with_workers = find(clip, Search(model=model, workers=Workers(2)))
    next(with_workers)
    with_workers.close()
    assert ray.alive == 0


def test_a_tracker_of_ones_own_sees_pictures(
    clip: Path, model: str, oracle: OraclePredictor, tmp_path: Path
) -> None:
    seen: list[int] = []

    class Watching(MaskTracker):
        def update(self, frame: Any, instances: Instances) -> Instances:
            seen.append(int(frame.image.max()))
            return super().update(frame, instances)

    search = Search(model=model, tracker=Watching, workers=Workers(2))
    detect_to_file(clip, tmp_path / "a.vidseg", search=search)
    assert min(seen) > 200


@pytest.fixture
def no_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames are read for the predictor of workers alone."""

    def refused(*_: Any, **__: Any) -> None:
        pytest.fail("this process decodes the video")

    for module in ("detected_frames", "_saved_frames", "_point_selection"):
        monkeypatch.setattr(f"vidseg.pipeline.{module}.read_frames", refused)


def test_what_needs_no_pictures_decodes_nothing(
    clip: Path, model: str, oracle: OraclePredictor, tmp_path: Path, no_decoder: None
) -> None:
    search = Search(model=model, keep_score=0.05, workers=Workers(2))
    assert detect_to_file(clip, tmp_path / "a.vidseg", search=search).frames == FRAMES
    assert frames(clip, tmp_path / "masks", search=search).frames == FRAMES
    assert frames(clip, tmp_path / "a.csv", search=search, format="csv").frames == FRAMES
    words = ("detect", "--workers", 2, "--model", model, clip, tmp_path / "b.vidseg")
    assert run(*words).exit_code == 0
    assert (tmp_path / "a.vidseg").read_bytes() == (tmp_path / "b.vidseg").read_bytes()


def test_the_video_is_probed_once(
    clip: Path,
    model: str,
    oracle: OraclePredictor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(*_: Any) -> None:
        pytest.fail("a worker scans the video")

    monkeypatch.setattr("vidseg.results.parts.probe", refused)
    search = Search(model=model, workers=Workers(3))
    assert frames(clip, tmp_path / "masks", search=search).frames == FRAMES


class Dying(OraclePredictor):
    """Its process dies when it sees frame 20, as often as `left` says."""

    left = 0

    def predict(self, images: Sequence[Image]) -> list[Instances]:
        if Dying.left and 20 in map(read_barcode, images):
            Dying.left -= 1
            raise KeyboardInterrupt
        return super().predict(images)


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch) -> str:
    """The `--model` of a predictor whose worker dies."""
    from vidseg.cluster.worker import Worker

    do = Worker.do

    def or_die(self: Worker, *words: Any, **named: Any) -> Any:
        try:
            return do(self, *words, **named)
        except KeyboardInterrupt:
            raise RayError("killed") from None

    monkeypatch.setattr(Worker, "do", or_die)
    monkeypatch.setattr(Dying, "left", 0)
    monkeypatch.setattr(plugged, "predictor", Dying())
    return "tests.support.plugged:predictor"


def test_a_worker_that_dies_changes_no_byte(clip: Path, dying: str, tmp_path: Path) -> None:
    Dying.left = 3
    words = ("overlay", "--model", dying, "--batch-size", 4, clip)
    assert run(*words, "--workers", 2, tmp_path / "a.mp4").exit_code == 0
    assert Dying.left == 0
    assert run(*words, tmp_path / "b.mp4").exit_code == 0
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_frames_that_always_fail_are_named_and_nothing_is_left(
    clip: Path, dying: str, tmp_path: Path, ray: ThreadRay
) -> None:
    Dying.left = 99
    sentence = fails("overlay", "--workers", 2, "--model", dying, clip, tmp_path / "a.mp4")
    assert "The frames 20 to 23 of" in sentence
    assert "failed 4 times: The worker died: killed" in sentence
    assert [path.name for path in tmp_path.iterdir()] == [clip.name]
    assert ray.alive == 0


def test_found_and_written_frames_are_told(
    clip: Path, model: str, oracle: OraclePredictor, tmp_path: Path
) -> None:
    found: list[int] = []
    written: list[int] = []
    search = Search(model=model, workers=Workers(2))
    options = RunOptions(
        on_frame=lambda done, total: written.append(done),
        on_found=lambda done, total: found.append(done),
    )
    frames(clip, tmp_path / "masks", search=search, options=options)
    assert written == list(range(1, FRAMES + 1))
    assert found[-1] == FRAMES
    assert found == sorted(found)


def test_what_workers_cannot_share_is_refused(
    clip: Path, model: str, oracle: OraclePredictor, tmp_path: Path
) -> None:
    words, out = ("--workers", 2, "--model", model), tmp_path / "out.mp4"
    photo = tmp_path / "a.png"
    Picture.fromarray(scene_image(0)).save(photo)
    assert "share the frames" in fails("overlay", *words, photo, tmp_path / "b.png", code=2)
    assert "--start" in fails("overlay", *words, "--end", "1", clip, out, code=2)
    saved = tmp_path / "a.vidseg"
    assert run("detect", "--model", model, clip, saved).exit_code == 0
    alone = fails("splash", "--workers", 2, "--detections", saved, clip, out, code=2)
    assert "nothing to find" in alone
    resumed = ("--save-detections", tmp_path / "b.vidseg", "--resume")
    assert "detect --resume" in fails("overlay", *words, *resumed, clip, out, code=2)
    with pytest.raises(VidsegError, match="No folder can be made"):
        next(find(clip, Search(model=model, workers=Workers(2, folder=tmp_path / "no"))))


def test_evaluation_by_workers_gives_the_same_figures(
    clip: Path, model: str, oracle: OraclePredictor, tmp_path: Path, ray: ThreadRay
) -> None:
    pytest.importorskip("trackeval")
    told: list[tuple[int, int | None]] = []
    options = RunOptions(on_frame=lambda *call: told.append(call))
    for data in (photos(tmp_path / "photos"), davis(tmp_path / "davis"), clip):
        alone = evaluate(data, model)
        shared = evaluate(data, model, workers=Workers(2), run=options)
        assert shared == alone
        assert told[-1][0] == told[-1][1]
    assert len(ray.started) == 3
    with pytest.raises(OptionError, match="nothing to find"):
        evaluate(clip, detections=tmp_path / "a.vidseg", workers=Workers(2))


def barcodes(path: Path) -> list[tuple[Fraction, int]]:
    """The time and the index of every frame of a scene."""
    return [(frame.time, read_barcode(frame.image)) for frame in read_frames(probe(path))]


def sound(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


LONG = 120


@pytest.mark.parametrize(
    ("words", "name", "rate"),
    [
        (("splash",), "out.mp4", "constant"),
        (("splash", "--codec", "hevc"), "out.mkv", "variable"),
        pytest.param(("splash", "--codec", "av1"), "out.mp4", "constant", marks=pytest.mark.slow),
        pytest.param(
            ("splash", "--codec", "prores"), "out.mov", "variable", marks=pytest.mark.slow
        ),
    ],
    ids=["h264", "hevc", "av1", "prores"],
)
def test_segments_encoded_by_workers_show_the_same_frames_at_the_same_times(
    words: Sequence[str],
    name: str,
    rate: str,
    model: str,
    oracle: OraclePredictor,
    tmp_path: Path,
    ray: ThreadRay,
) -> None:
    steps = [
        1001 * index + (337 * (index % 3) if rate == "variable" else 0) for index in range(LONG)
    ]
    times = [Fraction(step, 30000) for step in steps]
    clip = write_scene(
        tmp_path / "in.mp4", frames=LONG, rate=Fraction(30000, 1001), times=times, sound=1
    )
    command = (*words, "--model", model, clip)
    assert run(*command, tmp_path / name).exit_code == 0
    (tmp_path / "joined").mkdir()
    result = run(*command, tmp_path / "joined" / name, "--workers", 2, "--parallel-encode")
    assert result.exit_code == 0, result.stderr
    one, joined = tmp_path / name, tmp_path / "joined" / name
    assert barcodes(joined) == barcodes(one)
    assert [index for _, index in barcodes(joined)] == list(range(LONG))
    assert sound(joined) == sound(one)
    assert [path.name for path in joined.parent.iterdir()] == [name]
    assert len(ray.started) == 1


def test_what_cannot_be_drawn_in_segments_is_refused(
    clip: Path, model: str, oracle: OraclePredictor, tmp_path: Path
) -> None:
    words = ("--model", model, "--workers", 2, "--parallel-encode", clip)
    assert "earlier" in fails("draw", "--effect", "trace", *words, tmp_path / "a.mp4", code=2)
    assert "none" in fails("overlay", *words, tmp_path / "a.gif", code=2)
    assert "--start" in fails("overlay", "--end", "1", *words, tmp_path / "a.mp4", code=2)
    alone = ("--model", model, "--parallel-encode", clip, tmp_path / "a.mp4")
    assert "--workers" in fails("overlay", *alone, code=2)
    watch = ("--watch", tmp_path / "w.png", tmp_path / "a.mp4")
    assert "here workers draw" in fails("overlay", *words, *watch, code=2)
    before = clip.read_bytes()
    with pytest.raises(OutputError, match="is the input itself"):
        draw(
            clip,
            [VideoOutput(clip, Splash())],
            search=Search(model=OraclePredictor()),
            workers=Workers(2),
            options=RunOptions(force=True),
        )
    assert clip.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [clip.name]


def test_frames_drawn_in_segments_are_told_of_all(
    clip: Path, model: str, oracle: OraclePredictor, tmp_path: Path
) -> None:
    told: list[tuple[int, int | None]] = []
    draw(
        clip,
        [VideoOutput(tmp_path / "a.mp4", Splash())],
        search=Search(model=model),
        workers=Workers(2),
        options=RunOptions(on_frame=lambda done, total: told.append((done, total))),
    )
    assert told[-1] == (FRAMES, FRAMES)
    assert {total for _, total in told} == {FRAMES}


def test_a_worker_that_dies_while_it_encodes_is_replaced(
    clip: Path, dying: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vidseg.pipeline import draw_segments

    left = [2]
    opened = draw_segments.replay

    def dies(*words: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise KeyboardInterrupt
        return opened(*words)

    monkeypatch.setattr(draw_segments, "replay", dies)
    words = ("splash", "--model", dying, "--workers", 2, "--parallel-encode", clip)
    assert run(*words, tmp_path / "a.mp4").exit_code == 0
    assert [index for _, index in barcodes(tmp_path / "a.mp4")] == list(range(FRAMES))
    assert left == [0]
