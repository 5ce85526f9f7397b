"""Helpers that turn generators into stages: look ahead on a thread, map on a pool, batch.

Order is kept, an exception arrives after every good item with its own traceback, and closing the
last stage closes all: a stage closes its input in `finally`, after its threads have ended.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from threading import Event
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_END = object()


@contextmanager
def closing_input(items: Iterable[T]) -> Iterator[Iterator[T]]:
    """An iterator over `items`, closed at the end where it is of a kind that can be closed."""
    source = iter(items)
    try:
        yield source
    finally:
        close = getattr(source, "close", None)
        if close is not None:
            close()


@contextmanager
def _pool(workers: int, name: str) -> Iterator[ThreadPoolExecutor]:
    """A thread pool that drops waiting work and ends its threads on the way out."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix=f"vidseg-{name}")
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def prefetch(
    items: Iterable[T], ahead: int, *, stop: Event | None = None
) -> Generator[T, None, None]:
    """The same items, fetched by one thread up to `ahead` beyond the one handed out.

    At most `ahead + 1` items are alive here: those waiting and the one handed out. A generator
    given as `items` runs wholly on that thread. On the way out `stop` is set before the thread is
    waited for: where `items` lead through `until`, that does not take long.
    """
    if ahead < 1:
        raise ValueError(f"ahead must be at least 1, got {ahead}")
    with closing_input(items) as source, _pool(1, "prefetch") as pool, _set_at_the_end(stop):
        waiting: deque[Future] = deque(pool.submit(next, source, _END) for _ in range(ahead))
        while (item := waiting.popleft().result()) is not _END:
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
    """The same items until `stop` is set, then GeneratorExit for the stages that go on from here.

    So a stage on another thread, which asks for many items before it gives one, ends soon. It is
    closed, not at the end of its input, and flushes nothing.
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
    """A future for each item; an exception of the source comes as the last future's."""
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

    `items` is read on the caller's thread. While it waits for the next one, `ahead + 1` are in
    work or done; with `ahead=workers`, one that is done before its turn leaves no worker idle.
    """
    if ahead < 1:
        raise ValueError(f"ahead must be at least 1, got {ahead}")
    with closing_input(items) as source, _pool(workers, "map") as pool:
        futures = _submitted(pool, function, source)
        waiting = deque(islice(futures, ahead))
        while waiting:
            waiting.extend(islice(futures, 1))
            yield waiting.popleft().result()


def batched(items: Iterable[T], size: int) -> Generator[list[T], None, None]:
    """Lists of `size` items; shorter ones at the end and before an exception of the source."""
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
