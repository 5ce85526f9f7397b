"""The number format that a model computes in, by name."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Lock

import torch

from vidseg.cpu_budget import cores
from vidseg.errors import OptionError
from vidseg.models.names import check_precision

TILES_BFLOAT16 = "amx_bf16"
"""The CPU capability (AMX) that multiplies whole tiles of bfloat16 in one instruction."""

BFLOAT16_CAPABILITIES = ("avx512_bf16", TILES_BFLOAT16)
"""With one of these CPU capabilities bfloat16 is at least twice as fast as float32; without any, it
is slower."""

MIN_TENSOR_CORE_CAPABILITY = (7, 0)
"""The first CUDA compute capability with tensor cores: float16 is much faster than float32."""

_CUDNN_FLAGS = Lock()


def resolve_precision(name: str, device: torch.device) -> torch.dtype:
    """The number format called `name`; `auto` is the fastest that keeps the quality on `device`.

    That is float16 on CUDA, as fast as bfloat16 and with three more bits; bfloat16 on CPUs that
    multiply it in hardware, as torch 2.11 and later can tell; float32 elsewhere.

    Raises:
        OptionError: no such precision, or float16 on a CPU, where a frame takes a minute.
    """
    check_precision(name)
    if name == "float16" and device.type == "cpu":
        raise OptionError(
            "float16 is for GPUs, on a CPU it takes a minute a frame; use `precision='auto'`."
        )
    if name != "auto":
        return getattr(torch, name)
    if device.type == "cuda":
        fast = torch.cuda.get_device_capability(device) >= MIN_TENSOR_CORE_CAPABILITY
        return torch.float16 if fast else torch.float32
    if device.type == "cpu" and cpu_has_bfloat16():
        return torch.bfloat16
    return torch.float32


def cpu_has_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 in hardware and torch uses that."""
    usable = torch.backends.mkldnn.is_available() and not _is_limited(os.environ)
    return usable and any(map(cpu_has, BFLOAT16_CAPABILITIES))


def cpu_has_avx2() -> bool:
    """Whether torch's own kernels use AVX2 or AVX-512 on this CPU."""
    return torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")


def _is_limited(environment: Mapping[str, str]) -> bool:
    """Whether the user keeps oneDNN, which torch convolves with, to instructions without
    bfloat16: it then emulates it, seven times slower than float32."""
    limit = environment.get("ONEDNN_MAX_CPU_ISA") or environment.get("DNNL_MAX_CPU_ISA") or "ALL"
    return not re.search("BF16|FP16|AMX|AVX10|ALL|DEFAULT", limit.upper())


def cpu_has(capability: str) -> bool:
    """Whether this CPU has it, according to torch 2.11 or later."""
    return bool(getattr(torch.cpu, "get_capabilities", dict)().get(capability))


def machine(device: torch.device, dtype: torch.dtype) -> str:
    """What a model computes with, for people: ``2 CPU cores (AVX2) in float32``."""
    if device.type == "cuda":
        where = torch.cuda.get_device_name(device)
    elif device.type == "cpu":
        instructions = torch.backends.cpu.get_cpu_capability()
        where = f"{cores()} CPU cores ({instructions})"
    else:
        where = str(device)
    return f"{where} in {str(dtype).removeprefix('torch.')}"


@contextmanager
def exact_float32(dtype: torch.dtype, device: torch.device) -> Iterator[None]:
    """Within, float32 convolutions on CUDA are exact; by default cuDNN rounds to TF32's 10 bits.

    This is a setting of the whole process, restored at the end; one thread at a time enters.
    """
    if device.type != "cuda" or dtype != torch.float32:
        yield
        return
    cudnn = torch.backends.cudnn
    with (
        _CUDNN_FLAGS,
        cudnn.flags(
            enabled=cudnn.enabled,
            benchmark=cudnn.benchmark,
            benchmark_limit=cudnn.benchmark_limit,
            deterministic=cudnn.deterministic,
            allow_tf32=False,
        ),
    ):
        yield
