"""How the program begins: a signal that comes while it is still being imported."""

import signal
import subprocess
import sys

import pytest

from tests.support.commands import ROOT

HOOK = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.{handler})
class Hook:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Hook())
sys.argv = ["vidseg", "models"]
from vidseg.__main__ import main
main()
"""
"""Ctrl-C while `module` is imported."""


def interrupted(module: str, handler: str) -> "subprocess.CompletedProcess[str]":
    code = HOOK.format(module=module, handler=handler)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)


@pytest.mark.parametrize("module", ["vidseg.cli", "click", "vidseg.cli.exit_codes"])
def test_ctrl_c_while_the_program_is_imported(module: str) -> None:
    ended = interrupted(module, "default_int_handler")
    assert ended.returncode == 128 + signal.SIGINT
    assert ended.stderr == "Error: Stopped by Ctrl-C.\n"
    assert ended.stdout == ""


def test_ctrl_c_stays_ignored_where_it_was() -> None:
    ended = interrupted("click", "SIG_IGN")
    assert ended.returncode == 0
    assert "balloon" in ended.stdout
