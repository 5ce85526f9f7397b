"""How fast vidseg is, all of it: beside the plain way, by stage, and where it might break.

    python -m tests.benchmarks.speed [--part ways stages network sizes length gpu] [--device cpu]
                                     [--model balloon_maskrcnn ...] [--precision auto ...]
                                     [--batch 1 2] [--height 720 1080 2160] [--objects 1 5 20 50]
                                     [--frames 8] [--rounds 1]

| part | what it measures |
|---|---|
| ways | `overlay` end to end with 5 objects at 720p beside the plain way (`overlay`) |
| stages | what every stage takes by itself (`stages`), and the whole beside their sum |
| network | the network alone, by batch size and precision, beside torchvision's (`network`) |
| sizes | `overlay` by picture and objects: time a frame, peak memory of the process tree |
| length | the same at 720p for a clip and one ten times as long |
| gpu | `overlay` of 1080p on a GPU: frames a second, and how long the GPU was busy (`gpu`) |

Every part first checks what comes out, then times it. `sizes` and `length` take the small
architecture with planted objects, so that what is around the network weighs most. JSON on stdout, a
table on stderr as it grows.
"""

import argparse
import json
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.benchmarks import gpu, network, overlay, stages
from tests.benchmarks.duel import EXAMPLE, count_frames, machine, make_clip
from vidseg.cpu_budget import cores
from vidseg.models.device import resolve_device

SMALL = "maskrcnn_shufflenet_v2_x0_5_fpn"
OBJECTS = 5
Result = dict[str, Any]


def ways(folder: Path, options: Namespace) -> Iterator[Result]:
    for model in options.model:
        asked = one(options, model=model)
        measured = overlay.measure(folder, 720, asked)
        yield {key: measured[key] for key in ("model", "frames", "speed", "cpu", "ways")}


def by_stage(folder: Path, options: Namespace) -> Iterator[Result]:
    for model in options.model:
        asked = one(options, model=model)
        measured = stages.measure(folder, 720, asked)
        source = make_clip(folder / "stages.mp4", 720, options.frames)
        whole = checked_run(source, asked)
        parts = sum(stage["cpu"] for stage in measured["milliseconds"].values())
        yield {
            **measured,
            "sum_of_cpu": round(parts, 1),
            "sum_over_cores": round(parts / cores(), 1),
            "whole": round(whole.seconds / options.frames * 1e3, 1),
            "whole_cpu": round(whole.cpu_seconds / options.frames * 1e3, 1),
            "stolen": round(whole.stolen_seconds / options.frames * 1e3, 1),
            "cores_busy": round(whole.cpu_seconds / had(whole), 3),
        }


def had(whole: overlay.Run) -> float:
    """Seconds of all cores together that were there to be used."""
    return whole.seconds * cores() - whole.stolen_seconds


def alone(folder: Path, options: Namespace) -> Iterator[Result]:
    image = overlay.first_picture(EXAMPLE)
    for model in options.model:
        for precision in options.precision:
            for batch in options.batch:
                asked = one(options, precision=precision, batch=batch)
                yield {**network.measure(model, image, asked), "batch": batch}


def sizes(folder: Path, options: Namespace) -> Iterator[Result]:
    for height in options.height:
        source = make_clip(folder / f"{height}.mp4", height, options.frames)
        for objects in options.objects:
            asked = one(options, model=SMALL, objects=objects)
            yield {"height": height, "objects": objects, **per_frame(source, asked)}


def length(folder: Path, options: Namespace) -> Iterator[Result]:
    for frames in (10 * options.frames, 100 * options.frames):
        source = make_clip(folder / f"{frames}.mp4", 720, frames)
        yield {"frames": frames, **per_frame(source, one(options, model=SMALL))}


def on_gpu(folder: Path, options: Namespace) -> Iterator[Result]:
    if options.device.startswith("cuda"):
        for model in options.model:
            yield gpu.measure(folder, one(options, model=model, frames=30 * options.frames))


PARTS: dict[str, Callable[[Path, Namespace], Iterator[Result]]] = {
    "ways": ways,
    "stages": by_stage,
    "network": alone,
    "sizes": sizes,
    "length": length,
    "gpu": on_gpu,
}


def one(options: Namespace, **changes: Any) -> Namespace:
    """Options as the parts take them: one value of each."""
    plain = {"objects": OBJECTS, "precision": "auto", "batch": 1, "device": options.device}
    return Namespace(**{**plain, "frames": options.frames, "rounds": options.rounds, **changes})


def per_frame(source: Path, options: Namespace) -> Result:
    done, frames = checked_run(source, options), count_frames(source)
    return {
        "milliseconds": round(done.seconds / frames * 1e3, 1),
        "cpu_milliseconds": round(done.cpu_seconds / frames * 1e3, 1),
        "peak_megabytes": round((done.peak_bytes or 0) / 1e6),
    }


def checked_run(source: Path, options: Namespace) -> overlay.Run:
    """`overlay` in a process of its own; every frame must be there."""
    target = source.with_name(f"{source.stem}_out.mp4")
    done = overlay.run_way("vidseg", source, target, options)
    if count_frames(target) != count_frames(source):
        raise SystemExit(f"{target.name} has {count_frames(target)} frames.")
    return done


def parse() -> Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--model", nargs="+", default=network.MODELS)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", nargs="+", default=["auto", "float32"])
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--height", type=int, nargs="+", default=[720, 1080, 2160])
    parser.add_argument("--objects", type=int, nargs="+", default=[1, 5, 20, 50])
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    options.device = str(resolve_device(options.device))
    return options


def print_result(part: str, result: Result) -> None:
    """A block of lines to stderr: what was measured, and how much it was."""
    print(part, file=sys.stderr)
    for name, value in flat(result):
        print(f"  {name:<40} {value!s:>14}", file=sys.stderr, flush=True)


def flat(values: Result, before: str = "") -> Iterator[tuple[str, object]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, f"{before}{name} ")
        else:
            yield f"{before}{name}", value


def main() -> None:
    options, results = parse(), {}
    for part in options.part:
        with TemporaryDirectory() as folder:
            results[part] = []
            for result in PARTS[part](Path(folder), options):
                results[part].append(result)
                print_result(part, result)
    print(json.dumps({**machine(), "device": options.device, **results}, indent=2))


if __name__ == "__main__":
    main()
