"""Ray, imported, started and ended, and its machines shared out."""

import os
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from vidseg.cluster.options import ClusterOptions
from vidseg.cpu_budget import cores
from vidseg.errors import VidsegError

Ray = Any
"""The module `ray`; its types would need it to be installed."""

OBJECT_STORE_BYTES = 80_000_000
"""Shared memory of a Ray of our own, since only small things travel. Its minimum is 78,643,200."""

START_SECONDS = 300
"""A busy machine takes long to start Ray's processes."""


CONNECT_SECONDS = 10
"""Time for a cluster to answer."""

RAY_SETTINGS = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # Ray's coming default; otherwise it warns
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".*",  # it would print to standard output that a worker died
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_raylet_start_wait_time_s": str(START_SECONDS),
}
"""Ray reads these when it starts; what the user set is kept."""


def load_ray() -> Ray:
    """The module, imported only where workers are asked for."""
    for name, value in RAY_SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        import ray  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise VidsegError(
            "Workers need Ray, which is not installed; run: pip install 'vidseg[cluster]'"
        ) from error
    return ray


@contextmanager
def connected(ray: Ray, cluster: ClusterOptions, environment: Mapping[str, str]) -> Iterator[None]:
    """Within, Ray is there; one that this program had started before is used, and stays.

    The processes of a Ray that is started get the variables in `environment`.
    """
    if ray.is_initialized():
        yield
        return
    with _logs() as logs:
        try:
            with _signals_kept(), _variables(environment):
                _start(ray, cluster, logs, namespace_of(environment))
            yield
        finally:
            ray.shutdown()


def namespace_of(environment: Mapping[str, str]) -> str:
    """Ray's name for programs whose processes were started with these variables."""
    return " ".join(["vidseg", *(f"{name}={value}" for name, value in environment.items())])


def _start(ray: Ray, cluster: ClusterOptions, logs: str, namespace: str) -> None:
    common = {"log_to_driver": False, "logging_level": "ERROR", "namespace": namespace}
    try:
        if cluster.address is not None:
            _check_reachable(cluster.address)
            ray.init(address=cluster.address, **common)
            return
        ray.init(
            address="local",
            num_cpus=max(cores(), cluster.workers or 1),
            include_dashboard=False,
            object_store_memory=OBJECT_STORE_BYTES,
            _temp_dir=logs,
            **common,
        )
    except (OSError, RuntimeError, ValueError) as error:
        where = f"the Ray cluster {cluster.address}" if cluster.address else "Ray"
        raise VidsegError(f"There is no way to {where}: {first_line(error)}") from error


def _check_reachable(address: str) -> None:
    """Raises OSError: nothing answers there. Ray itself would try for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()


def _logs() -> "tempfile.TemporaryDirectory[str]":
    """A folder for Ray's logs and sockets. The path of a socket may have some 100 characters."""
    short = "/tmp" if os.path.isdir("/tmp") else None
    return tempfile.TemporaryDirectory(prefix="vidseg-", dir=short, ignore_cleanup_errors=True)


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray puts a handler of its own in the place of the program's."""
    mine = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if mine:
            signal.signal(signal.SIGTERM, before)


@contextmanager
def _variables(variables: Mapping[str, str]) -> Iterator[None]:
    """Within, these variables of the environment have these values."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
