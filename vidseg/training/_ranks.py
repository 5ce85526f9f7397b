"""Several processes that train one model: each sees its own images, and all make the same step.

torchrun, `vidseg train --devices` or Ray start the processes, numbered from 0. Gradients and losses
are averaged over them; whatever changes the course of the run (a loss that is not finite, a wish to
stop, a photo that cannot be read) is agreed on, so that none waits for another in vain. The first
one alone writes files and measures. A fixed number of processes gives the same weights, bit for bit
on the CPU.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import nn

from vidseg.errors import OptionError, VidsegError
from vidseg.models.device import resolve_device

WAIT = timedelta(days=1)
"""How long the others wait while the first one measures; a process that died is noticed at once."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among those that train one model; by default it is alone."""

    rank: int = 0
    count: int = 1
    device: torch.device | None = None
    """Where what they exchange must lie."""

    @property
    def leads(self) -> bool:
        """Whether this one writes and measures."""
        return self.rank == 0

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace the gradients of those that learn by their mean over all processes."""
        if self.count == 1:
            return
        self._average([_gradient(each) for each in parameters if each.requires_grad])

    def average_statistics(self, model: nn.Module) -> None:
        """The same for what batch norms have seen, so that a checkpoint is the state of all."""
        if self.count > 1:
            self._average([each for each in model.buffers() if each.is_floating_point()])

    def _average(self, tensors: Sequence[torch.Tensor]) -> None:
        flat = torch.cat([each.reshape(-1) for each in tensors])
        with _all_there():
            dist.all_reduce(flat)
        parts = (flat / self.count).split([each.numel() for each in tensors])
        for tensor, mean in zip(tensors, parts, strict=True):
            tensor.copy_(mean.view(tensor.shape))

    def mean(self, facts: Mapping[str, float]) -> dict[str, float]:
        """The mean of each number over all processes: not finite for all if it is not for one."""
        if self.count == 1:
            return dict(facts)
        values = torch.tensor(list(facts.values()), dtype=torch.float64, device=self.device)
        with _all_there():
            dist.all_reduce(values)
        return dict(zip(facts, (values / self.count).tolist(), strict=True))

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in any process."""
        if self.count == 1:
            return flag
        value = torch.tensor([float(flag)], device=self.device)
        with _all_there():
            dist.all_reduce(value)
        return bool(value.item())

    def first_error(self, error: VidsegError | None) -> VidsegError | None:
        """This one's error, or else the first of the others', if there is one."""
        if self.count == 1 or not self.any(error is not None):
            return error
        sentences: list[str | None] = [None] * self.count
        with _all_there():
            dist.all_gather_object(sentences, None if error is None else str(error))
        return error or VidsegError(next(filter(None, sentences)))


ALONE = Ranks()


@contextmanager
def joined_ranks(device: str) -> Iterator[tuple[Ranks, torch.device]]:
    """Within, this process and the others that were started with it train together, and this one on
    the device given; returns once all are there.

    Raises OptionError: a device that several processes cannot share.
    """
    ours = not dist.is_available() or not dist.is_initialized()
    if ours and int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield ALONE, resolve_device(device)
        return
    place = _own_device(device)
    if ours:
        dist.init_process_group("nccl" if place.type == "cuda" else "gloo", timeout=WAIT)
    try:
        ranks = Ranks(dist.get_rank(), dist.get_world_size(), place)
        ranks.any(False)
        yield ranks, place
    finally:
        if ours:
            dist.destroy_process_group()


def is_restarted() -> bool:
    """Whether torchrun has started all processes again, since it lost one."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0


def _own_device(device: str) -> torch.device:
    """The GPU of this process, by its number on its machine; or the CPU."""
    place = resolve_device(device)
    if place.type == "mps" or (place.type == "cuda" and device not in ("auto", "cuda")):
        raise OptionError(
            f"Several processes cannot share {device}; use `device='cuda'` or `device='cpu'`."
        )
    if place.type == "cuda":
        place = resolve_device(f"cuda:{os.environ.get('LOCAL_RANK', '0')}")
        torch.cuda.set_device(place)  # what is exchanged as an object goes by the present device
    return place


@contextmanager
def _all_there() -> Iterator[None]:
    """Raises VidsegError: another process is gone."""
    try:
        yield
    except RuntimeError as error:
        raise VidsegError(
            "Another process that trains along has ended; see what it says, and resume with "
            "--weights last."
        ) from error


def _gradient(parameter: nn.Parameter) -> torch.Tensor:
    """Its gradient; zeros where this one's images gave none, as the others' may."""
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad
