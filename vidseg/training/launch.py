"""Starts several processes on this machine that train one model together, one for each GPU."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException, Std
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from vidseg.errors import ExitCode, VidsegError

SHUTDOWN_SECONDS = "600"
"""How long a step and its checkpoint may take after Ctrl-C, before the processes are killed."""


def launch(words: Sequence[str], processes: int) -> int:
    """Run `python -m vidseg` with these words in several processes; gives the exit code.

    What the first one says is shown. If one ends with an error, so do the others.

    Raises VidsegError: one of the others failed, or was killed.
    """
    for name in [*logging.root.manager.loggerDict]:
        if name.startswith("torch.distributed.elastic"):  # the processes speak for themselves
            logging.getLogger(name).setLevel(logging.CRITICAL)
    os.environ.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", SHUTDOWN_SECONDS)
    with TemporaryDirectory() as logs:
        silent = {rank: Std.ALL for rank in range(1, processes)}
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=processes,
            run_id="vidseg",
            rdzv_backend="c10d",
            rdzv_endpoint="127.0.0.1:0",
            local_addr="127.0.0.1",
            max_restarts=0,
            monitor_interval=0.1,
            logs_specs=DefaultLogsSpecs(logs, redirects=silent),
        )
        try:
            elastic_launch(config, sys.executable)("-m", "vidseg", *words)
        except SignalException as stop:
            return ExitCode.STOPPED + stop.sigval
        except ChildFailedError as error:
            return _exit_code(error, Path(logs))
    return ExitCode.DONE


def _exit_code(error: ChildFailedError, logs: Path) -> int:
    """That of process 0 if it has said why; else raises what the one said that failed first."""
    leading, (rank, _) = error.failures.get(0), error.get_first_failure()
    if leading is not None and leading.exitcode > 0:
        return leading.exitcode
    said = [line for file in logs.rglob(f"{rank}/stderr.log") for line in _lines(file)]
    why = said[-1].removeprefix("Error: ") if said else "It was killed."
    raise VidsegError(f"Process {rank} of those that train together ended: {why}")


def _lines(file: Path) -> list[str]:
    return [line for line in file.read_text(errors="replace").splitlines() if line.strip()]
