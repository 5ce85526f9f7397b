"""How long each part of `everyday` takes for a frame of the example video.

    python -m tests.benchmarks.everyday [--precision float32] [--objects 8] [--rounds 40]

One thread; the clock is processor time, which a busy machine stretches little. Masks are those of
`--objects` boxes of many sizes. For a CPU without wide instructions, set ONEDNN_MAX_CPU_ISA=AVX2
and ATEN_CPU_CAPABILITY=avx2. JSON of milliseconds, best and median, on stdout.
"""

import argparse
import json
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch

from tests.benchmarks.duel import EXAMPLE, machine
from vidseg.models.everyday.forward import detect_boxes, optimize, predict_masks
from vidseg.models.everyday.network import Everyday
from vidseg.models.inference.detections import BoxDetections, BoxFilter, Regions
from vidseg.models.inference.preprocess import preprocess
from vidseg.models.predictor import load_network
from vidseg.video.decoding.reader import read_frames
from vidseg.video.probe import probe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--objects", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    torch.set_num_threads(1)
    image = next(read_frames(probe(EXAMPLE))).image
    dtype = getattr(torch, options.precision)
    model = load_network("everyday")
    assert isinstance(model, Everyday)
    model = optimize(model, torch.device("cpu"), dtype)
    pixels = torch.from_numpy(np.array(image))[None]
    with torch.inference_mode():
        parts = ways(model, pixels, dtype, options.objects)
        times = {name: clock(way, options.rounds) for name, way in parts.items()}
    network = [sum(v[i] for k, v in times.items() if k != "pre-process") for i in (0, 1)]
    figures = {**times, "network alone": [round(value, 2) for value in network]}
    print(json.dumps({**machine(), "milliseconds": figures}, indent=2))


def ways(
    model: Everyday, pixels: torch.Tensor, dtype: torch.dtype, objects: int
) -> dict[str, Callable[[], object]]:
    images = preprocess(model, pixels, dtype)
    maps = model(images.tensors)
    box_filter = BoxFilter(0.1, torch.arange(1, model.num_classes), 0)
    found = boxes_of_many_sizes(objects, images.size)
    return {
        "pre-process": lambda: preprocess(model, pixels, dtype),
        "backbone": lambda: model.backbone(images.tensors),
        "pyramid": lambda: model.neck(maps.backbone[1:]),
        "box head": lambda: model.box_head(maps.pyramid),
        "boxes": lambda: detect_boxes(maps, images, box_filter),
        "masks": lambda: predict_masks(model, maps, found, images),
    }


def boxes_of_many_sizes(count: int, size: tuple[int, int]) -> BoxDetections:
    random = torch.Generator().manual_seed(0)
    corners = torch.rand(count, 2, 2, generator=random) * torch.tensor(size[::-1])
    boxes = torch.cat((corners.amin(1), corners.amax(1) + 2), 1)
    owners = torch.zeros(count, dtype=torch.int64)
    return BoxDetections(Regions(boxes, owners), torch.ones(count), owners + 1)


def clock(way: Callable[[], object], rounds: int) -> list[float]:
    """The best and the median processor time of a call, in milliseconds."""
    way()
    times = []
    for _ in range(rounds):
        start = time.process_time()
        way()
        times.append(1000 * (time.process_time() - start))
    return [round(min(times), 2), round(median(times), 2)]


if __name__ == "__main__":
    main()
