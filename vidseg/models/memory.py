"""How much memory a model needs on a device, and which errors mean that memory ran out."""

from typing import Any

import torch

from vidseg.models.architectures import Network

MAX_AUTO_BATCH_SIZE = 8
"""A pipeline holds four batches of frames at once; a 4K frame takes 25 MB."""

BYTES_PER_PIXEL = 1 << 10
"""Working memory of a ResNet-50 model per pixel of its input: an estimate, 1 GiB for 800 x 1333."""

OUT_OF_MEMORY_MARKS = (
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "ALLOC_FAILED",
)
"""Parts of torch's messages: of CUDA and MPS, of the CPU allocator (two), of cuBLAS and cuDNN."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` of torch or Python means that memory ran out, on any device."""
    return isinstance(error, MemoryError) or any(mark in str(error) for mark in OUT_OF_MEMORY_MARKS)


def auto_batch_size(model: Network, device: torch.device) -> int:
    """Images per batch: 1 on the CPU, where batches gain nothing; on CUDA half of what fits."""
    if device.type != "cuda":
        return 1
    free, _ = torch.cuda.mem_get_info(device)
    transform: Any = model.transform
    image_bytes = BYTES_PER_PIXEL * max(transform.min_size) * transform.max_size
    return int(min(max(free // (2 * image_bytes), 1), MAX_AUTO_BATCH_SIZE))
