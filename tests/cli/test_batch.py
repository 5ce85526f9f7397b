"""`vidseg run`: many outputs of one pass, each as its own command makes it."""

import errno
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import pytest

from tests.results.test_formats import contents
from tests.support import plugged
from tests.support.commands import fails, process, run
from tests.support.doubles import OraclePredictor
from tests.support.scenes import scene_image, write_scene
from vidseg.cli.output_specs import OutputSpec, To
from vidseg.errors import OptionError, OutputError
from vidseg.pipeline.outputs import ExportOutput, MaskFolderOutput, RunContext, Write
from vidseg.pipeline.run import run as pass_over
from vidseg.pipeline.search import Search
from vidseg.structures.frame import Frame
from vidseg.structures.instances import Instances
from vidseg.video.decoding.reader import read_frames

SINGLE = {
    "overlay=o.mp4": ["overlay"],
    "overlay:alpha=0.3,boxes=off,contours=on=p.mov": [
        *("overlay", "--alpha", "0.3", "--no-boxes", "--contours"),
    ],
    "splash:feather=3=pictures": ["splash", "--feather", "3"],
    "frames:image,per-object=on=masks": ["frames", "--image", "--per-object"],
    "labelme:image=lm": ["frames", "--format", "labelme", "--image"],
    "labelme:tolerance=3=lt": ["frames", "--format", "labelme", "--tolerance", "3"],
    "yolo=yolo": ["frames", "--format", "yolo"],
    "ytvis=y.json": ["frames", "--format", "ytvis"],
    "npz=n.npz": ["frames", "--format", "npz"],
    "csv=t.csv": ["frames", "--format", "csv"],
    "detections=d.vidseg": ["detect"],
}
"""`--to` and the words of the command that makes the same."""


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_scene(tmp_path / "in.mp4", frames=12, sound=1)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for every time that the input is read."""
    opened: list[int] = []

    def counted(*words: Any, **options: Any) -> Iterator[Any]:
        opened.append(1)
        return read_frames(*words, **options)

    monkeypatch.setattr("vidseg.pipeline.detected_frames.read_frames", counted)
    return opened


def to(folder: Path, *wanted: str) -> list[str]:
    """`--to` words with the targets in `folder`."""
    pairs = (each.rpartition("=") for each in wanted)
    return [word for kind, _, name in pairs for word in ("--to", f"{kind}={folder / name}")]


def test_one_pass_makes_what_the_single_commands_make(
    clip: Path, model: str, tmp_path: Path, oracle: OraclePredictor, reads: list[int]
) -> None:
    span = ["--model", model, "--start", "0.1"]
    many, single = tmp_path / "many", tmp_path / "single"
    many.mkdir()
    single.mkdir()
    result = run("run", clip, *to(many, *SINGLE), *span)
    assert result.exit_code == 0, result.output
    assert result.stderr.count("9 frames in ") == 1
    assert len(reads) == 1
    assert oracle.seen == list(range(3, 12))
    for wanted, (command, *words) in SINGLE.items():
        name = wanted.rpartition("=")[2]
        assert run(command, *words, *span, clip, single / name).exit_code == 0
        assert contents(many / name) == contents(single / name), wanted
    assert len(reads) == 1 + len(SINGLE)


def test_a_folder_of_photos(model: str, oracle: OraclePredictor, tmp_path: Path) -> None:
    photos = tmp_path / "in"
    photos.mkdir()
    for index in (2, 10):
        cv2.imwrite(str(photos / f"{index}.png"), scene_image(index)[..., ::-1])
    words = to(tmp_path, "splash=drawn/", "overlay=more", "coco-dataset=c.json")
    assert run("run", photos, "--model", model, *words).exit_code == 0
    assert oracle.seen == [2, 10]
    for name in ("drawn", "more"):
        assert sorted(path.name for path in (tmp_path / name).iterdir()) == ["10.png", "2.png"]
    assert "cannot become a video" in fails(
        *("run", photos, "--model", model, *to(tmp_path, "csv=x.csv", "overlay=o.mp4")), code=2
    )
    assert not (tmp_path / "x.csv").exists()


def test_only_detections(clip: Path, model: str, oracle: OraclePredictor, tmp_path: Path) -> None:
    assert run("run", clip, "--model", model, *to(tmp_path, "detections=d.vidseg")).exit_code == 0
    words = ["run", clip, "--detections", tmp_path / "d.vidseg", *to(tmp_path, "csv=t.csv")]
    assert run(*words).exit_code == 0
    assert len(oracle.seen) == 12


def test_encoding_options_are_for_the_videos(
    clip: Path, model: str, oracle: OraclePredictor, tmp_path: Path
) -> None:
    words = ["run", clip, "--model", model, "--crf", "40"]
    assert run(*words, *to(tmp_path, "overlay=a.mp4", "overlay=b", "csv=t.csv")).exit_code == 0
    assert run("overlay", *words[1:], tmp_path / "c.mp4").exit_code == 0
    assert contents(tmp_path / "a.mp4") == contents(tmp_path / "c.mp4")
    assert "need a video" in fails(*words, *to(tmp_path, "overlay=d", "csv=u.csv"), code=2)


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (["overlai=a.mp4"], "no output 'overlai' (did you mean overlay?)"),
        (["COCO=a.json"], "did you mean coco?"),
        (["nothing-like-it=a"], "use overlay, splash"),
        (["overlay:alfa=0.3=a.mp4"], "did you mean alpha"),
        (["overlay:alpha=7=a.mp4"], "alpha must lie in 0..1"),
        (["overlay:a.mp4"], "write KIND=TARGET"),
        (["overlay"], "write KIND=TARGET"),
        (["overlay="], "write KIND=TARGET"),
        (["=a.mp4"], "write KIND=TARGET"),
        (["overlay=a/"], "a/ has a slash at its end"),
        (["overlay=a.avi"], "'a.avi' has a suffix that cannot be written"),
        (["frames:images=on=a"], "has no setting 'images'; it has image, per-object"),
        (["labelme:image=maybe=a"], "must be on or off, got 'maybe'"),
        (["labelme:tolerance=much=a"], "tolerance must be a number of pixels, got 'much'"),
        (["labelme:tolerance=-1=a"], "olerance"),
        (["coco:tolerance=2=a.json"], "has no setting 'tolerance'; it has image"),
        (["coco:image=a.json"], "no place for images"),
        (["overlay=a.mp4", "splash=./a.mp4"], "Two outputs would be written to"),
        (["detections=a.vidseg", "csv=a.vidseg"], "Two outputs would be written to"),
        (["detections=a.vidseg", "detections=b.vidseg"], "Detections are saved once"),
        (["pixelate:class=disk=a.mp4"], "did you mean disc?"),
    ],
)
def test_wrong_outputs_come_before_everything(
    wanted: list[str], says: str, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [word for each in wanted for word in ("--to", each)]
    assert says in fails("run", "missing.mp4", "--model", model, *words, code=2)
    assert list(tmp_path.iterdir()) == []


def test_the_input_is_no_output(clip: Path, model: str, tmp_path: Path) -> None:
    words = ["run", clip, "--model", model, "--force"]
    assert "the input itself" in fails(*words, *to(tmp_path, "csv=t.csv", "overlay=in.mp4"))
    assert "Missing option '--to'" in fails("run", clip, code=2)
    assert not (tmp_path / "t.csv").exists()


def test_what_is_there_is_kept(clip: Path, model: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("mine")
    words = ["run", clip, "--model", model, *to(tmp_path, "overlay=o.mp4", "csv=t.csv")]
    assert "t.csv exists already" in fails(*words)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4", "t.csv"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("overlay=a=b.mp4", OutputSpec("overlay", "", "a=b.mp4")),
        ("splash:feather=2=c:d.mp4", OutputSpec("splash", "feather=2", "c:d.mp4")),
        ("csv=c:/a.csv", OutputSpec("csv", "", "c:/a.csv")),
        ("frames:image=m", OutputSpec("frames", "image", "m")),
    ],
)
def test_where_the_target_begins(text: str, wanted: OutputSpec) -> None:
    assert To().convert(text, None, None) == wanted


class Breaking(ExportOutput):
    """A table that cannot be written from the fourth frame on."""

    @contextmanager
    def open(self, context: RunContext) -> Iterator[Write]:
        with super().open(context) as write:

            def failing(frame: Frame, instances: Instances) -> None:
                if frame.index == 3:
                    raise OSError(errno.ENOSPC, "No space left on device")
                write(frame, instances)

            yield failing


def test_a_full_disk_names_its_output_and_leaves_none(
    clip: Path, model: str, tmp_path: Path, oracle: OraclePredictor
) -> None:
    outputs = [
        MaskFolderOutput(tmp_path / "m"),
        Breaking(tmp_path / "b.csv", "csv"),
        MaskFolderOutput(tmp_path / "n"),
    ]
    with pytest.raises(OutputError, match=r"No space left on the disk for .*b\.csv"):
        pass_over(clip, outputs, search=Search(model=model))
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_nothing_to_make_is_an_error(clip: Path, model: str) -> None:
    with pytest.raises(OptionError, match="nothing to write"):
        pass_over(clip, [], search=Search(model=model))


def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    clip = write_scene(tmp_path / "in.mp4", frames=60)
    words = to(tmp_path, "overlay=o.mp4", "splash=s", "labelme=lm", "csv=t.csv")
    words = ("--model", plugged.MODEL, "--batch-size", 1, *words)
    running = process("run", clip, *words, code=plugged.BLOCKED.format(batches=50))
    while len(list(tmp_path.iterdir())) < 5:  # an encoder needs some frames to begin with its file
        assert running.poll() is None
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, stderr = running.communicate()
    assert running.returncode == 130, stderr
    assert stderr.startswith("Error: Stopped by Ctrl-C")
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]
