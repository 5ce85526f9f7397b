"""What each stage of `vidseg overlay` takes by itself, one after the other, on the same frames.

    python -m tests.benchmarks.stages [--model balloon_maskrcnn] [--objects 5] [--precision auto]
                                      [--device cpu] [--height 720] [--frames 12]

Milliseconds a frame, by the clock and of processor time, each with the threads that the program
gives one frame. The parts of the network are those of `network`, medians over the frames. The sum
of processor time over the cores is what the whole can take at best. JSON on stdout.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import torch

from tests.benchmarks.duel import machine, make_clip
from tests.benchmarks.network import make, network_stages
from tests.benchmarks.overlay import search_with
from vidseg.cli.threads import limit_threads
from vidseg.cpu_budget import threads_per_frame
from vidseg.effects import Overlay
from vidseg.models.device import resolve_device
from vidseg.models.inference.predictor import MaskRCNNPredictor
from vidseg.pipeline.stages import tracked_objects
from vidseg.structures.frame import Frame
from vidseg.video.decoding.reader import read_frames
from vidseg.video.encoding.writer import open_writer
from vidseg.video.probe import probe

T = TypeVar("T")
Times = dict[str, dict[str, float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default="balloon_maskrcnn")
    parser.add_argument("--objects", type=int, default=5)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--height", type=int, default=720)
    parser.add_argument("--frames", type=int, default=12)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        result = measure(Path(folder), options.height, options)
    print(json.dumps({**machine(), **result}, indent=2))


def measure(folder: Path, height: int, options: argparse.Namespace) -> dict[str, Any]:
    limit_threads()
    torch.set_num_threads(threads_per_frame())  # torch was imported too early for the other
    source = make_clip(folder / f"{height}p.mp4", height, options.frames)
    info, times = probe(source), {}
    frames = timed(times, "decode", options.frames, lambda: list(read_frames(info)))
    network, _ = make(options.model, frames[0].image, options.objects)
    search = search_with(network, options)
    predictor = search.predictor()
    predictor.predict([frames[0].image])
    found = timed(
        times,
        "network",
        len(frames),
        lambda: [predictor.predict([frame.image])[0] for frame in frames],
    )
    pairs = zip(frames, found, strict=True)
    shown = timed(
        times, "track", len(frames), lambda: list(tracked_objects(search, pairs, "video"))
    )
    effect = Overlay(search.names)
    drawn = timed(
        times,
        "draw",
        len(frames),
        lambda: [replace(frame, image=effect(frame.image, found)) for frame, found in shown],
    )
    timed(times, "encode", len(frames), lambda: encode(folder / "out.mp4", source, drawn))
    assert isinstance(predictor, MaskRCNNPredictor)
    pictures, device = [frames[0].image], resolve_device(options.device)
    return {
        "model": options.model,
        "height": height,
        "objects": sum(len(objects) for _, objects in shown) / len(shown),
        "milliseconds": times,
        "network": network_stages(predictor, pictures, device, rounds=len(frames)),
    }


def encode(target: Path, source: Path, frames: list[Frame]) -> None:
    with open_writer(target, probe(source), force=True) as sink:
        for frame in frames:
            sink.write(frame)


def timed(times: Times, stage: str, frames: int, run: Callable[[], T]) -> T:
    """What `run` gives; what it took a frame goes into `times`."""
    clock, cpu = time.perf_counter(), time.process_time()
    result = run()
    took = {"clock": time.perf_counter() - clock, "cpu": time.process_time() - cpu}
    times[stage] = {name: round(value / frames * 1e3, 1) for name, value in took.items()}
    return result


if __name__ == "__main__":
    main()
