"""How many threads the libraries may use: the library leaves that alone, the program decides."""

import os

from vidseg.cpu_budget import cores, threads_per_frame


def numpy_on_one_thread() -> None:
    """To be called before numpy is imported: its products, of small matrices all, gain nothing from
    a second thread, which waits for the next one by counting. On two cores it took a fifth of all
    processor time. OPENBLAS_NUM_THREADS, where the user set it, stays."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def limit_threads(*, several: bool = True) -> None:
    """Threads for the model and for OpenCV; to be called before torch is imported.

    With `several` frames to look at, the model takes some of them at once, each on a share of the
    cores; else one on all cores. Drawing and encoding run beside it: with all cores for OpenCV too,
    each would wait for the other. So do threads that wait for more work by counting: on a machine
    that others use too, a frame took 0.7 s of processor time with that and 0.06 without.
    OMP_NUM_THREADS and OMP_WAIT_POLICY, where the user set them, stay.
    """
    import cv2

    os.environ.setdefault("OMP_NUM_THREADS", str(threads_per_frame() if several else cores()))
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    cv2.setNumThreads(max(1, cores() // 4))
