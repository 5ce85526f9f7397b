"""Workers of a real Ray, started for each test by a process of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.commands import ROOT, process, run
from tests.support.doubles import OraclePredictor
from tests.support.scenes import write_scene
from vidseg.cpu_budget import CORES_VARIABLE, cores

pytest.importorskip("ray")
pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc"),
]

FRAMES = 48

TROUBLED = '''
import os, signal, time
from pathlib import Path
from tests.support.doubles import OraclePredictor

class Killed(OraclePredictor):
    """Dies once, in the middle of a span."""
    def predict(self, images):
        found = super().predict(images)
        mark = Path(__file__).with_name("was_killed")
        if 20 in self.seen and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return found

class Failing(OraclePredictor):
    """Never gets past frame 20."""
    def predict(self, images):
        found = super().predict(images)
        if 20 in self.seen:
            raise RuntimeError("frame 20 broke")
        return found

class Slow(OraclePredictor):
    def predict(self, images):
        time.sleep(0.5)
        return super().predict(images)
'''


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_scene(tmp_path / "street.mp4", frames=FRAMES)


@pytest.fixture
def troubled(tmp_path: Path) -> Callable[[str], str]:
    """The `--model` of a predictor in trouble."""
    path = tmp_path / "troubled.py"
    path.write_text(TROUBLED)
    return lambda name: f"{path}:{name}"


@pytest.fixture(autouse=True)
def marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Marks all processes of this test, and finds none of them after it."""
    monkeypatch.setenv("TEST_OF_WORKERS", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    yield
    monkeypatch.delenv("TEST_OF_WORKERS")
    wait_for_the_end_of(tmp_path)


def wait_for_the_end_of(mark: Path) -> None:
    """Fails where a process with this mark does not end by itself.

    Where the command was killed, Ray's agents look for its other processes for a minute or two.
    """
    for _ in range(1500):
        if not marked_processes(mark):
            return
        time.sleep(0.1)
    pytest.fail(f"left running: {marked_processes(mark)}")


def marked_processes(mark: Path) -> list[str]:
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"TEST_OF_WORKERS={mark}\0".encode() in environment.read_bytes():
                found.append(environment.with_name("cmdline").read_text().replace("\0", " "))
        except OSError:  # it has just ended, or is another user's
            continue
    return found


def vidseg(*words: object) -> "subprocess.CompletedProcess[str]":
    """`vidseg` as a process of its own; its output is that of a user who looks at no terminal."""
    running = process(*words)
    out, err = running.communicate(timeout=300)
    return subprocess.CompletedProcess(running.args, running.returncode, out, err)


def one_run(clip: Path, model: str, *words: object) -> bytes:
    target = clip.with_suffix(".one.vidseg")
    assert run("detect", "--model", model, *words, clip, target).exit_code == 0
    return target.read_bytes()


def named(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("words", [("--batch-size", 4), ("--every", 5, "--compact")])
def test_a_killed_worker_changes_no_byte(
    words: tuple[object, ...],
    clip: Path,
    troubled: Callable[[str], str],
    model: str,
    oracle: OraclePredictor,
    tmp_path: Path,
) -> None:
    out, model_words = tmp_path / "out.vidseg", ("--model", troubled("Killed"))
    (tmp_path / "was_killed").touch()
    whole = one_run(clip, troubled("Killed"), *words)
    (tmp_path / "was_killed").unlink()
    result = vidseg("detect", "--workers", 2, *model_words, *words, clip, out)
    assert result.returncode == 0, result.stderr
    assert result.stdout == ""
    assert result.stderr.startswith(f"{out}: {FRAMES} frames in ")
    assert (tmp_path / "was_killed").exists()
    assert out.read_bytes() == whole
    assert not (tmp_path / "out.vidseg.parts").exists()


def test_a_span_that_always_fails_is_named(
    clip: Path, troubled: Callable[[str], str], tmp_path: Path
) -> None:
    words = ("--workers", 1, "--model", troubled("Failing"))
    result = vidseg("detect", *words, clip, tmp_path / "out.vidseg")
    assert result.returncode == 1
    assert "Error: The frames 12 to 23 of" in result.stderr
    assert "failed 4 times: RuntimeError: frame 20 broke" in result.stderr
    assert "out.vidseg" not in named(tmp_path)
    assert "00000000-00000012.vidseg" in named(tmp_path / "out.vidseg.parts")


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGINT, 130),
        (signal.SIGTERM, 143),
        pytest.param(signal.SIGKILL, -9, marks=pytest.mark.slow),
    ],
)
def test_an_interrupted_run_ends_its_workers_and_is_resumed(
    number: signal.Signals, code: int, clip: Path, troubled: Callable[[str], str], tmp_path: Path
) -> None:
    out, parts = tmp_path / "out.vidseg", tmp_path / "out.vidseg.parts"
    words = ("detect", "--model", troubled("Slow"), clip, out)
    running = process(*words, "--workers", 2)
    while not any(parts.glob("*.vidseg")):
        assert running.poll() is None, running.communicate()
        time.sleep(0.1)
    os.kill(running.pid, number)
    _, err = running.communicate(timeout=60)
    assert running.returncode == code, err
    assert ("Error: Stopped by " in err) == (code > 0)
    wait_for_the_end_of(tmp_path)
    assert not out.exists()
    assert vidseg(*words, "--workers", 2).returncode == 1
    assert vidseg(*words, "--workers", 1, "--resume").returncode == 0
    assert out.read_bytes() == one_run(clip, troubled("Slow"))
    assert not parts.exists()


def test_several_inputs_get_a_worker_each(
    clip: Path, model: str, oracle: OraclePredictor, tmp_path: Path
) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    other = write_scene(tmp_path / "park.mp4", frames=20)
    inputs, out = (clip, tmp_path / "broken.mp4", other), tmp_path / "found"
    result = vidseg("detect", "--workers", 2, "--model", model, *inputs, f"{out}/")
    assert result.returncode == 1
    assert result.stderr.strip().splitlines()[-1] == (
        f"Error: 1 of 3 inputs failed: {tmp_path / 'broken.mp4'}"
    )
    assert f"{out / 'park.vidseg'}: 20 frames in " in result.stderr
    assert named(out) == ["park.vidseg", "street.vidseg"]
    for each in (clip, other):
        assert (out / f"{each.stem}.vidseg").read_bytes() == one_run(each, model)


def test_several_inputs_are_drawn_by_workers(
    clip: Path,
    model: str,
    oracle: OraclePredictor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = write_scene(tmp_path / "park.mp4", frames=20)
    words = ("overlay", "--model", model, clip, other)
    result = vidseg(*words, f"{tmp_path / 'many'}/", "--workers", 2)
    monkeypatch.setenv(
        CORES_VARIABLE, str(max(1, cores() // 2))
    )  # an encoder's file depends on its threads
    assert run(*words, f"{tmp_path / 'one'}/").exit_code == 0
    assert result.returncode == 0, result.stderr
    for name in (clip.name, other.name):
        assert (tmp_path / "many" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()


TWO_NODES = """
import sys
from ray.cluster_utils import Cluster

options = {"num_cpus": 1, "object_store_memory": 80_000_000, "include_dashboard": False}
cluster = Cluster(initialize_head=True, head_node_args=options)
second = cluster.add_node(num_cpus=1, object_store_memory=80_000_000)
print(cluster.address, flush=True)
if sys.stdin.readline() == "remove\\n":
    cluster.remove_node(second, allow_graceful=False)
    sys.stdin.readline()
cluster.shutdown()
"""


@pytest.fixture
def two_nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator["subprocess.Popen[str]"]:
    """A Ray cluster of two nodes. It prints its address; "remove" takes a node away."""
    monkeypatch.setenv("RAY_raylet_start_wait_time_s", "300")
    pipe = subprocess.PIPE
    words = [sys.executable, "-c", TWO_NODES]
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True) as nodes:
        try:
            yield nodes
        finally:
            nodes.communicate("end\nend\n", timeout=100)


def test_two_nodes_of_which_one_goes(
    two_nodes: "subprocess.Popen[str]",
    clip: Path,
    troubled: Callable[[str], str],
    model: str,
    oracle: OraclePredictor,
    tmp_path: Path,
) -> None:
    assert two_nodes.stdin
    assert two_nodes.stdout
    address = two_nodes.stdout.readline().strip()
    out, parts = tmp_path / "out.vidseg", tmp_path / "out.vidseg.parts"
    words = ("--cluster", address, "--model", troubled("Slow"))
    running = process("detect", *words, clip, out)
    while not any(parts.glob("*.vidseg*")):
        assert running.poll() is None, running.communicate()
        time.sleep(0.1)
    two_nodes.stdin.write("remove\n")
    two_nodes.stdin.flush()
    _, err = running.communicate(timeout=200)
    assert running.returncode == 0, err
    assert out.read_bytes() == one_run(clip, troubled("Slow"))


@pytest.mark.parametrize("address", ["127.0.0.1:1", "auto"])
def test_a_cluster_that_is_not_there_is_one_sentence(
    address: str, clip: Path, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    words = ("--cluster", address, "--model", model)
    result = vidseg("detect", *words, clip, tmp_path / "out.vidseg")
    assert result.returncode == 1
    assert f"Error: There is no way to the Ray cluster {address}: " in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert "out.vidseg.parts" not in named(tmp_path)
