"""The command line run inside the test, without torch or weights."""

import json
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from tests.support.scenes import CLASSES
from vidseg.cli import main
from vidseg.models.checkpoint import HEADER_RECORD

ROOT = Path(__file__).resolve().parents[2]


def run(*words: object) -> Result:
    """`vidseg` with these words; an error that nobody foresaw is raised."""
    result = CliRunner().invoke(main, [str(word) for word in words], prog_name="vidseg")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def fails(*words: object, code: int = 1) -> str:
    """The one sentence of a run that must fail with `code`, saying nothing on stdout."""
    result = run(*words)
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    sentence = result.stderr.strip().splitlines()[-1]
    assert sentence.startswith("Error: "), result.stderr
    return sentence.removeprefix("Error: ")


def process(*words: object, code: str = "", **options: Any) -> "subprocess.Popen[Any]":
    """`vidseg` with these words as a process of its own, after the Python lines in `code`; text in
    and out unless `options`, of `Popen`, say otherwise."""
    start = f"{code}\nfrom vidseg.cli import main\nmain(prog_name='vidseg')"
    return subprocess.Popen(
        [sys.executable, "-c", start, *(str(word) for word in words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        preexec_fn=_listen,
        **{"text": True, **options},
    )


def _listen() -> None:
    """Signals reach the process even where the tests run in the background and ignore them."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def write_scene_model(path: Path) -> Path:
    """A model file that knows the scenes' classes and has no weights."""
    header = {"architecture": "none", "classes": CLASSES, "image_size": [128, 192]}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(HEADER_RECORD, json.dumps(header))
    return path
