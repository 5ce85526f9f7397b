"""Checks around every test: no thread, child process or ERROR log may be left behind."""

import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support import plugged
from tests.support.commands import write_scene_model
from tests.support.doubles import OraclePredictor

PROCESSES = Path("/proc")

# A slow machine is no failure: what hangs is stopped by pytest-timeout.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def _child_processes() -> set[int]:
    """Ids of the living children of this process; empty where the system has no /proc."""
    threads = PROCESSES.glob("self/task/*/children")
    return {int(child) for path in threads for child in _read(path).split()}


def _read(path: Path) -> str:
    """Nothing where its thread has just ended."""
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


@pytest.fixture(autouse=True)
def _nothing_left_running() -> Iterator[None]:
    threads, children = set(threading.enumerate()), _child_processes()
    yield
    left: set[threading.Thread | int] = set()
    for _ in range(1000):
        left = (set(threading.enumerate()) - threads) | (_child_processes() - children)
        if not left:
            break
        time.sleep(0.02)  # what is just ending gets a moment
    assert not left, f"left running after the test: {left}"


@pytest.fixture(autouse=True)
def _no_error_logs(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    errors = [r.getMessage() for r in caplog.get_records("call") if r.levelno >= logging.ERROR]
    assert not errors, f"logged as errors: {errors}"


@pytest.fixture
def oracle(monkeypatch: pytest.MonkeyPatch) -> OraclePredictor:
    """The predictor behind `--model` of the fixture `model` in this test."""
    predictor = OraclePredictor()
    monkeypatch.setattr("tests.support.plugged.predictor", predictor)
    return predictor


@pytest.fixture
def model() -> str:
    """A `--model` that is the oracle, and knows the classes of the scenes: disc and rectangle."""
    return plugged.MODEL


@pytest.fixture
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file that knows the classes of the scenes and has no weights."""
    return write_scene_model(tmp_path_factory.mktemp("model") / "scene.pt")
