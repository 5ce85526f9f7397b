"""`overlay` with `everyday` beside Ultralytics' YOLO11n-seg, which predicts and saves its video.

    python -m tests.benchmarks.yolo PYTHON [--video VIDEO] [--rounds 3] [--precision auto]

PYTHON is an interpreter with `ultralytics` in it. YOLO runs at its default size, 640. Its weights
are random, of yolo11n-seg.yaml: the network takes the same time as with published ones, but finds
nothing, so it saves the time for NMS, masks and drawing. Both make a short and a long clip of one
video, in turns; the difference is the cost of the further frames, without the start. For a CPU
with AVX2 alone set ONEDNN_MAX_CPU_ISA=AVX2 and ATEN_CPU_CAPABILITY=avx2. On a busy machine trust
the processor time. JSON on stdout: milliseconds a further frame, medians and rounds.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from tests.benchmarks.duel import EXAMPLE, machine
from vidseg.video.decoding.reader import read_frames
from vidseg.video.encoding.writer import open_writer
from vidseg.video.probe import probe

SHORT, LONG = 8, 104
"""Frames."""
YOLO = """
import sys
from ultralytics import YOLO
model = YOLO("yolo11n-seg.yaml", task="segment")
for _ in model.predict(sys.argv[1], save=True, stream=True, verbose=False, project=sys.argv[2]):
    pass
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("python", help="interpreter with ultralytics")
    parser.add_argument("--video", type=Path, default=EXAMPLE)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--precision", default="auto")
    options = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = Path(name)
        clips = [cut(options.video, count, folder) for count in (SHORT, LONG)]
        overlay = (sys.executable, "-m", "vidseg", "overlay", "-q", "-f", "--model", "everyday")
        overlay = (*overlay, "--precision", options.precision)
        commands = {
            "everyday": lambda clip: [*overlay, str(clip), str(folder / "out.mp4")],
            "YOLO11n-seg": lambda clip: [options.python, "-c", YOLO, str(clip), str(folder / "y")],
        }
        rounds = [
            {way: further_frame(*[cost(command(clip)) for clip in clips])
             for way, command in commands.items()}
            for _ in range(options.rounds)
        ]  # fmt: skip
    medians = {
        way: {kind: round(median(one[way][kind] for one in rounds), 1) for kind in rounds[0][way]}
        for way in commands
    }
    print(json.dumps({**machine(), "median": medians, "rounds": rounds}, indent=2))


def cut(video: Path, count: int, folder: Path) -> Path:
    """The first `count` frames."""
    info, clip = probe(video), folder / f"{count}.mp4"
    with open_writer(clip, info) as writer:
        for frame in islice(read_frames(info), count):
            writer.write(frame)
    return clip


def cost(command: list[str]) -> tuple[float, float]:
    """Seconds by the clock and of processor time."""
    start, before = time.perf_counter(), os.times()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    used = after.children_user + after.children_system
    return time.perf_counter() - start, used - before.children_user - before.children_system


def further_frame(short: tuple[float, float], long: tuple[float, float]) -> dict[str, float]:
    costs = (1000 * (b - a) / (LONG - SHORT) for a, b in zip(short, long, strict=True))
    return dict(zip(("clock", "processor"), (round(value, 1) for value in costs), strict=True))


if __name__ == "__main__":
    main()
