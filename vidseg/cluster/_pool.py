"""Who does which task next: the worker processes, what they are at, and what became of it."""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from threading import Event
from typing import Any

from vidseg.cluster._ray import Ray, first_line
from vidseg.cluster.worker import Outcome, Task, alike
from vidseg.errors import VidsegError
from vidseg.pipeline.run_options import OnFrame

MAX_ATTEMPTS = 4
"""A task, or the start of workers, that fails so often is given up."""

PROGRESS_SECONDS = 0.5
"""Time between two looks at how far the workers are."""

OnFrames = Callable[[int], None]
"""Called with the frames done by all workers together."""


def told(tell: OnFrame | None, total: int | None) -> OnFrames | None:
    """`tell` as it is called of so many frames in all; None where nobody listens."""
    return None if tell is None else lambda done: tell(done, total)


class Pool:
    """The worker processes: those that start, that wait for a task, and that have one."""

    def __init__(
        self, ray: Ray, start: Callable[[], Any], count: int, ended: Event | None = None
    ) -> None:
        """Once `ended` is set, whatever waits for workers raises GeneratorExit."""
        self.count = count
        self._ray, self._start, self._end = ray, start, ended or Event()
        self._starting: dict[Any, Any] = {}
        self._idle: list[Any] = []
        self._busy: dict[Any, tuple[Any, int]] = {}
        self._facts: dict[str, Any] | None = None
        self._agree = False
        self._failed_starts = 0
        for _ in range(count):
            self._add()

    def agree(self) -> dict[str, Any]:
        """What the first worker that is ready says of its model; all others must say the same."""
        self._agree = True
        while self._facts is None:
            self._wait()
        return self._facts

    def outcomes(
        self, tasks: Sequence[Task], on_frames: OnFrames | None
    ) -> Iterator[tuple[int, Outcome]]:
        """Number and outcome of every task, in the order in which they end; `on_frames` gets the
        frames done by all of them."""
        waiting, attempts, done = deque(range(len(tasks))), Counter[int](), 0
        self._hand_out(tasks, waiting, attempts)
        while waiting or self._busy:
            for number, outcome in self._wait():
                again = outcome.lost or (outcome.error is not None and tasks[number].retry_errors)
                if again and attempts[number] < MAX_ATTEMPTS:
                    waiting.appendleft(number)
                    continue
                done += outcome.frames
                yield number, outcome
            self._hand_out(tasks, waiting, attempts)
            if on_frames is not None:
                on_frames(done + self._frames_in_work())

    def stop(self) -> None:
        """Ends every worker."""
        busy = [worker for worker, _ in self._busy.values()]
        for worker in (*self._starting.values(), *self._idle, *busy):
            self._ray.kill(worker)

    def _add(self) -> None:
        worker = self._start()
        self._starting[worker.load.remote()] = worker

    def _hand_out(self, tasks: Sequence[Task], waiting: deque[int], attempts: Counter[int]) -> None:
        while waiting and self._idle:
            number, worker = waiting.popleft(), self._idle.pop()
            call = worker.do.remote(tasks[number], again=attempts[number] > 0)
            attempts[number] += 1
            self._busy[call] = worker, number

    def _wait(self) -> list[tuple[int, Outcome]]:
        """What ended since, after a short time at most; a worker that became ready waits then."""
        if self._end.is_set():
            raise GeneratorExit
        calls = [*self._starting, *self._busy]
        ended, _ = self._ray.wait(calls, num_returns=len(calls), timeout=0)
        if not ended:
            ended, _ = self._ray.wait(calls, num_returns=1, timeout=PROGRESS_SECONDS)
        found = []
        for call in ended:
            if call in self._starting:
                self._started(call)
            else:
                found.append(self._ended(call))
        return found

    def _started(self, call: Any) -> None:
        worker = self._starting.pop(call)
        try:
            facts = self._ray.get(call)
        except self._ray.exceptions.RayError as error:
            self._ray.kill(worker)
            self._failed_starts += 1
            if self._failed_starts >= MAX_ATTEMPTS:
                raise VidsegError(f"Workers die while they start: {first_line(error)}") from error
            self._add()
            return
        self._idle.append(worker)
        if isinstance(facts, str):
            raise VidsegError(f"A worker could not start: {facts}")
        first = self._facts = self._facts or facts
        if self._agree and (difference := alike(first, facts)):
            raise VidsegError(
                f"The workers are unlike: {difference}. What they find would differ in the last "
                "bits; use machines of one kind, or vidseg detect --frames and merge --mixed."
            )

    def _ended(self, call: Any) -> tuple[int, Outcome]:
        worker, number = self._busy.pop(call)
        try:
            outcome = self._ray.get(call)
        except self._ray.exceptions.RayError as error:
            self._ray.kill(worker)
            self._add()
            return number, Outcome(error=f"The worker died: {first_line(error)}", lost=True)
        self._idle.append(worker)
        return number, outcome

    def _frames_in_work(self) -> int:
        calls = [worker.frames.remote() for worker, _ in self._busy.values()]
        if not calls:
            return 0
        ended, _ = self._ray.wait(calls, num_returns=len(calls), timeout=PROGRESS_SECONDS)
        frames = 0
        for call in ended:
            with suppress(self._ray.exceptions.RayError):  # it died: `_wait` will see it
                frames += self._ray.get(call)
        return frames
