"""How fast `vidseg overlay` is on an NVIDIA GPU, and for how much of the time the GPU works.

    python -m tests.benchmarks.gpu [--model maskrcnn_resnet50_fpn] [--objects 5] [--frames 240]
                                   [--precision auto] [--device cuda] [--height 1080]

`frames_per_second` is a whole run, from the file to the file, after one that warmed everything up;
`network_alone` is `predict` on frames that are there, from as many threads as the pipeline has.
`gpu_busy` comes from a third run under torch's profiler: the time in which a kernel or a copy ran,
of that from the first to the last one. Every frame must have been written. JSON on stdout.
"""

import argparse
import json
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

import vidseg
from tests.benchmarks.duel import count_frames, machine, make_clip
from tests.benchmarks.network import make
from tests.benchmarks.overlay import first_picture, search_with
from vidseg.cli.threads import limit_threads
from vidseg.models.device import resolve_device
from vidseg.models.inference.predictor import MaskRCNNPredictor
from vidseg.pipeline.search import Search
from vidseg.video.decoding.reader import read_frames
from vidseg.video.probe import probe

BATCHES = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default="maskrcnn_resnet50_fpn")
    parser.add_argument("--objects", type=int, default=5)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--height", type=int, default=1080)
    parser.add_argument("--frames", type=int, default=240)
    options = parser.parse_args()
    options.device = str(resolve_device(options.device))
    with TemporaryDirectory() as folder:
        result = measure(Path(folder), options, height=options.height)
    print(json.dumps({**machine(), **result}, indent=2))


def measure(folder: Path, options: argparse.Namespace, *, height: int = 1080) -> dict[str, Any]:
    limit_threads()
    source, target = folder / f"{height}p.mp4", folder / f"{height}p_out.mp4"
    if not source.exists():
        make_clip(source, height, options.frames)
    search = search_with(make(options.model, first_picture(source), options.objects)[0], options)
    predictor = search.predictor()
    assert isinstance(predictor, MaskRCNNPredictor)
    overlay_seconds(source, target, search)
    seconds = overlay_seconds(source, target, search)
    with profile(activities=[ProfilerActivity.CUDA]) as profiled:
        overlay_seconds(source, target, search)
    work = [event for event in profiled.events() or () if event.device_type.name == "CUDA"]
    return {
        "model": options.model,
        "gpu": torch.cuda.get_device_name(predictor.device),
        "height": height,
        "frames": options.frames,
        "precision": str(predictor.precision).removeprefix("torch."),
        "batch": predictor.batch_size,
        "frames_per_second": round(options.frames / seconds, 1),
        "network_alone": round(frames_per_second(predictor, source), 1),
        "gpu_busy": round(
            busy_share((event.time_range.start, event.time_range.end) for event in work), 3
        ),
        "peak_gpu_megabytes": round(torch.cuda.max_memory_allocated(predictor.device) / 1e6),
    }


def overlay_seconds(source: Path, target: Path, search: Search) -> float:
    """All the work of the GPU is done by then: its results are in the file."""
    start = time.perf_counter()
    vidseg.overlay(source, target, search=search, options=vidseg.RunOptions(force=True))
    seconds = time.perf_counter() - start
    if count_frames(target) != count_frames(source):
        raise SystemExit(f"{target.name} has {count_frames(target)} frames.")
    return seconds


def frames_per_second(predictor: MaskRCNNPredictor, source: Path) -> float:
    """Of the network alone; `predict` ends when its results are on the host."""
    frames = islice(read_frames(probe(source)), predictor.batch_size)
    images = [frame.image for frame in frames]
    with ThreadPoolExecutor(predictor.batches_at_once) as pool:
        list(pool.map(predictor.predict, [images] * 4))
        start = time.perf_counter()
        list(pool.map(predictor.predict, [images] * BATCHES))
        return BATCHES * len(images) / (time.perf_counter() - start)


def busy_share(spans: Iterable[tuple[float, float]]) -> float:
    """Of the time from the first start to the last end, how much lies in any of the spans."""
    ordered = sorted(spans)
    if not ordered:
        return 0.0
    first = reached = ordered[0][0]
    busy = 0.0
    for start, end in ordered:
        busy += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return busy / (reached - first)


if __name__ == "__main__":
    main()
