"""How many cores this process has, and how the work on a video is divided among them.

A network's layers gain less from a second core than a second frame does: on two cores, one frame on
both takes 43 ms of the bundled model, two frames on one each 57 ms together.
"""

import os
from pathlib import Path

QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""Where Linux says how much processor time a container gets."""

MOST_AT_ONCE = 4
"""Frames at the model at once, each with working memory of its own: ResNet-50's takes 330 MB in
bfloat16."""

MOST_CODING = 8
"""Threads of a decoder or encoder. Each holds pictures of its own: x264 60 MB at 4K, so that its
24 threads on 16 cores would take 2.5 GB, and these take 1.5."""


def cores(quota: Path | None = None) -> int:
    """Cores that this process may use, after CPU affinity and a container's quota."""
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    try:
        share, period = (quota or QUOTA).read_text().split()
        return max(1, min(count, round(int(share) / int(period))))
    except (OSError, ValueError):  # no quota, or "max"
        return count


def threads_for_a_frame() -> int:
    """Threads for each frame with which about `MOST_AT_ONCE` of them keep all cores busy."""
    return max(1, round(cores() / MOST_AT_ONCE))


def frames_at_once(threads: int) -> int:
    """Frames that keep all cores busy where each has so many threads."""
    return max(1, min(cores() // threads, MOST_AT_ONCE))


def threads_for_coding() -> int:
    """Threads for the decoder of a video, and for an encoder that is told how many to have."""
    return min(cores(), MOST_CODING)
