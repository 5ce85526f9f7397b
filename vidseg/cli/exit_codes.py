"""How the program ends: one sentence for an error, and clean stops on signals.

The exit codes are `vidseg.errors.ExitCode`.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from vidseg.cli.option import as_options
from vidseg.errors import (
    PREDICTOR_NOTE,
    ExitCode,
    VidsegError,
    is_out_of_memory,
    is_out_of_threads,
)

SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
RETRY_SECONDS = 0.02
"""How often a signal that came during an import looks whether it is over."""
SYSTEM_PACKAGES = "libgl1 and libglib2.0-0"
"""Debian's names of what `opencv-python` needs and a bare server lacks."""


class CommandError(Exception):
    """An error as one sentence for stderr, with its exit code."""

    def __init__(self, message: str, exit_code: int = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Stopped(KeyboardInterrupt):
    """A signal asked the program to stop. Raised in the main thread, so that all is cleaned up."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


_received: list[int] = []
"""The signal that arrived, if any: a library may swallow the exception that it raised."""


def check_stopped() -> None:
    """Raises Stopped: a signal arrived and its exception was swallowed on the way."""
    if _received:
        raise Stopped(_received[0])


def _stop(number: int, frame: FrameType | None) -> None:
    _received.append(number)
    # A second signal must not interrupt the clean-up.
    for other in SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    _raise_soon(number, frame)


def _raise_soon(number: int, frame: FrameType | None) -> None:
    """Raise Stopped; while torch is being imported only afterwards, as it aborts on exceptions."""
    if not (_imports_torch(frame) and hasattr(signal, "setitimer")):
        raise Stopped(number)
    signal.signal(signal.SIGALRM, lambda _, later: _raise_soon(number, later))
    signal.setitimer(signal.ITIMER_REAL, RETRY_SECONDS)


def _imports_torch(frame: FrameType | None) -> bool:
    while frame is not None:
        package = str(frame.f_globals.get("__name__")).partition(".")[0]
        if frame.f_code.co_name == "<module>" and package in ("torch", "torchvision"):
            return True
        frame = frame.f_back
    return False


@contextmanager
def stop_on_signals() -> Iterator[None]:
    """Within, the first SIGINT, SIGTERM or SIGHUP raises `Stopped`; ignored ones stay ignored."""
    mine = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in SIGNALS if mine}
    before = {number: kept for number, kept in before.items() if kept != signal.SIG_IGN}
    for number in before:
        signal.signal(number, _stop)
    try:
        yield
    finally:
        _received.clear()
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def ending_on_signals(end: threading.Event) -> Iterator[None]:
    """Within `stop_on_signals`, the first signal sets `end` only; the second raises `Stopped`.

    For a run that has no end of its own: stopping it is no failure.
    """
    mine = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in SIGNALS if mine}
    before = {number: kept for number, kept in before.items() if kept == _stop}

    def set_end(number: int, frame: FrameType | None) -> None:
        if end.is_set():
            _stop(number, frame)
        end.set()

    for number in before:
        signal.signal(number, set_end)
    try:
        yield
    finally:
        for number in before:
            if signal.getsignal(number) == set_end:
                signal.signal(number, _stop)


@contextmanager
def errors_as_sentences() -> Iterator[None]:
    """Within, an expected error ends the program with one sentence and its exit code."""
    try:
        yield
    except KeyboardInterrupt as stop:
        number = stop.number if isinstance(stop, Stopped) else signal.SIGINT
        raise CommandError(_stop_sentence(number), ExitCode.STOPPED + number) from stop
    except Exception as error:
        sentence = sentence_for(error)
        if sentence is None:
            raise
        code = error.exit_code if isinstance(error, VidsegError) else ExitCode.FAILED
        raise CommandError(sentence, code) from error


def sentence_for(error: BaseException) -> str | None:
    """What to tell the user; None for an unexpected error, which keeps its traceback."""
    if isinstance(error, VidsegError):
        return as_options(str(error))
    if is_out_of_memory(error):
        return "There is not enough memory; try a smaller --batch-size or a smaller video."
    if is_out_of_threads(error):
        return (
            "The system starts no more threads or processes; end others, or raise the limit "
            "(ulimit -u)."
        )
    for note in getattr(error, "__notes__", ()):
        if note.startswith(PREDICTOR_NOTE):
            text = f"{type(error).__name__}: {error}".splitlines()[0]
            return f"{note}: {text.rstrip('.')}. -vv shows where."
    if isinstance(error, ImportError):
        return _missing_library(error)
    if isinstance(error, OSError) and error.strerror and not isinstance(error, BrokenPipeError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}."
    return None


def _missing_library(error: ImportError) -> str | None:
    text = str(error)
    if "cannot open shared object file" not in text:
        return None
    library = text.split(":")[0]
    return (
        f"A system library is missing, {library}; install {SYSTEM_PACKAGES}, "
        "for example with: apt-get install -y libgl1 libglib2.0-0"
    )


def _stop_sentence(number: int) -> str:
    by = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
    return f"Stopped by {by}; unfinished outputs were removed."
