"""What a worker process does: one task after another, with a model that it loads once.

Nothing here knows what starts the process. Errors come back as sentences, since not every exception
survives the way to another process.
"""

import logging
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from vidseg.errors import VidsegError
from vidseg.models.download import RemoteFile
from vidseg.models.torchvision_weights import weights_path
from vidseg.pipeline.detect_part import batch_size_of, conditions
from vidseg.pipeline.run_options import RunOptions, RunResult
from vidseg.pipeline.search import Search
from vidseg.version import __version__

Do = Callable[..., "RunResult | None"]
"""Called with `search` and `options`; `partial(vidseg.detect_to_file, "a.mp4", "a.vidseg")` is
one."""


@dataclass(frozen=True, slots=True)
class Task:
    """A piece of work for a worker. All of it is pickled."""

    name: str
    """What it is about, for messages."""
    do: Do
    options: RunOptions = field(default_factory=RunOptions)
    options_again: RunOptions = field(default_factory=RunOptions)
    """Used after a worker died, which may have left something."""
    retry_errors: bool = False
    """Whether an error is tried again as well as a worker that died."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a task."""

    result: RunResult | None = None
    """None also where all was done before."""
    frames: int = 0
    """Frames that were worked on."""
    seconds: float = 0
    error: str | None = None
    """One sentence; None: it went well."""
    lost: bool = False
    """The worker died."""
    warnings: tuple[str, ...] = ()
    """What the library logged as warnings."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Published weights that travel to machines without a way to the server."""

    published: RemoteFile
    content: bytes

    def put(self) -> None:
        """Place them where they are looked for, unless they are there."""
        path = weights_path(self.published)
        if path.exists():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            fresh.write_bytes(self.content)
            os.replace(fresh, path)
        finally:
            fresh.unlink(missing_ok=True)


class Worker:
    """Holds a model. `frames` may be called from another thread while `do` runs."""

    def __init__(self, search: Search, folder: str, weights: Weights | None) -> None:
        """`folder` is where the relative paths of tasks begin."""
        with suppress(OSError):  # no such folder here: absolute paths still work
            os.chdir(folder)
        self._search, self._weights = search, weights
        self._frames = 0

    def load(self) -> dict[str, Any] | str:
        """Load the model; gives what decides about the last bits of its results and the batch size,
        or the sentence of an error."""
        try:
            if self._weights is not None:
                self._weights.put()
            self._weights = None
            predictor = self._search.predictor()
        except Exception as error:
            return _sentence(error)
        facts = conditions(predictor, batch_size_of(self._search, predictor))
        return {**facts, "vidseg": __version__}

    def do(self, task: Task, *, again: bool) -> Outcome:
        """Do one task."""
        self._frames, began = 0, time.monotonic()
        options = replace(task.options_again if again else task.options, on_frame=self._count)
        result, error = None, None
        with _warnings() as warnings:
            try:
                result = task.do(search=self._search, options=options)
            except Exception as problem:
                error = _sentence(problem)
        seconds = time.monotonic() - began
        return Outcome(result, self._frames, seconds, error, warnings=tuple(warnings))

    def frames(self) -> int:
        """How many frames of the present task are done."""
        return self._frames

    def _count(self, done: int, total: int | None) -> None:
        self._frames = done


def alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> str | None:
    """What differs between two answers of `Worker.load`; None: nothing."""
    for name, value in one.items():
        if value != other.get(name):
            return f"{name} is {value} and {other.get(name)}"
    return None


def _sentence(error: Exception) -> str:
    if isinstance(error, VidsegError):
        return str(error)
    return f"{type(error).__name__}: {error}"


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """Within, collects what the library logs as warnings, which no one would see here."""
    kept: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: kept.append(record.getMessage())
    logger = logging.getLogger("vidseg")
    logger.addHandler(handler)
    try:
        yield kept
    finally:
        logger.removeHandler(handler)
