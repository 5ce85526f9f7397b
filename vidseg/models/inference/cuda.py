"""What an NVIDIA GPU asks for: memory to fetch from, streams, convolutions that are exact."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock, local

import numpy as np
import torch

from vidseg.structures.frame import Image

_FLAGS = Lock()


class Streams:
    """A CUDA stream for each thread that works on a device; None on other devices.

    While one thread's batch computes, that of the other is sent and waited for.
    """

    def __init__(self, device: torch.device) -> None:
        """Waits until all that was asked of `device` so far, its weights, is there."""
        self._device, self._local = device, local()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    def own(self) -> torch.cuda.Stream | None:
        """The calling thread's own."""
        if self._device.type != "cuda":
            return None
        if not hasattr(self._local, "stream"):
            self._local.stream = torch.cuda.Stream(self._device)
        return self._local.stream


def stacked(images: Sequence[Image], device: torch.device) -> torch.Tensor:
    """(B, H, W, 3) on the host, in memory from which a GPU fetches by itself.

    Torch keeps such memory, and hands it out again only when no copy from it is under way. On the
    CPU a single image is taken as it is, which of 4K saves 25 MB.
    """
    if device.type == "cpu" and len(images) == 1 and images[0].flags.writeable:
        return torch.from_numpy(np.ascontiguousarray(images[0]))[None]  # torch warns of others
    shape = (len(images), *images[0].shape)
    pixels = torch.empty(shape, dtype=torch.uint8, pin_memory=device.type == "cuda")
    np.stack(images, out=pixels.numpy())
    return pixels


def numbered(device: torch.device) -> torch.device:
    """With the number of the GPU where it has none: each thread has a current one of its own."""
    if device.type == "cuda" and device.index is None:
        return torch.device("cuda", torch.cuda.current_device())
    return device


@contextmanager
def convolutions(dtype: torch.dtype, device: torch.device) -> Iterator[None]:
    """Inside, cuDNN's convolutions of float32 are exact: by default they round to TF32's 10 bits.

    That is a setting of the process, put back at the end; so one thread at a time is inside.
    """
    if device.type != "cuda" or dtype != torch.float32:
        yield
        return
    cudnn = torch.backends.cudnn
    with (
        _FLAGS,
        cudnn.flags(
            enabled=cudnn.enabled,
            benchmark=cudnn.benchmark,
            benchmark_limit=cudnn.benchmark_limit,
            deterministic=cudnn.deterministic,
            allow_tf32=False,
        ),
    ):
        yield
