"""How the program ends: one sentence for an error, and clean stops on signals.

The exit codes are `vidseg.errors.ExitCode`.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from vidseg.errors import ExitCode, OutputExistsError, VidsegError

SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
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


def _stop(number: int, _: FrameType | None) -> None:
    _received.append(number)
    # A second signal must not interrupt the clean-up.
    for other in SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    raise Stopped(number)


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
def errors_as_sentences() -> Iterator[None]:
    """Within, an expected error ends the program with one sentence and its exit code."""
    try:
        yield
    except KeyboardInterrupt as stop:
        number = stop.number if isinstance(stop, Stopped) else signal.SIGINT
        raise CommandError(_stop_sentence(number), ExitCode.STOPPED + number) from stop
    except (VidsegError, OSError, MemoryError, ImportError) as error:
        sentence = sentence_for(error)
        if sentence is None:
            raise
        code = error.exit_code if isinstance(error, VidsegError) else ExitCode.FAILED
        raise CommandError(sentence, code) from error


def sentence_for(error: BaseException) -> str | None:
    """What to tell the user; None for an unexpected error, which keeps its traceback."""
    if isinstance(error, OutputExistsError):
        return f"{str(error).rstrip('.')} with --force."
    if isinstance(error, VidsegError):
        return str(error)
    if isinstance(error, MemoryError):
        return "There is not enough memory; try a smaller --batch-size or a smaller video."
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
