"""How much a model needs of a device's memory, and how torch says that there is no more."""

from typing import Any

import torch
from torchvision.models.detection import MaskRCNN

LARGEST_AUTO_BATCH = 8
"""A pipeline keeps four batches of frames alive; of 4K ones, 25 MB each."""

BYTES_PER_PIXEL = 1 << 10
"""Working memory of a ResNet-50 model per pixel of its input, estimated: 1 GiB for 800 x 1333."""

OUT_OF_MEMORY = (
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "ALLOC_FAILED",
)
"""Marks of torch's memory errors: CUDA and MPS, the CPU allocator's two, cuBLAS and cuDNN."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` is torch's or Python's way to say that memory ran out, on any device."""
    return isinstance(error, MemoryError) or any(mark in str(error) for mark in OUT_OF_MEMORY)


def auto_batch_size(model: MaskRCNN, device: torch.device) -> int:
    """Images in a batch: one on the CPU, where batches gain nothing; on CUDA so many fit twice."""
    if device.type != "cuda":
        return 1
    free, _ = torch.cuda.mem_get_info(device)
    transform: Any = model.transform
    one = BYTES_PER_PIXEL * max(transform.min_size) * transform.max_size
    return int(min(max(free // (2 * one), 1), LARGEST_AUTO_BATCH))
