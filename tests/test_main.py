"""How the program begins: signals while it is still being imported, and closed streams."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import plugged
from tests.support.commands import ROOT
from tests.support.scenes import write_scene

HOOK = """
import os, signal, sys
signal.signal(signal.{number}, signal.{handler})
class Hook:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.{number})
sys.meta_path.insert(0, Hook())
sys.argv = ["vidseg", *{words}]
from vidseg.__main__ import main
main()
"""
"""A signal while `module` is imported."""


def interrupted(
    module: str, handler: str, number: str = "SIGINT", words: tuple[str, ...] = ("models",)
) -> "subprocess.CompletedProcess[str]":
    code = HOOK.format(module=module, handler=handler, number=number, words=words)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)


@pytest.mark.parametrize("module", ["vidseg.cli", "click", "vidseg.cli.exit_codes"])
def test_ctrl_c_while_the_program_is_imported(module: str) -> None:
    ended = interrupted(module, "default_int_handler")
    assert ended.returncode == 128 + signal.SIGINT
    assert ended.stderr == "Error: Stopped by Ctrl-C.\n"
    assert ended.stdout == ""


def test_sigterm_while_the_program_is_imported() -> None:
    ended = interrupted("click", "SIG_DFL", "SIGTERM")
    assert ended.returncode == 128 + signal.SIGTERM
    assert ended.stderr == "Error: Stopped by SIGTERM.\n"


def test_ctrl_c_while_torch_is_imported(tmp_path: Path) -> None:
    """Torch aborts the process where an exception passes through its first imports."""
    pytest.importorskip("torch")
    clip = write_scene(tmp_path / "clip.mp4", frames=2)
    words = ("splash", "--model", "balloon", str(clip), str(tmp_path / "out.mp4"))
    ended = interrupted("torch.nn.functional", "default_int_handler", words=words)
    assert ended.returncode == 128 + signal.SIGINT, ended.stderr
    assert ended.stderr == "Error: Stopped by Ctrl-C; unfinished outputs were removed.\n"
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


CLOSED = """
import os, sys
os.execv(sys.executable, [sys.executable, "-m", "vidseg", *{words}])
"""


@pytest.mark.parametrize("closed", [(2,), (0, 1, 2)])
def test_closed_standard_streams(closed: tuple[int, ...], tmp_path: Path) -> None:
    """No message lands in a file that got the number of a closed stream."""
    clip = write_scene(tmp_path / "clip.mp4", frames=2)
    words = ["frames", "--model", plugged.MODEL, str(clip), str(tmp_path / "out")]
    start = "".join(f"import os; os.close({number})\n" for number in closed)
    code = start + CLOSED.format(words=words)
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True)
    assert ended.returncode == 0
    assert len(list((tmp_path / "out").rglob("*.png"))) == 2
    missing = CLOSED.format(words=["info", str(tmp_path / "missing.mp4")])
    assert subprocess.run([sys.executable, "-c", start + missing], cwd=ROOT).returncode == 1


def test_ctrl_c_stays_ignored_where_it_was() -> None:
    ended = interrupted("click", "SIG_IGN")
    assert ended.returncode == 0
    assert "balloon" in ended.stdout
