"""vidseg live: sources, ways to end, and what is refused."""

import os
import signal
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest

from tests.support.commands import fails, process, run
from tests.support.doubles import OraclePredictor
from tests.support.live_servers import StreamServer, refused_port, transport_stream
from tests.support.scenes import SIZE, scene_image
from vidseg.video.probe import probe


def test_a_stream_is_recorded_and_shown(oracle: OraclePredictor, model: str, tmp_path: Path):
    out, site = tmp_path / "out.mp4", tmp_path / "site"
    with StreamServer([transport_stream(15)]) as server:
        result = run(
            *("live", server.url, "--model", model, "--retries", 0),
            *("--record", out, "--hls", site, "--port", 0, "--effect", "splash"),
        )
    assert result.exit_code == 0
    assert result.stdout == ""
    assert "The picture is at http://127.0.0.1:" in result.stderr
    assert f"{server.url}: " in result.stderr
    frames = probe(out).frames
    assert frames
    assert f"{out}: {frames} frame" in result.stderr
    assert oracle.batches == [1] * len(oracle.batches)
    assert (site / "live.m3u8").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finishes_the_files(number: signal.Signals, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    words = ("live", "-", "--raw", f"{SIZE[1]}x{SIZE[0]}", "--record", out, "--progress-json")
    with _piped(*words, "--model", "tests.support.plugged:predictor") as running:
        assert running.stdin is not None
        assert running.stderr is not None
        running.stdin.write(scene_image(0).tobytes())
        running.stdin.flush()
        while '"done": 1' not in (line := running.stderr.readline().decode()):
            assert line, "it ended too soon"
        running.send_signal(number)
        told = running.stderr.read().decode()
        assert running.wait() == 0, told
    assert "the pipe: 1 frame shown" in told
    assert probe(out).frames == 1
    assert os.listdir(tmp_path) == ["out.mp4"]


def _piped(*words: object) -> "subprocess.Popen[bytes]":
    return process(*words, stdin=subprocess.PIPE, text=False)


def test_a_pipe_ends_at_its_end(tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    words = ("live", "-", "--record", out, "--model", "tests.support.plugged:predictor")
    with _piped(*words) as running:
        _, told = running.communicate(b"".join(transport_stream(8)))
    assert running.returncode == 0, told
    assert 0 < (probe(out).duration or 1) <= Fraction(8, 30)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("in.mp4",), 2, "in.mp4 is no live source"),
        (("file:///etc/passwd",), 2, "is no live source"),
        (("0", "--raw", "4x4"), 2, "--raw describes what comes in a pipe"),
        (("97", "--port", "0"), 1, "There is no camera 97"),
        (("0", "--raw", "big"), 2, "write WIDTHxHEIGHT"),
        (("-", "--raw-rate", "30"), 2, "--raw-rate needs the size of the frames"),
        (("http://[::1/x",), 2, "The URL of the source is not valid"),
        (("-", "--raw", "4x4", "--raw-rate", "fast"), 2, "is not a rate"),
        (("-", "--raw", "3x3", "--raw-format", "nv12"), 2, "needs even sides"),
        (("0", "--port", "99999"), 2, "A port is between"),
        (("0", "--record", "out.gif"), 2, "A recording is a video"),
        (("0", "--record", "no/such/out.mp4"), 1, "does not exist"),
        (("0", "--effect", "sparkle"), 2, "sparkle"),
        (("0", "--class", "zebrra"), 2, "did you mean zebra"),
    ],
)
def test_what_cannot_be_is_one_sentence(words: tuple[str, ...], code: int, says: str) -> None:
    if "97" in words and os.name != "posix":
        pytest.skip("needs /dev")
    assert says in fails("live", *words, *_light(words), code=code)


def _light(words: tuple[str, ...]) -> tuple[str, ...]:
    """No weights where a class of a real model is not asked for."""
    return () if "--class" in words else ("--model", "tests.support.plugged:predictor")


def test_without_display_one_sentence_says_what_else_there_is(model: str, monkeypatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    assert "this machine has no display" in fails("live", "0", "--model", model)


def test_a_stream_that_is_not_there_is_one_sentence(model: str, tmp_path: Path) -> None:
    with refused_port() as port:
        url = f"rtsp://me:secret@127.0.0.1:{port}/x"
        told = fails("live", url, "--model", model, "--record", tmp_path / "out.mp4")
    assert told == f"rtsp://me:***@127.0.0.1:{port}/x: Connection refused."
    assert list(tmp_path.iterdir()) == []


def test_an_existing_recording_is_kept(model: str, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    out.write_text("mine")
    assert "--force" in fails("live", "0", "--model", model, "--record", out)
    assert out.read_text() == "mine"


def test_live_takes_the_quick_model_where_it_knows_the_classes() -> None:
    from vidseg.cli.commands.live import _search
    from vidseg.cli.options import ModelFlags

    flags = ModelFlags((), None, "cpu", "auto", None)
    chosen = {
        classes: _search(flags, classes, 0.5, None, track=True).choice.model
        for classes in ((), ("person",), ("balloon",))
    }
    assert chosen == {(): "everyday", ("person",): "everyday", ("balloon",): "balloon"}
