"""The device that a model runs on, by name."""

import re

import torch

from vidseg.errors import OptionError, VidsegError

CPU = torch.device("cpu")

DEVICE_NAMES = "auto, cpu, cuda, cuda:N or mps"


def resolve_device(name: str = "auto") -> torch.device:
    """The device called `name`; `auto` is the first CUDA GPU if there is one, else the CPU.

    Raises:
        OptionError: no device has that name.
        VidsegError: this machine has no such device.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?|mps", name):
        raise OptionError(f"There is no device {name!r}; use {DEVICE_NAMES}.")
    if name == "auto":
        return torch.device("cuda", 0) if torch.cuda.is_available() else CPU
    device = torch.device(name)
    if device.type == "cuda":
        return _cuda(name, device.index or 0)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise VidsegError("This machine has no Apple GPU that PyTorch can use; use --device cpu.")
    return device


def _cuda(name: str, index: int) -> torch.device:
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not count:
        raise VidsegError(
            f"The device {name} is not there: PyTorch finds no NVIDIA GPU; use --device cpu."
        )
    if index >= count:
        has = "one GPU, cuda:0" if count == 1 else f"GPUs cuda:0 to cuda:{count - 1}"
        raise VidsegError(f"The device {name} is not there: this machine has {has}.")
    return torch.device("cuda", index)
