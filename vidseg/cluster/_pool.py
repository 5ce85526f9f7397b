"""Who does which task next: the worker processes, what they are at, and what became of it."""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
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

TELLING = "telling"
"""The thread of a worker that answers while the other one works."""

OnFrames = Callable[[int], None]
"""Called with the frames done by all workers together."""


def told(tell: OnFrame | None, total: int | None) -> OnFrames | None:
    """`tell` as it is called of so many frames in all; None where nobody listens."""
    return None if tell is None else lambda done: tell(done, total)


CALLS_PER_WORKER = 2
"""A worker has its next task before it is done with the one at hand: on a busy machine or network,
it would wait seconds for it."""


@dataclass(slots=True, eq=False)
class _Hand:
    """A worker that is ready, and the numbers of its tasks: the one at hand, and the next."""

    worker: Any
    numbers: deque[int] = field(default_factory=deque)


class Pool:
    """The worker processes: those that start, and those that have or await tasks."""

    def __init__(
        self, ray: Ray, start: Callable[[], Any], count: int, ended: Event | None = None
    ) -> None:
        """Once `ended` is set, whatever waits for workers raises GeneratorExit."""
        self.count = count
        self._ray, self._start, self._end = ray, start, ended or Event()
        self._starting: dict[Any, Any] = {}
        self._hands: list[_Hand] = []
        self._calls: dict[Any, tuple[_Hand, int]] = {}
        self._waiting: deque[int] = deque()
        self._attempts: Counter[int] = Counter()
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
        self._waiting, self._attempts, done = deque(range(len(tasks))), Counter[int](), 0
        self._hand_out(tasks)
        while self._waiting or self._calls:
            for number, outcome in self._wait():
                again = outcome.lost or (outcome.error is not None and tasks[number].retry_errors)
                if again and self._attempts[number] < MAX_ATTEMPTS:
                    self._waiting.appendleft(number)
                    continue
                done += outcome.frames
                yield number, outcome
            self._hand_out(tasks)
            if on_frames is not None:
                on_frames(done + self._frames_in_work())

    def stop(self) -> None:
        """Ends every worker."""
        for worker in (*self._starting.values(), *(hand.worker for hand in self._hands)):
            self._ray.kill(worker)

    def _add(self) -> None:
        worker = self._start()
        self._starting[worker.load.remote()] = worker

    def _hand_out(self, tasks: Sequence[Task]) -> None:
        """Gives tasks to the workers with the fewest, the first ones first."""
        while self._waiting and self._hands:
            hand = min(self._hands, key=lambda each: len(each.numbers))
            if len(hand.numbers) >= CALLS_PER_WORKER:
                return
            number = self._waiting.popleft()
            call = hand.worker.do.remote(tasks[number], again=self._attempts[number] > 0)
            self._attempts[number] += 1
            hand.numbers.append(number)
            self._calls[call] = hand, number

    def _wait(self) -> list[tuple[int, Outcome]]:
        """What ended since, after a short time at most; a worker that became ready waits then."""
        if self._end.is_set():
            raise GeneratorExit
        calls = [*self._starting, *self._calls]
        ended, _ = self._ray.wait(calls, num_returns=len(calls), timeout=0)
        if not ended:
            ended, _ = self._ray.wait(calls, num_returns=1, timeout=PROGRESS_SECONDS)
        found = []
        for call in ended:
            if call in self._starting:
                self._started(call)
            elif call in self._calls:
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
        self._hands.append(_Hand(worker))
        if isinstance(facts, str):
            raise VidsegError(f"A worker could not start: {facts}")
        first = self._facts = self._facts or facts
        if self._agree and (difference := alike(first, facts)):
            raise VidsegError(
                f"The workers are unlike: {difference}. What they find would differ in the last "
                "bits; use machines of one kind, or vidseg detect --frames and merge --mixed."
            )

    def _ended(self, call: Any) -> tuple[int, Outcome]:
        hand, number = self._calls.pop(call)
        try:
            outcome = self._ray.get(call)
        except self._ray.exceptions.RayError as error:
            self._ray.kill(hand.worker)
            return self._lost(hand), Outcome(
                error=f"The worker died: {first_line(error)}", lost=True
            )
        hand.numbers.remove(number)
        return number, outcome

    def _lost(self, hand: _Hand) -> int:
        """Replaces a worker that died; gives the number of the task at which it did. The next one,
        which it had not begun, waits again."""
        self._hands.remove(hand)
        self._calls = {call: mine for call, mine in self._calls.items() if mine[0] is not hand}
        at, *following = hand.numbers
        for number in reversed(following):
            self._waiting.appendleft(number)
            self._attempts[number] -= 1
        self._add()
        return at

    def _frames_in_work(self) -> int:
        busy = [hand.worker.frames for hand in self._hands if hand.numbers]
        calls = [frames.options(concurrency_group=TELLING).remote() for frames in busy]
        if not calls:
            return 0
        ended, _ = self._ray.wait(calls, num_returns=len(calls), timeout=PROGRESS_SECONDS)
        frames = 0
        for call in ended:
            with suppress(self._ray.exceptions.RayError):  # it died: `_wait` will see it
                frames += self._ray.get(call)
        return frames
