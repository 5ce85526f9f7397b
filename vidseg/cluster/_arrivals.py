"""What workers send, as streams.

A thread of its own waits for the workers, so that they get the next task while the caller draws the
frames of the last one.
"""

from collections.abc import Generator, Iterable
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import TypeVar

from vidseg.concurrency import WAIT_SECONDS, closing_input

T = TypeVar("T")

_END = object()


def run_ahead(
    items: Iterable[T], ended: Event, stop: Event | None = None
) -> Generator[T, None, None]:
    """The same items, fetched by a thread that never waits for the caller.

    On exit `ended` is set, by which `items` see that they shall end. Once `stop` is set, waiting
    for an item raises GeneratorExit. An error of `items` arrives after the items before it.
    """
    arrived: SimpleQueue[object] = SimpleQueue()

    def fetch() -> None:
        end: object = _END
        try:
            with closing_input(items) as source:
                for item in source:
                    arrived.put((item,))
        except BaseException as error:
            end = error
        arrived.put(end)

    thread = Thread(target=fetch, name="vidseg-workers")
    try:
        thread.start()
        while (item := _next(arrived, stop or ended)) is not _END:
            if isinstance(item, BaseException):
                raise item
            yield item[0]  # type: ignore[index]
    finally:
        ended.set()
        if thread.is_alive():
            thread.join()


def _next(arrived: "SimpleQueue[object]", stop: Event) -> object:
    while not stop.is_set():
        try:
            return arrived.get(timeout=WAIT_SECONDS)
        except Empty:
            continue
    raise GeneratorExit


def by_number(items: Iterable[tuple[int, T]]) -> Generator[T, None, None]:
    """The items in the order of their numbers, which are 0, 1, ... in any order; closes `items`."""
    early: dict[int, T] = {}
    due = 0
    with closing_input(items) as source:
        for number, item in source:
            early[number] = item
            while due in early:
                yield early.pop(due)
                due += 1
