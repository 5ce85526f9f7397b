"""How fast a video is drawn again from saved detections.

    python -m tests.benchmarks.again [--height 720] [--frames 120] [--fresh 6] [--rounds 3]

`again` is `vidseg overlay --detections` with the bundled model's objects of the example video, 5 or
more a frame. It is compared with `identity`, which reads and writes and draws nothing, and with
`fresh`, which looks at the frames with ResNet-50 (5 planted objects, see
`tests.support.planted_objects`); loading
the network is not counted, making it ready is. Before the clock runs, the drawn video must be that
of a run with the model, picture by picture. JSON on stdout, a table on stderr: seconds a frame by
the wall's clock and of processor time, medians over the rounds.
"""

import argparse
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import vidseg
from tests.benchmarks import io, overlay
from tests.benchmarks.duel import Run, machine, make_clip, pictures, run, summary, work
from vidseg.pipeline.detect_to_file import detect_to_file
from vidseg.pipeline.search import Search
from vidseg.results.vidseg_file import read_detections

MODULE = "tests.benchmarks.again"
SAVED = ".vidseg"
PLANTED = argparse.Namespace(
    model="maskrcnn_resnet50_fpn", objects=5, device="cpu", precision="auto"
)


def again(source: Path, target: Path) -> None:
    search = Search(detections=source.with_suffix(SAVED))
    vidseg.overlay(source, target, search=search, options=vidseg.RunOptions(force=True))


def fresh(source: Path, target: Path) -> None:
    overlay.way("vidseg", source, PLANTED)(source, target)


WAYS = {"identity": io.vidseg_way, "again": again}


def prepare(source: Path) -> float:
    """Saves the detections and compares what is drawn; returns the mean objects of a frame."""
    model = Search(model="balloon")
    detect_to_file(source, source.with_suffix(SAVED), search=Search(model="balloon"))
    target, direct = source.with_name("again.mp4"), source.with_name("direct.mp4")
    again(source, target)
    vidseg.overlay(source, direct, search=model, options=vidseg.RunOptions(force=True))
    if not np.array_equal(pictures(target), pictures(direct)):
        raise SystemExit("Saved detections give another video than the model does.")
    found = read_detections(source.with_suffix(SAVED))
    return float(np.mean([(instances.ids > 0).sum() for _, instances in found]))


def measure(folder: Path, options: argparse.Namespace) -> dict[str, object]:
    clip = make_clip(folder / "clip.mp4", options.height, options.frames)
    short = make_clip(folder / "short.mp4", options.height, options.fresh)
    objects = prepare(clip)
    runs: dict[str, list[Run]] = {"identity": [], "again": [], "fresh": []}
    for _ in range(options.rounds):
        for name in WAYS:
            runs[name].append(run(MODULE, name, clip, folder / f"{name}.mp4"))
        runs["fresh"].append(run(MODULE, "fresh", short, folder / "fresh.mp4"))
    frames = {"identity": options.frames, "again": options.frames, "fresh": options.fresh}
    return {
        "height": options.height,
        "objects": round(objects, 1),
        "ways": {name: per_frame(done, frames[name]) for name, done in runs.items()},
    }


def per_frame(runs: list[Run], frames: int) -> dict[str, float]:
    took = summary(runs)
    return {name: (took[name] or 0) / frames for name in ("seconds", "cpu_seconds")}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--height", type=int, default=720)
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--fresh", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--way", choices=[*WAYS, "fresh"], help=argparse.SUPPRESS)
    parser.add_argument("files", type=Path, nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        work({**WAYS, "fresh": fresh}[options.way], *options.files)
        return
    with TemporaryDirectory() as folder:
        result = measure(Path(folder), options)
    print(json.dumps({**machine(), **result}, indent=2))
    for name, took in result["ways"].items():  # type: ignore[attr-defined]
        seconds = f"{took['seconds']:.4f} s a frame, {took['cpu_seconds']:.4f} s of processor time"
        print(f"{name:>9}: {seconds}", file=sys.stderr)


if __name__ == "__main__":
    main()
