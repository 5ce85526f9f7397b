"""Ray without Ray: workers are threads of this process, and what travels is pickled."""

import pickle
from collections.abc import Callable, Sequence
from concurrent.futures import (
    ALL_COMPLETED,
    FIRST_COMPLETED,
    CancelledError,
    Future,
    ThreadPoolExecutor,
    wait,
)
from types import SimpleNamespace
from typing import Any


class RayError(Exception):
    """Ray's error for a process that died."""


class ThreadRay:
    """What vidseg uses of the module `ray`. `alive` counts the workers that were not ended."""

    exceptions = SimpleNamespace(RayError=RayError)

    def __init__(self) -> None:
        self.alive, self.running = 0, False
        self.started: list[dict[str, Any]] = []

    def is_initialized(self) -> bool:
        return self.running

    def init(self, **options: Any) -> None:
        assert not self.running
        self.running = True
        self.started.append(options)

    def shutdown(self) -> None:
        assert self.alive == 0
        self.running = False

    def get_runtime_context(self) -> Any:
        return SimpleNamespace(namespace=self.started[-1]["namespace"])

    def nodes(self) -> list[dict[str, Any]]:
        return [{"Alive": True, "Resources": {"CPU": 2.0}}]

    def put(self, value: Any) -> Any:
        return pickle.loads(pickle.dumps(value))

    def remote(self, **_: Any) -> Any:
        def of(kind: type) -> Any:
            started = SimpleNamespace(remote=lambda *words: self._start(kind, words))
            return SimpleNamespace(options=lambda **_: started)

        return of

    def wait(
        self, calls: Sequence["Future[Any]"], *, num_returns: int, timeout: float
    ) -> tuple[list["Future[Any]"], list["Future[Any]"]]:
        wait(calls, timeout, FIRST_COMPLETED if num_returns == 1 else ALL_COMPLETED)
        return [call for call in calls if call.done()], [call for call in calls if not call.done()]

    def get(self, call: "Future[Any]") -> Any:
        try:
            return pickle.loads(pickle.dumps(call.result()))
        except CancelledError:
            raise RayError("killed") from None

    def kill(self, actor: "Actor") -> None:
        self.alive -= 1
        for thread in (actor.working, actor.telling):
            thread.shutdown(cancel_futures=True)

    def _start(self, kind: type, words: Sequence[Any]) -> "Actor":
        self.alive += 1
        return Actor(kind(*words))


class Actor:
    """A worker: one thread does its tasks, the other one tells how far they are."""

    def __init__(self, worker: Any) -> None:
        self.working, self.telling = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
        self._worker = worker

    def __getattr__(self, name: str) -> Any:
        do: Callable[..., Any] = getattr(self._worker, name)

        def on(thread: ThreadPoolExecutor) -> Any:
            def remote(*words: Any, **named: Any) -> "Future[Any]":
                sent = pickle.loads(pickle.dumps((words, named)))
                return thread.submit(do, *sent[0], **sent[1])

            return remote

        telling = SimpleNamespace(remote=on(self.telling))
        return SimpleNamespace(remote=on(self.working), options=lambda **_: telling)
