"""The device that a model runs on, by name."""

import torch

from vidseg.errors import VidsegError
from vidseg.models.names import check_device

CPU = torch.device("cpu")


def resolve_device(name: str = "auto") -> torch.device:
    """The device called `name`; `auto` is the first CUDA GPU if there is one, else the CPU.

    Raises:
        OptionError: no device has that name.
        VidsegError: this machine has no such device.
    """
    check_device(name)
    if name == "auto":
        return torch.device("cuda", 0) if torch.cuda.is_available() else CPU
    device = torch.device(name)
    if device.type == "cuda":
        return _cuda(name, device.index or 0)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise VidsegError("This machine has no Apple GPU that PyTorch can use; use `device='cpu'`.")
    return device


def _cuda(name: str, index: int) -> torch.device:
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not count:
        raise VidsegError(
            f"The device {name} is not there: PyTorch finds no NVIDIA GPU; use `device='cpu'`."
        )
    if index >= count:
        has = "one GPU, cuda:0" if count == 1 else f"GPUs cuda:0 to cuda:{count - 1}"
        raise VidsegError(f"The device {name} is not there: this machine has {has}.")
    return torch.device("cuda", index)
