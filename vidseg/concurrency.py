"""Helpers that turn generators into stages: look ahead on a thread, map on a pool, batch.

Items keep their order. An exception arrives after all good items, with its own traceback. Closing
the last stage closes all stages: each closes its input in `finally`, after its threads have ended.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from itertools import islice
from threading import Condition, Event, Thread
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_END = object()
WAIT_SECONDS = 0.2
"""How long a thread waits before it looks whether Ctrl-C came."""


@contextmanager
def closing_input(items: Iterable[T]) -> Iterator[Iterator[T]]:
    """An iterator over `items`, closed at the end if it has a `close` method."""
    source = iter(items)
    try:
        yield source
    finally:
        close = getattr(source, "close", None)
        if close is not None:
            close()


@contextmanager
def _pool(workers: int, name: str) -> Iterator[ThreadPoolExecutor]:
    """A thread pool that drops queued work and joins its threads on exit.

    Its first thread starts with nothing to do: Ctrl-C while a thread starts makes the pool forget
    that thread, which would then go on with the input unseen.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix=f"vidseg-{name}")
    try:
        _result(pool.submit(int))
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _result(future: Future[R]) -> R:
    """The future's result, waited for in steps: Ctrl-C does not end a wait on every system."""
    while not wait([future], WAIT_SECONDS).done:
        pass
    return future.result()


def prefetch(
    items: Iterable[T], ahead: int, *, stop: Event | None = None
) -> Generator[T, None, None]:
    """The same items, fetched by one thread up to `ahead` beyond the one handed out.

    At most `ahead + 1` items are alive here: those queued and the one handed out. A generator
    passed as `items` runs entirely on that thread. On exit, `stop` is set before the thread is
    joined; if `items` pass through `until`, the join is quick.
    """
    if ahead < 1:
        raise ValueError(f"ahead must be at least 1, got {ahead}")
    with closing_input(items) as source, _pool(1, "prefetch") as pool, _set_at_the_end(stop):
        waiting: deque[Future] = deque(pool.submit(next, source, _END) for _ in range(ahead))
        while (item := _result(waiting.popleft())) is not _END:
            waiting.append(pool.submit(next, source, _END))
            yield item
            del item


@contextmanager
def _set_at_the_end(stop: Event | None) -> Iterator[None]:
    try:
        yield
    finally:
        if stop is not None:
            stop.set()


def until(stop: Event, items: Iterable[T]) -> Generator[T, None, None]:
    """The same items until `stop` is set; then GeneratorExit, which the stages after this one see.

    A stage on another thread may take many items before it yields one; this ends it soon. To that
    stage it looks like being closed, not like the end of its input, so it flushes nothing.
    """
    with closing_input(items) as source:
        for item in source:
            if stop.is_set():
                raise GeneratorExit
            yield item
            del item


def _submitted(
    pool: ThreadPoolExecutor, function: Callable[[T], R], source: Iterator[T]
) -> Iterator[Future[R]]:
    """A future for each item; an exception of the source becomes the last future."""
    try:
        for item in source:
            yield pool.submit(function, item)
    except Exception as error:
        failed: Future[R] = Future()
        failed.set_exception(error)
        yield failed


def map_ahead(
    function: Callable[[T], R], items: Iterable[T], *, workers: int, ahead: int
) -> Generator[R, None, None]:
    """`map(function, items)` on threads, in order, up to `ahead` beyond the one handed out.

    `items` is read on the caller's thread. While the caller waits for the next result, `ahead + 1`
    items are in progress or done; with `ahead=workers`, an item that finishes before its turn
    leaves no worker idle.
    """
    if ahead < 1:
        raise ValueError(f"ahead must be at least 1, got {ahead}")
    with closing_input(items) as source, _pool(workers, "map") as pool:
        futures = _submitted(pool, function, source)
        waiting = deque(islice(futures, ahead))
        while waiting:
            waiting.extend(islice(futures, 1))
            yield _result(waiting.popleft())


def batched(items: Iterable[T], size: int) -> Generator[list[T], None, None]:
    """Lists of `size` items; a shorter one at the end or before an exception of the source."""
    if size < 1:
        raise ValueError(f"size must be at least 1, got {size}")
    with closing_input(items) as source:
        batch: list[T] = []
        try:
            for item in source:
                batch.append(item)
                if len(batch) == size:
                    yield batch
                    batch = []
        except Exception:
            if batch:
                yield batch
            raise
        if batch:
            yield batch


class Newest(Generic[T]):
    """An iterator over the newest item of a source that a thread of its own reads all the time.

    An item that nobody took before the next one came is dropped, so what is handed out never lags
    behind the source. The last item is handed out, and then an error of the source, if there was
    one. Once `stop` is set the iterator ends at once. A context manager: on exit `stop` is set and
    the thread joined, which waits for the source's next item.
    """

    def __init__(self, items: Iterable[T], stop: Event) -> None:
        self.dropped = 0
        """How many items were dropped."""
        self._items, self._stop = items, stop
        self._changed = Condition()
        self._waiting: list[T] = []
        self._error: BaseException | None = None
        self._ended = False
        self._thread = Thread(target=self._read, name="vidseg-newest")

    def __enter__(self) -> "Newest[T]":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def __iter__(self) -> "Newest[T]":
        return self

    def __next__(self) -> T:
        with self._changed:
            while not (self._waiting or self._ended or self._stop.is_set()):
                self._changed.wait(WAIT_SECONDS)
            if self._waiting and not self._stop.is_set():
                return self._waiting.pop()
            error, self._error = self._error, None
        if error is not None and not self._stop.is_set():
            raise error
        raise StopIteration

    def _read(self) -> None:
        error = None
        try:
            with closing_input(self._items) as source:
                for item in source:
                    if self._stop.is_set():
                        break
                    self._put(item)
                    del item
        except BaseException as raised:
            error = raised
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def _put(self, item: T) -> None:
        with self._changed:
            self.dropped += len(self._waiting)
            self._waiting[:] = [item]
            self._changed.notify_all()
