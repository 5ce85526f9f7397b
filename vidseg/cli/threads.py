"""How many threads libraries may use, and what they print: the program alone decides that."""

import os

from vidseg.cpu_budget import cores, threads_per_frame


def numpy_on_one_thread() -> None:
    """Call this before numpy is imported.

    Our matrix products are small: a second BLAS thread only spins, and took a fifth of all
    processor time on two cores. A value of OPENBLAS_NUM_THREADS that the user set is kept.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def opencv_silent() -> None:
    """Call this before OpenCV is imported: it would print about damaged photos on stderr.

    A value of OPENCV_LOG_LEVEL that the user set is kept.
    """
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")


def limit_threads(*, several: bool = True) -> None:
    """Set the threads of the model and of OpenCV. Call this before torch is imported.

    With `several` frames, the model runs several at once, each on a share of the cores; a single
    photo gets all cores. Drawing and encoding run beside the model, so OpenCV gets a few cores
    only. Threads that spin while they wait are switched off: on a shared machine a frame took 0.7 s
    of processor time with them and 0.06 s without. Values of OMP_NUM_THREADS and OMP_WAIT_POLICY
    that the user set are kept.
    """
    import cv2

    os.environ.setdefault("OMP_NUM_THREADS", str(threads_per_frame() if several else cores()))
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    cv2.setNumThreads(max(1, cores() // 4))
