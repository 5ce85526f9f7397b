"""The laws of the stages: order, bound, exceptions, and that nothing is left running."""

import threading
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidseg.concurrency import Newest, batched, map_ahead, prefetch, until

Stage = Callable[[Iterable[int]], Generator[int, None, None]]
STAGES: dict[str, Stage] = {
    "prefetch": lambda items: prefetch(items, 3),
    "map_ahead": lambda items: map_ahead(lambda item: item, items, workers=2, ahead=3),
    "until": lambda items: until(threading.Event(), items),
    "batched": lambda items: (item for batch in batched(items, 3) for item in batch),
    "chain": lambda items: prefetch(
        map_ahead(lambda item: item, prefetch(items, 2), workers=2, ahead=2), 2
    ),
}
every_stage = pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)


class Source:
    """Counts what was taken from it, may break, and knows whether it was closed."""

    def __init__(self, length: int, *, breaks_at: int | None = None) -> None:
        self.taken = 0
        self.closed = False
        self._items = self._run(length, breaks_at)

    def _run(self, length: int, breaks_at: int | None) -> Iterator[int]:
        for item in range(length):
            if item == breaks_at:
                raise OSError(f"source broke at {item}")
            self.taken += 1
            yield item

    def __iter__(self) -> "Source":
        return self

    def __next__(self) -> int:
        return next(self._items)

    def close(self) -> None:
        self.closed = True


@given(items=st.lists(st.integers(), max_size=20), ahead=st.integers(1, 5))
def test_prefetch_is_iter(items: list[int], ahead: int) -> None:
    assert list(prefetch(items, ahead)) == items


@given(
    items=st.lists(st.integers(), max_size=20), workers=st.integers(1, 4), ahead=st.integers(1, 5)
)
def test_map_ahead_is_map(items: list[int], workers: int, ahead: int) -> None:
    assert list(map_ahead(str, items, workers=workers, ahead=ahead)) == list(map(str, items))


@given(items=st.lists(st.integers(), max_size=30), size=st.integers(1, 7))
def test_batches_join_to_the_items(items: list[int], size: int) -> None:
    batches = list(batched(items, size))
    assert [item for batch in batches for item in batch] == items
    assert all(len(batch) == size for batch in batches[:-1])
    assert all(batches)


@every_stage
def test_a_source_error_comes_after_every_good_item(stage: Stage) -> None:
    source, seen = Source(50, breaks_at=37), []

    def drain() -> None:
        for item in stage(source):
            seen.append(item)

    with pytest.raises(OSError, match="source broke at 37") as caught:
        drain()
    assert seen == list(range(37))
    assert "_run" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert source.closed


@every_stage
def test_closing_early_closes_the_source_and_ends_threads(stage: Stage) -> None:
    before, source = threading.active_count(), Source(1000)
    with closing(stage(source)) as items:
        assert next(items) == 0
    assert source.closed
    assert source.taken < 20
    assert threading.active_count() == before


@every_stage
def test_a_consumer_that_fails_leaves_nothing(stage: Stage) -> None:
    before, source = threading.active_count(), Source(1000)

    def consume() -> None:
        with closing(stage(source)) as items:
            for item in items:
                if item == 10:
                    raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        consume()
    assert caught.value.__traceback__ is not None
    assert source.closed
    assert threading.active_count() == before


def test_a_stage_on_another_thread_is_closed_before_its_next_item() -> None:
    stop, reached = threading.Event(), threading.Event()
    source, flushed = Source(1000), []

    def seeking(items: Iterator[int]) -> Iterator[int]:
        yield next(items)
        try:
            yield from (item for item in items if item == 500)
        except Exception:
            flushed.append("an error")
        flushed.append("the end")

    def watched(items: Iterable[int]) -> Iterator[int]:
        for item in items:
            if item == 5:
                reached.set()
                assert stop.wait(60)
            yield item

    seen = prefetch(seeking(until(stop, watched(source))), 1, stop=stop)
    with closing(seen) as items:
        assert next(items) == 0
        assert reached.wait(60)
    assert source.taken == 6
    assert not flushed


def test_a_slow_item_leaves_no_worker_idle() -> None:
    others = threading.Barrier(2, timeout=60)

    def slow_at_first(item: int) -> int:
        if item in (0, 2):  # 0 ends only once 1 was done and 2 began
            others.wait()
        return item

    assert list(map_ahead(slow_at_first, range(6), workers=2, ahead=2)) == list(range(6))


def test_an_error_of_the_function_comes_in_its_place() -> None:
    def fails_at_7(item: int) -> int:
        if item == 7:
            raise ValueError("stage broke")
        return item

    seen = []

    def drain() -> None:
        for item in map_ahead(fails_at_7, range(20), workers=3, ahead=4):
            seen.append(item)

    with pytest.raises(ValueError, match="stage broke"):
        drain()
    assert seen == list(range(7))


@pytest.mark.parametrize("ahead", [1, 4])
def test_prefetch_never_takes_more_than_it_says(ahead: int) -> None:
    source = Source(40)
    for handed_out, _ in enumerate(prefetch(source, ahead), 1):
        assert source.taken <= handed_out + ahead


@pytest.mark.parametrize("ahead", [1, 4])
def test_map_ahead_never_takes_more_than_it_says(ahead: int) -> None:
    source = Source(40)
    for handed_out, _ in enumerate(map_ahead(abs, source, workers=2, ahead=ahead), 1):
        assert source.taken <= handed_out + ahead


def test_prefetch_runs_a_generator_on_one_other_thread() -> None:
    def names() -> Iterator[str]:
        for _ in range(5):
            yield threading.current_thread().name

    assert len(set(prefetch(names(), 2))) == 1
    assert set(prefetch(names(), 2)) != {threading.current_thread().name}


@pytest.mark.parametrize("wrong", [0, -1])
def test_sizes_below_one_are_refused(wrong: int) -> None:
    with pytest.raises(ValueError, match=f"got {wrong}"):
        list(prefetch([1], wrong))
    with pytest.raises(ValueError, match=f"got {wrong}"):
        list(map_ahead(abs, [1], workers=1, ahead=wrong))
    with pytest.raises(ValueError, match=f"got {wrong}"):
        list(batched([1], wrong))


def test_ctrl_c_while_the_thread_starts_loses_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    start, source = threading.Thread.start, Source(10)

    def interrupted(thread: threading.Thread) -> None:
        start(thread)
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        next(prefetch(source, 1))
    assert source.closed
    assert source.taken == 0


def test_newest_hands_out_the_last_item_and_counts_those_dropped() -> None:
    read = threading.Event()

    def source() -> Iterator[int]:
        yield from range(10)
        read.set()

    with Newest(source(), threading.Event()) as newest:
        read.wait()
        assert list(newest) == [9]
    assert newest.dropped == 9


def test_newest_hands_out_all_items_that_are_taken_in_time() -> None:
    taken = threading.Semaphore(1)

    def source() -> Iterator[int]:
        for item in range(10):
            taken.acquire()
            yield item

    seen = []
    with Newest(source(), threading.Event()) as newest:
        for item in newest:
            seen.append(item)
            taken.release()
    assert (seen, newest.dropped) == (list(range(10)), 0)


def test_newest_raises_the_error_of_its_source_after_the_last_item() -> None:
    with Newest(Source(5, breaks_at=3), threading.Event()) as newest:
        seen = []
        with pytest.raises(OSError, match="source broke at 3"):
            seen.extend(iter(newest.__next__, None))
    assert newest.dropped <= 2


@pytest.mark.parametrize("by", ["stop", "exit"])
def test_newest_ends_at_once_and_closes_its_source(by: str) -> None:
    closed, stop = threading.Event(), threading.Event()

    def source() -> Iterator[int]:
        try:
            while not stop.wait(0.001):
                yield 1
        finally:
            closed.set()

    with Newest(source(), stop) as newest:
        assert next(newest) == 1
        if by == "stop":
            stop.set()
            assert list(newest) == []
    assert closed.is_set()
    assert stop.is_set()
