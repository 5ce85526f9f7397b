"""What goes wrong ends with one sentence and the right exit code, and leaves nothing behind."""

import errno
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import av
import cv2
import pytest

from tests.support import corpus, plugged
from tests.support.commands import fails, process, run, write_scene_model
from tests.support.doubles import BrokenPredictor, OraclePredictor
from tests.support.scenes import scene_image, write_scene
from vidseg.cli.exit_codes import (
    CommandError,
    Stopped,
    errors_as_sentences,
    sentence_for,
    stop_on_signals,
)
from vidseg.cli.progress import Progress


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    return write_scene(tmp_path / "work" / "in.mp4", frames=30)


@pytest.fixture(autouse=True)
def _nothing_left_behind(tmp_path: Path) -> Iterator[None]:
    """No temporary file and no half output beside the inputs."""
    yield
    left = [path.name for path in tmp_path.rglob("*") if path.name.startswith((".", "out"))]
    assert left == []


def bad_inputs(folder: Path) -> dict[str, Path]:
    inputs = {name: folder / name for name in ("missing.mp4", "text.mp4", "empty.mp4", "nothing")}
    inputs["text.mp4"].write_text("this is no video\n" * 100)
    inputs["empty.mp4"].touch()
    inputs["nothing"].mkdir()
    return inputs


@pytest.mark.parametrize("command", ["splash", "frames"])
@pytest.mark.parametrize("name", ["missing.mp4", "text.mp4", "empty.mp4", "nothing"])
def test_inputs_that_are_no_video(
    command: str, name: str, tmp_path: Path, model: str, oracle: OraclePredictor
) -> None:
    source = bad_inputs(tmp_path)[name]
    target = tmp_path / ("out" if command == "frames" or name == "nothing" else "out.mp4")
    assert str(source) in fails(command, "--model", model, source, target)
    assert not oracle.batches


def test_sound_alone_is_no_video(tmp_path: Path, model: str, oracle: OraclePredictor) -> None:
    source, film = tmp_path / "sound.m4a", write_scene(tmp_path / "in.mp4", frames=5, sound=1)
    with av.open(str(film)) as given, av.open(str(source), "w", format="ipod") as made:
        stream = made.add_stream_from_template(given.streams.audio[0])
        for packet in given.demux(audio=0):
            if packet.dts is not None:
                packet.stream = stream
                made.mux(packet)
    assert str(source) in fails("splash", "--model", model, source, tmp_path / "out.mp4")
    assert not oracle.batches


def test_a_video_does_not_become_a_photo_nor_a_photo_a_video(
    clip: Path, model: str, tmp_path: Path, oracle: OraclePredictor
) -> None:
    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), scene_image(0))
    to_photo = fails("splash", "--model", model, clip, tmp_path / "out.png", code=2)
    assert to_photo.startswith("A video cannot become a photo")
    to_video = fails("splash", "--model", model, photo, tmp_path / "out.mp4", code=2)
    assert to_video.startswith("A photo cannot become a video")
    assert not oracle.batches


def test_an_unknown_class_comes_before_a_missing_input(model: str) -> None:
    assert "'ballon'" in fails("splash", "--class", "ballon", "missing.mp4", "o.mp4", code=2)


def test_model_files_that_are_none(clip: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.pt"
    bad.write_bytes(b"not a model" * 100)
    assert str(bad) in fails("splash", "--model", bad, clip, tmp_path / "out.mp4")
    gone = tmp_path / "gone.pt"
    assert str(gone) in fails("splash", "--model", gone, clip, tmp_path / "out.mp4")


def test_weights_that_do_not_load(clip: Path, model_file: Path, tmp_path: Path) -> None:
    """The header is good and there are no weights: found out when the input was read."""
    assert str(model_file) in fails("splash", "--model", model_file, clip, tmp_path / "out.mp4")


def test_weights_load_last(clip: Path, model_file: Path, tmp_path: Path) -> None:
    """A model file without weights goes unnoticed where a path is wrong."""
    assert "model" in fails("splash", "--model", model_file, clip, tmp_path / "out.mp4")
    for source, target, says in (
        (tmp_path / "gone.mp4", tmp_path / "out.mp4", "gone.mp4"),
        (clip, tmp_path / "no" / "out.mp4", "no"),
        (clip, clip, "input"),
    ):
        sentence = fails("splash", "--model", model_file, source, target)
        assert says in sentence
        assert str(model_file) not in sentence


def test_outputs_that_cannot_be_written(
    clip: Path, model: str, tmp_path: Path, oracle: OraclePredictor
) -> None:
    assert "does not exist" in fails("splash", "--model", model, clip, tmp_path / "no" / "out.mp4")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").touch()
    assert "not empty" in fails("frames", "--model", model, clip, tmp_path / "full")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["notes.txt"]
    assert not oracle.batches


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_not_writable(
    clip: Path, model: str, tmp_path: Path, oracle: OraclePredictor
) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    assert "cannot be written" in fails("splash", "--model", model, clip, locked / "out.mp4")
    assert not oracle.batches


@pytest.mark.parametrize("way", ["itself", "link", "hard link"])
def test_the_input_is_never_the_output(
    way: str, clip: Path, model: str, tmp_path: Path, oracle: OraclePredictor
) -> None:
    before, target = clip.read_bytes(), clip
    if way != "itself":
        target = tmp_path / "other.mp4"
        (os.symlink if way == "link" else os.link)(clip, target)
    assert "is the input" in fails("splash", "--model", model, "--force", clip, target)
    assert clip.read_bytes() == before
    assert not oracle.batches


def test_one_input_is_not_the_output_of_another(
    clip: Path, model: str, oracle: OraclePredictor
) -> None:
    other = write_scene(clip.with_name("b.mp4"), frames=3)
    before = clip.read_bytes()
    assert "input" in fails("splash", "-f", "--model", model, clip, other, f"{clip.parent}/")
    assert clip.read_bytes() == before


def test_a_damaged_input_ends_with_an_error_or_a_shorter_whole(
    clip: Path, model: str, tmp_path: Path, oracle: OraclePredictor
) -> None:
    whole = write_scene(tmp_path / "whole.mkv", frames=60)
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert str(cut) in fails("splash", "--model", model, cut, tmp_path / "out.mkv")
    kept = tmp_path / "kept.mkv"
    result = run("splash", "--keep-going", "--model", model, cut, kept)
    assert result.exit_code == 0
    assert "Warning: " in result.stderr
    assert kept.exists()


def test_a_predictor_that_fails_leaves_nothing(
    clip: Path, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = BrokenPredictor(at=17, error=MemoryError())
    monkeypatch.setattr("tests.support.plugged.predictor", broken)
    assert "memory" in fails("splash", "--model", model, clip, tmp_path / "out.mp4")
    assert "memory" in fails("frames", "--model", model, clip, tmp_path / "out")


OUT_OF_MEMORY = [
    MemoryError(),
    RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate"),
    RuntimeError("could not create a primitive"),
    ImportError("libtorch_cpu.so: failed to map segment from shared object"),
    OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
    cv2.error("OpenCV: (-4:Insufficient memory) Failed to allocate 12 bytes in function"),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda error: type(error).__name__)
def test_little_memory_is_one_sentence(error: Exception) -> None:
    with pytest.raises(CommandError, match="not enough memory") as failed, errors_as_sentences():
        raise error
    assert failed.value.exit_code == 1


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="limits of Linux")
@pytest.mark.parametrize("megabytes", [200, 700])
def test_a_limit_of_memory(megabytes: int, clip: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({megabytes << 20},) * 2)"
    words = ("splash", "--model", "balloon", clip, tmp_path / "out.mp4")
    running = process(*words, code=limit)
    _, stderr = running.communicate()
    assert running.returncode == 1
    assert "Traceback" not in stderr
    assert "emory" in stderr
    assert len(stderr.splitlines()) == 1


@pytest.mark.parametrize("left", range(4))
def test_no_threads_left(
    left: int, clip: Path, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts, start = iter(range(left)), threading.Thread.start

    def limited(thread: threading.Thread) -> None:
        if next(starts, None) is None:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    sentence = fails("splash", "--model", model, clip, tmp_path / "out.mp4")
    assert sentence.startswith("The system starts no more threads")


@pytest.mark.parametrize("every", [1, 4])
def test_an_error_of_a_predictor_names_it_and_the_frame(
    every: int, clip: Path, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.support.plugged.predictor", BrokenPredictor(at=4))
    words = ("splash", "--every", every, "--batch-size", 1, "--model", model, clip)
    sentence = fails(*words, tmp_path / "out.mp4")
    assert sentence == (
        f"The predictor BrokenPredictor failed in frame {4 * every}: "
        "RuntimeError: the predictor broke. -vv shows where."
    )
    assert "in predict" in run(*words, tmp_path / "out.mp4", "-vv").stderr


def test_what_nobody_foresaw_keeps_its_traceback(
    clip: Path, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vidseg.pipeline.run.probe", lambda path: {}[path])
    with pytest.raises(KeyError):
        run("splash", "--model", model, clip, tmp_path / "out.mp4")


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash for a limit on file sizes")
def test_a_file_that_grows_too_large(clip: Path, tmp_path: Path) -> None:
    """What a full disk looks like to the program: writing fails on the way."""
    limit = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    limit += "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))"
    words = ["splash", "--crf", "0", "--model", plugged.MODEL, clip, tmp_path / "out.mp4"]
    running = process(*words, code=limit)
    stdout, stderr = running.communicate()
    assert running.returncode == 1, stderr
    assert "Traceback" not in stderr
    assert str(tmp_path / "out.mp4") in stderr
    assert stdout == ""


@pytest.mark.parametrize(
    ("number", "code", "says"),
    [
        (signal.SIGINT, 130, "Stopped by Ctrl-C"),
        (signal.SIGTERM, 143, "Stopped by SIGTERM"),
        (signal.SIGHUP, 129, "Stopped by SIGHUP"),
    ],
)
@pytest.mark.parametrize("command", ["splash", "frames"])
def test_signals_stop_cleanly(
    command: str, number: int, code: int, says: str, tmp_path: Path
) -> None:
    clip = write_scene(tmp_path / "long.mp4", frames=80)
    target = tmp_path / ("out.mp4" if command == "splash" else "out")
    words = ("--batch-size", "2", "--model", plugged.MODEL, clip, target)
    running = process(command, *words, code=plugged.BLOCKED.format(batches=25))
    assert running.stdout is not None
    for _ in range(26):
        assert running.stdout.readline() == "predicting\n"
    assert list(tmp_path.glob(".vidseg-*"))
    running.send_signal(number)
    running.send_signal(number)  # an impatient second one does not break the cleaning up
    _, stderr = running.communicate()
    assert running.returncode == code, stderr
    assert says in stderr
    assert "Traceback" not in stderr


def test_a_signal_that_a_library_swallowed_stops_at_the_next_frame() -> None:
    with stop_on_signals(), Progress(bar=False) as progress:
        progress.on_frame(1, None)
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Stopped) as stopped:
            progress.on_frame(2, None)
        assert stopped.value.number == signal.SIGTERM
    Progress(bar=False).on_frame(1, None)


def test_verbose_twice_shows_the_traceback() -> None:
    assert "Traceback" in run("info", "-vv", "missing.mp4").stderr
    assert "Traceback" not in run("info", "-v", "missing.mp4").stderr


def test_a_missing_system_library_is_named() -> None:
    error = ImportError("libGL.so.1: cannot open shared object file: No such file or directory")
    sentence = sentence_for(error)
    assert sentence is not None
    assert "libGL.so.1" in sentence
    assert "apt-get install -y libgl1 libglib2.0-0" in sentence
    assert sentence_for(ImportError("No module named 'nothing'")) is None


def test_opencv_without_its_libraries_is_one_sentence(clip: Path, tmp_path: Path) -> None:
    code = """
import sys
class Bare:
    def find_spec(self, name, path=None, target=None):
        if name == "cv2":
            raise ImportError("libGL.so.1: cannot open shared object file: No such file")
sys.meta_path.insert(0, Bare())
"""
    model = write_scene_model(tmp_path / "scene.pt")
    running = process("splash", "--model", model, clip, tmp_path / "out.mp4", code=code)
    _, stderr = running.communicate()
    assert running.returncode == 1
    assert stderr.startswith("Error: A system library is missing, libGL.so.1; install libgl1")
    assert len(stderr.splitlines()) == 1


def test_kept_interlaced_frames_are_told(model: str, tmp_path: Path) -> None:
    path = corpus.interlaced(tmp_path)
    words = ("splash", "--model", model, path)
    told = run(*words, "--keep-interlaced", tmp_path / "kept.mp4").stderr
    assert told.count("marked as progressive") == 1
    assert "marked as progressive" not in run(*words, tmp_path / "plain.mp4").stderr
