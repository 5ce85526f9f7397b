"""Ray without Ray: workers are threads of this process, and what travels is pickled."""

import pickle
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from types import SimpleNamespace
from typing import Any


class RayError(Exception):
    """Ray's error for a process that died."""


class ThreadRay:
    """What vidseg uses of the module `ray`. `alive` counts the workers that were not ended."""

    exceptions = SimpleNamespace(RayError=RayError)

    def __init__(self) -> None:
        self.alive = 0
        self.started: list[dict[str, Any]] = []

    def is_initialized(self) -> bool:
        return False

    def init(self, **options: Any) -> None:
        self.started.append(options)

    def shutdown(self) -> None:
        assert self.alive == 0

    def nodes(self) -> list[dict[str, Any]]:
        return [{"Alive": True, "Resources": {"CPU": 2.0}}]

    def put(self, value: Any) -> Any:
        return pickle.loads(pickle.dumps(value))

    def remote(self, kind: type) -> Any:
        def options(**_: Any) -> Any:
            return SimpleNamespace(remote=lambda *words: self._start(kind, words))

        return SimpleNamespace(options=options)

    def wait(
        self, calls: Sequence["Future[Any]"], *, num_returns: int, timeout: float
    ) -> tuple[list["Future[Any]"], list["Future[Any]"]]:
        done, left = wait(calls, timeout, FIRST_COMPLETED)
        return list(done), list(left)

    def get(self, call: "Future[Any]") -> Any:
        return pickle.loads(pickle.dumps(call.result()))

    def kill(self, actor: "Actor") -> None:
        self.alive -= 1
        actor.threads.shutdown()

    def _start(self, kind: type, words: Sequence[Any]) -> "Actor":
        self.alive += 1
        return Actor(kind(*words))


class Actor:
    """A worker; one of its two threads tells how far the other one is."""

    def __init__(self, worker: Any) -> None:
        self.threads = ThreadPoolExecutor(2)
        self._worker = worker

    def __getattr__(self, name: str) -> Any:
        do: Callable[..., Any] = getattr(self._worker, name)

        def remote(*words: Any, **named: Any) -> "Future[Any]":
            sent = pickle.loads(pickle.dumps((words, named)))
            return self.threads.submit(do, *sent[0], **sent[1])

        return SimpleNamespace(remote=remote)
