"""How many images a device's memory holds at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from vidseg.models.architectures import Network

MAX_AUTO_BATCH_SIZE = 8
"""A pipeline holds four batches of frames at once; a 4K frame takes 25 MB."""

BYTES_PER_PIXEL = 1 << 10
"""Working memory of a ResNet-50 model per pixel of its input: an estimate, 1 GiB for 800 x 1333."""


def auto_batch_size(model: Network, device: torch.device) -> int:
    """Images per batch: 1 on the CPU, where batches gain nothing; on CUDA half of what fits."""
    if device.type != "cuda":
        return 1
    free, _ = torch.cuda.mem_get_info(device)
    transform: Any = model.transform
    image_bytes = BYTES_PER_PIXEL * max(transform.min_size) * transform.max_size
    return int(min(max(free // (2 * image_bytes), 1), MAX_AUTO_BATCH_SIZE))
