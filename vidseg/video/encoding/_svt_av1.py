"""What SVT-AV1, the encoder of AV1, does to the whole process when it opens, undone."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from threading import get_native_id

from vidseg.video.environment import default_variable

TASKS = Path("/proc/self/task")
"""The threads of this process, on Linux. Elsewhere SVT-AV1 changes no scheduling."""


@contextmanager
def tamed_svt() -> Iterator[None]:
    """Open SVT-AV1 within: it prints errors only, and its threads get the caller's scheduling.

    SVT-AV1 makes the thread that opens it and all its own real-time threads where it may, as when
    root runs the program in a container. They would keep everything else off the cores.
    """
    with default_variable("SVT_LOG", "1"), _same_scheduling() if TASKS.is_dir() else nullcontext():
        yield


@contextmanager
def _same_scheduling() -> Iterator[None]:
    """Threads that start within are scheduled as the calling thread, which keeps its scheduling."""
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    caller = str(get_native_id())
    others = set(os.listdir(TASKS)) - {caller}
    try:
        yield
    finally:
        for task in set(os.listdir(TASKS)) - others:
            with suppress(ProcessLookupError):  # it has ended
                if os.sched_getscheduler(int(task)) != policy:
                    os.sched_setscheduler(int(task), policy, parameters)
