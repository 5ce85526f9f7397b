"""`everyday` on ONNX Runtime beside torch: time of the heads, and AP with int8.

    vidseg export --onnx everyday everyday_onnx
    python -m tests.benchmarks.onnx_runtime everyday_onnx [--rounds 8] [--coco DATA --photos 100]

Times are processor time of one frame of 16:9 (480 x 272) on one thread, in turns; torch in float32
and in bfloat16. ATEN_CPU_CAPABILITY=avx2 and ONEDNN_MAX_CPU_ISA=AVX2 limit torch; nothing limits
ONNX Runtime, which takes what the CPU has. With a COCO folder of photos, the heads are also
quantised to int8, calibrated on its first 24 photos, and AP of masks is measured on the next ones.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
import onnxruntime  # pyright: ignore[reportMissingImports]
import torch

from examples.onnx_everyday import OnnxEveryday
from tests.benchmarks.duel import machine
from vidseg.datasets import read_dataset
from vidseg.evaluation.coco_ap import evaluate
from vidseg.models.everyday.forward import optimize
from vidseg.models.everyday.network import Everyday
from vidseg.models.predictor import load_network

SIZE = (272, 480)
CALLS = 10
CALIBRATION_PHOTOS = 24


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--coco", type=Path)
    parser.add_argument("--photos", type=int, default=100, help="photos that judge")
    options = parser.parse_args()
    torch.set_num_threads(1)
    figures: dict[str, Any] = {}
    files = {"onnx": options.folder / "heads.onnx"}
    if options.coco:
        files["onnx int8"] = quantised(options.folder, options.coco)
        figures["AP"] = {
            name: ap(options.folder, path, options.coco, options.photos)
            for name, path in files.items()
        }
    figures["milliseconds"] = times(files, options.rounds)
    cpu = torch.backends.cpu.get_cpu_capability()
    print(json.dumps({**machine(), "torch on": cpu, **figures}, indent=2))


def times(files: dict[str, Path], rounds: int) -> dict[str, list[float]]:
    """Best and median of each way."""
    ways = {name: on_runtime(path) for name, path in files.items()}
    for dtype in (torch.float32, torch.bfloat16):
        ways[f"torch {dtype}".replace("torch.", "")] = on_torch(dtype)
    found: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()
    for _ in range(rounds):
        for name, way in ways.items():
            began = time.process_time()
            for _ in range(CALLS):
                way()
            found[name].append(1000 * (time.process_time() - began) / CALLS)
    return {name: [round(min(all_), 2), round(median(all_), 2)] for name, all_ in found.items()}


def on_runtime(path: Path) -> Callable[[], Any]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options)
    pixels = np.random.default_rng(0).normal(size=(1, 3, *SIZE)).astype(np.float32)
    return lambda: session.run(None, {"images": pixels})


def on_torch(dtype: torch.dtype) -> Callable[[], Any]:
    network = load_network("everyday")
    assert isinstance(network, Everyday)
    model = optimize(network, torch.device("cpu"), dtype)
    pixels = torch.randn(1, 3, *SIZE, dtype=dtype).contiguous(memory_format=torch.channels_last)

    @torch.inference_mode()
    def run() -> Any:
        maps = model(pixels)
        return model.mask_branch.maps(maps.backbone, maps.pyramid)

    return run


def quantised(folder: Path, coco: Path) -> Path:
    """The heads with int8 weights and activations."""
    from onnxruntime.quantization import (  # pyright: ignore[reportMissingImports]
        QuantFormat,
        quantize_static,
    )

    predictor = OnnxEveryday(folder)

    class Photos:
        def __init__(self) -> None:
            self.photos: Iterator[Path] = iter(
                sorted((coco / "images").iterdir())[:CALIBRATION_PHOTOS]
            )

        def get_next(self) -> dict[str, Any] | None:
            path = next(self.photos, None)
            if path is None:
                return None
            image = cv2.cvtColor(np.asarray(cv2.imread(str(path))), cv2.COLOR_BGR2RGB)
            return {"images": predictor._prepared(np.asarray(image, np.uint8))[0]}

    target = folder / "heads_int8.onnx"
    quantize_static(
        folder / "heads.onnx", target, Photos(), quant_format=QuantFormat.QDQ, per_channel=True
    )
    return target


def ap(folder: Path, heads: Path, coco: Path, photos: int) -> list[float]:
    """AP and AP50 of masks, in per cent, on the photos that did not calibrate."""
    predictor = OnnxEveryday(folder, keep_score=0.05, threads=1)
    predictor._heads = onnxruntime.InferenceSession(heads)
    content = read_dataset(coco)
    samples = sorted(content.samples, key=lambda each: each.path)[CALIBRATION_PHOTOS:][:photos]
    masks = evaluate(replace(content, samples=tuple(samples)), predictor).masks
    assert masks.ap is not None
    assert masks.ap50 is not None
    return [round(100 * masks.ap, 2), round(100 * masks.ap50, 2)]


if __name__ == "__main__":
    main()
