"""How many cores this process may use, and how work on a video shares them.

A second frame uses a second core better than a network's layers do: on two cores, one frame on both
takes 43 ms of the bundled model; two frames, on one core each, take 57 ms together.
"""

import os
from pathlib import Path

CGROUP_CPU_MAX = Path("/sys/fs/cgroup/cpu.max")
"""File in which Linux states the CPU quota of a container."""

MAX_FRAMES_AT_ONCE = 4
"""Frames that the model predicts at once. Each needs working memory: 330 MB for ResNet-50 in
bfloat16."""

CORES_VARIABLE = "VIDSEG_CORES"
"""Environment variable with the cores that this process may use, where it shares the machine."""

MAX_CODEC_THREADS = 8
"""Threads of one decoder or encoder. Each thread holds pictures: x264's 24 threads on 16 cores
would take 2.5 GB at 4K (60 MB a picture); 8 threads take 1.5 GB."""


def cores(cgroup_cpu_max: Path | None = None) -> int:
    """Cores that this process may use, after CPU affinity, a container's quota and its share."""
    available = _available_cores(cgroup_cpu_max or CGROUP_CPU_MAX)
    share = os.environ.get(CORES_VARIABLE, "")
    return max(1, min(available, int(share))) if share.isdecimal() else available


def _available_cores(cgroup_cpu_max: Path) -> int:
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    try:
        quota, period = cgroup_cpu_max.read_text().split()
        return max(1, min(count, round(int(quota) / int(period))))
    except (OSError, ValueError):  # no quota, or "max"
        return count


def threads_per_frame() -> int:
    """Threads for each frame so that about `MAX_FRAMES_AT_ONCE` frames keep all cores busy."""
    return max(1, round(cores() / MAX_FRAMES_AT_ONCE))


def frames_at_once(threads: int) -> int:
    """Frames that keep all cores busy when each frame uses `threads` threads."""
    return max(1, min(cores() // threads, MAX_FRAMES_AT_ONCE))


def codec_threads() -> int:
    """Threads for a decoder, and for an encoder whose thread count is set."""
    return min(cores(), MAX_CODEC_THREADS)
