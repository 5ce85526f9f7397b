"""Runs of two processes that train together, forked from one that has imported torch.

`python -m tests.training.two_processes FOLDER` leaves a folder of each run there, and what each
process said in `said.json`.
"""

import json
import os
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import vidseg
from tests.support.training_doubles import ARCHITECTURE, StopAt, Toys, use_tiny
from vidseg.errors import InputError, VidsegError
from vidseg.training._ranks import joined_ranks
from vidseg.training.loop import TrainCallbacks
from vidseg.training.settings import TrainOptions

NAN_STEP = 2


class Unreadable(Toys):
    """Toys of which no more than some can be read."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self._left = at

    def __getitem__(self, index: int) -> tuple[torch.Tensor, dict[str, Any]]:
        self._left -= 1
        if self._left < 0:
            raise InputError("The photo a.jpg cannot be read.")
        return super().__getitem__(index)


def train(out: Path, data: Any = None, stop: StopAt | None = None, **options: Any) -> str:
    settings = TrainOptions(
        arch=ARCHITECTURE, image_size=64, precision="float32", steps=6, every=3, **options
    )
    calls = TrainCallbacks(on_step=stop and stop.on_step, stop=stop)
    weights = "last" if (out / "last.pt").exists() else "none"
    outcome = vidseg.train(
        data or Toys(), out, settings, val=Toys(1), weights=weights, device="cpu", callbacks=calls
    )
    return f"step {outcome.step}, measured: {outcome.best is not None}"


def begin(folder: Path, rank: int) -> str:
    return train(folder / "whole")


def again(folder: Path, rank: int) -> str:
    return train(folder / "again")


def stopped(folder: Path, rank: int) -> str:
    """One process alone is told to stop, in the middle between two checkpoints."""
    return train(folder / "resumed", stop=StopAt(4) if rank == 1 else None)


def resumed(folder: Path, rank: int) -> str:
    return train(folder / "resumed")


def averaged(folder: Path, rank: int) -> str:
    """The first has the gradients 1 and 3; the second 2, and none."""
    first, second = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))
    frozen = torch.nn.Parameter(torch.zeros(1), requires_grad=False)
    first.grad = torch.tensor([1.0 + rank])
    second.grad = None if rank else torch.tensor([3.0])
    with joined_ranks("cpu") as (ranks, _):
        ranks.average_gradients([first, frozen, second])
    assert frozen.grad is None
    return f"{first.grad.item()} {second.grad.item()}"  # type: ignore[union-attr]


def lost(folder: Path, rank: int) -> str:
    """A process is killed; torchrun starts both again."""
    if not (folder / "lost" / "last.pt").exists() and rank == 1:
        stop = StopAt(5)
        stop.on_step = lambda step, *_: os._exit(9) if step == 5 else None  # type: ignore[method-assign]
        return train(folder / "lost", stop=stop)
    return train(folder / "lost")


def restarted(folder: Path, rank: int) -> str:
    os.environ["TORCHELASTIC_RESTART_COUNT"] = "1"
    out, settings = folder / "lost", TrainOptions(image_size=64, precision="float32", steps=6)
    outcome = vidseg.train(Toys(), out, settings, val=Toys(1), weights="none", device="cpu")
    return f"step {outcome.step}"


def nan(folder: Path, rank: int) -> str:
    """A loss of one process alone is not a number."""
    from vidseg.training import _learner

    honest, calls = _learner.losses_of, []

    def losses_of(*args: Any, **options: Any) -> dict[str, torch.Tensor]:
        calls.append(1)
        found = honest(*args, **options)
        spoilt = rank == 1 and len(calls) == NAN_STEP
        return {name: loss * float("nan") if spoilt else loss for name, loss in found.items()}

    _learner.losses_of = losses_of
    return train(folder / "nan")


def unreadable(folder: Path, rank: int) -> str:
    return train(folder / "unreadable", data=Unreadable(5) if rank == 1 else None, augment=())


def alone(folder: Path, rank: int) -> str:
    """The run of two is continued by one."""
    if rank == 1:
        return ""
    for name in ("RANK", "WORLD_SIZE"):
        del os.environ[name]
    return train(folder / "whole")


RUNS: list[Callable[[Path, int], str]] = [
    *(averaged, begin, again, stopped, resumed, lost, restarted, nan, unreadable, alone),
]


def fork(run: Callable[[Path, int], str], folder: Path, rank: int, port: int) -> tuple[int, int]:
    """Starts a process; gives its id and what it will speak to."""
    listen, speak = os.pipe()
    if pid := os.fork():
        os.close(speak)
        return pid, listen
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_PORT": str(port)}
    os.environ["MASTER_ADDR"] = "127.0.0.1"
    try:
        with pytest.MonkeyPatch.context() as patch:
            use_tiny(patch)
            said = run(folder, rank)
    except VidsegError as error:
        said = f"{type(error).__name__}: {error}"
    except BaseException:
        said = traceback.format_exc()
    os.write(speak, said.encode())
    os._exit(0)


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def main(folder: Path) -> None:
    said: dict[str, list[str]] = {}
    for run in RUNS:
        port = free_port()
        both = [fork(run, folder, rank, port) for rank in (0, 1)]
        said[run.__name__] = []
        for pid, listen in both:
            os.waitpid(pid, 0)
            with os.fdopen(listen) as file:
                said[run.__name__].append(file.read())
    (folder / "said.json").write_text(json.dumps(said))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]))
