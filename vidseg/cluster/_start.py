"""Starts the workers: how many, and what each of them gets."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from math import ceil
from threading import Event
from typing import Any

from vidseg.cluster._pool import TELLING, Pool
from vidseg.cluster._ray import Ray, connected, first_line, load_ray, namespace_of
from vidseg.cluster.options import ClusterOptions
from vidseg.cluster.worker import Weights, Worker
from vidseg.cpu_budget import CORES_VARIABLE, MAX_FRAMES_AT_ONCE, cores, threads_per_frame
from vidseg.errors import OptionError, VidsegError
from vidseg.models.torchvision_weights import COCO_WEIGHTS, fetch_weights
from vidseg.pipeline.run_options import RunOptions
from vidseg.pipeline.search import Search

StartPool = Callable[[Event], AbstractContextManager[Pool]]
"""Starts workers, who do nothing more once the event is set; none is left after the block."""


@contextmanager
def workplace(
    search: Search, cluster: ClusterOptions, options: RunOptions, *, most: int | None = None
) -> Iterator[StartPool]:
    """Ray, and how workers for this search start in it, `most` of them at most.

    Raises VidsegError: Ray is missing or cannot be reached, or has no machine that may work.
    """
    if search.model_options.device.startswith("cuda:"):
        raise OptionError("Workers share the GPUs out among themselves; write `device='cuda'`.")
    ray = load_ray()
    weights = _fetched_weights(search, cluster, options)
    own = own_environment(cluster)
    with connected(ray, cluster, own):
        inherited = own and ray.get_runtime_context().namespace == namespace_of(own)
        share = share_out(ray.nodes(), search.model_options.device, cluster.workers, most)
        words = [_sent(ray, search), os.getcwd(), ray.put(weights)]
        # one more thread tells how far it is; tasks are done one after another
        actor = ray.remote(concurrency_groups={TELLING: 1})(Worker).options(
            num_cpus=share.cpus,
            num_gpus=share.gpus,
            runtime_env=None if inherited else {"env_vars": _environment(share.cpus, cluster)},
        )

        @contextmanager
        def start(ended: Event) -> Iterator[Pool]:
            pool = Pool(ray, lambda: actor.remote(*words), share.workers, ended)
            try:
                yield pool
            finally:
                pool.stop()

        yield start


def own_environment(cluster: ClusterOptions) -> dict[str, str]:
    """Variables for all processes of a Ray of our own, which takes them over from this process;
    `runtime_env`, the way to set them elsewhere, costs four seconds."""
    if cluster.address is not None or cluster.workers is None:
        return {}
    return _environment(max(1, cores() // cluster.workers), cluster)


@dataclass(frozen=True, slots=True)
class Share:
    """How many workers there are, and what each of them gets."""

    workers: int
    cpus: int
    gpus: float


def share_out(nodes: Any, device: str, wanted: int | None, most: int | None) -> Share:
    """Shares Ray's nodes out among the workers `wanted`, or as many as suit them, `most` at most.

    Raises VidsegError: no machine is there to work.
    """
    kind = "CPU" if device == "cpu" else "GPU"
    alive = [node["Resources"] for node in nodes if node["Alive"]]
    able = [each for each in alive if each.get(kind)] or [each for each in alive if each.get("CPU")]
    if not able:
        raise VidsegError("The Ray cluster has no machine that may work; add one.")
    gpus = int(sum(each.get("GPU", 0) for each in able)) if kind == "GPU" else 0
    workers = wanted or gpus or len(able)
    workers = max(1, min(workers, most or workers))
    cpus = int(min(each.get("CPU", 1) for each in able)) // ceil(workers / len(able))
    return Share(workers, max(1, cpus), 1 / ceil(workers / gpus) if gpus else 0)


def _environment(cpus: int, cluster: ClusterOptions) -> dict[str, str]:
    """Variables of a worker: its share of the cores.

    On this machine a frame gets as many threads as in one run, since their number can decide about
    the last bits.
    """
    here = cluster.address is None
    threads = threads_per_frame() if here else max(1, round(cpus / MAX_FRAMES_AT_ONCE))
    return {
        CORES_VARIABLE: str(cpus),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(threads)),
        "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "passive"),
        "OPENBLAS_NUM_THREADS": os.environ.get("OPENBLAS_NUM_THREADS", "1"),
        "OPENCV_FOR_THREADS_NUM": str(max(1, cpus // 4)),
    }


def _fetched_weights(
    search: Search, cluster: ClusterOptions, options: RunOptions
) -> Weights | None:
    """The model's published weights, downloaded if they are not here; None where none travel."""
    published = COCO_WEIGHTS.get(search.choice.model)
    if published is None:
        return None
    path = fetch_weights(published, on_download=options.on_download)
    return None if cluster.address is None else Weights(published, path.read_bytes())


def _sent(ray: Ray, search: Search) -> Any:
    try:
        return ray.put(search)
    except Exception as error:  # whatever a predictor's own pickling raises
        raise OptionError(
            "The predictor or tracker cannot be sent to other processes; name it, as in "
            f"`model='my_file.py:MyPredictor'` ({first_line(error)})."
        ) from error
