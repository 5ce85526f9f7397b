"""How many threads the libraries may use: the library leaves that alone, the program decides."""

import os
from pathlib import Path

QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""Where Linux says how much processor time a container gets."""


def limit_threads() -> None:
    """As many threads for the model as there are cores, and for OpenCV a quarter of them.

    Drawing and encoding run beside the model: with all cores for all, each would wait for the
    other. So do threads that wait for more work by counting: on a machine that others use too, a
    frame took 0.7 s of processor time with that and 0.06 without. To be called before torch is
    imported; OMP_NUM_THREADS and OMP_WAIT_POLICY, where the user set them, stay.
    """
    import cv2

    count = cores()
    os.environ.setdefault("OMP_NUM_THREADS", str(count))
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    cv2.setNumThreads(max(1, count // 4))


def cores(quota: Path = QUOTA) -> int:
    """Cores that this process may use, after CPU affinity and a container's quota."""
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    try:
        share, period = quota.read_text().split()
        return max(1, min(count, round(int(share) / int(period))))
    except (OSError, ValueError):  # no quota, or "max"
        return count
