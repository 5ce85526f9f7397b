"""What workers gain, what they cost, and what limits them.

    python -m tests.benchmarks.cluster scaling 4 960      4 workers, a model that sleeps 1 s a frame
    python -m tests.benchmarks.cluster cost VIDEO         processor time of spans beside one run
    python -m tests.benchmarks.cluster eight VIDEO        8 copies of VIDEO by 2 workers
    python -m tests.benchmarks.cluster simulate           the table for 1 to 64 workers

`scaling` needs Ray. It sleeps, so that other work on the machine delays little but the start. The
simulation is that of `simulated`; `scaling` prints its answer beside what was measured.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from heapq import heapify, heapreplace
from pathlib import Path
from typing import NamedTuple

from tests.support.scenes import write_scene
from vidseg.cluster._spans import plan_spans

SLEEPER = '''
import time
from tests.support.doubles import OraclePredictor

class Sleeper(OraclePredictor):
    """Takes a second a frame, and no processor."""
    batch_size = 4
    def __init__(self):
        super().__init__()
    def predict(self, images):
        time.sleep(len(images))
        return super().predict(images)
'''

COUNTING = '''
import os, time
from pathlib import Path
from vidseg.models.predictor import load_predictor

class Counting:
    """The bundled model; keeps its process's processor seconds in a file."""
    def __init__(self):
        self._model = load_predictor("balloon", keep_score=0.05)
        self.classes = self._model.classes
        self.batches_at_once = self._model.batches_at_once
    def predict(self, images):
        found = self._model.predict(images)
        Path(__file__).with_name(f"{os.getpid()}.seconds").write_text(str(time.process_time()))
        return found
'''


class Costs(NamedTuple):
    """Seconds that a run consists of."""

    start: float
    """Until the workers are ready."""
    worker: float
    """A frame on a worker: network, decoding, saving."""
    span: float
    """A span beside its frames: opening the video, decoding from the keyframe before it."""
    head: float
    """A frame in the process that tracks, draws and encodes; decoding runs beside that."""


def simulated(frames: int, workers: int, step: int, costs: Costs) -> float:
    """Seconds of a run over one video: workers take the next span when they are free, the head
    takes the parts in order."""
    free = [costs.start] * workers
    heapify(free)
    head = 0.0
    for first, end in plan_spans(frames, step, workers):
        length = (frames if end is None else end) - first
        done = free[0] + costs.span + length * costs.worker
        heapreplace(free, done)
        head = max(head, done) + length * costs.head
    return head


def scaling(workers: int, frames: int) -> None:
    """A whole `vidseg detect`, on a predictor that sleeps."""
    with tempfile.TemporaryDirectory() as folder:
        clip = write_scene(Path(folder) / "long.mp4", frames=frames)
        model = Path(folder) / "sleeper.py"
        model.write_text(SLEEPER)
        words = ["--model", f"{model}:Sleeper", "--workers", str(workers)]
        began = time.monotonic()
        command = [sys.executable, "-m", "vidseg", "detect", *words, str(clip)]
        subprocess.run([*command, f"{folder}/out.vidseg"], check=True)
        seconds = time.monotonic() - began
    linear = frames / workers
    told = {"workers": workers, "frames": frames, "seconds": round(seconds, 1), "linear": linear}
    told["share_of_linear"] = round(linear / seconds, 3)
    told["simulated_without_start"] = round(simulated(frames, workers, 4, Costs(0, 1, 0, 0)), 1)
    print(json.dumps(told))


def cost(video: Path) -> None:
    """Processor seconds of one run without tracking, and of the spans of 2 workers."""
    from vidseg import Search, detect_part, detect_to_file, probe

    search, frames = Search(model="balloon", keep_score=0.05), probe(video).frames
    search.predictor()
    untracked = Search(model="balloon", keep_score=0.05, track=False)
    untracked._predictor = search._predictor
    assert frames is not None
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(3):
            began = time.process_time()
            detect_to_file(video, Path(folder) / f"{turn}.vidseg", search=untracked)
            whole = time.process_time() - began
            spans = plan_spans(frames, 8, 2)
            began = time.process_time()
            for span in spans:
                detect_part(video, Path(folder) / f"parts{turn}", span, search=search)
            parts = time.process_time() - began
            print(f"{frames} frames: one run {whole:.2f} s, {len(spans)} spans {parts:.2f} s")


def eight(video: Path) -> None:
    """Processor seconds of eight inputs in one process, and by two workers."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = folder / "counting.py"
        model.write_text(COUNTING)
        clips = [Path(shutil.copy(video, folder / f"{n}{video.suffix}")) for n in range(8)]
        for words in ([], ["--workers", "2"]):
            target = folder / f"by{len(words)}"
            command = ["-m", "vidseg", "detect", "--model", f"{model}:Counting", *words]
            began = time.monotonic()
            subprocess.run([sys.executable, *command, *map(str, clips), f"{target}/"], check=True)
            wall = time.monotonic() - began
            seconds = [float(path.read_text()) for path in folder.glob("*.seconds")]
            for path in folder.glob("*.seconds"):
                path.unlink()
            told = {"words": words, "wall": round(wall, 1)}
            print(json.dumps(told | {"processor": [round(each, 1) for each in seconds]}))


def simulate() -> None:
    """An hour of 720p at 24 frames a second; costs are those measured, see README.md."""
    frames, counts = 86_400, (1, 2, 4, 8, 16, 32, 64)
    print("network ms, head ms:", *counts)
    for network, head in TABLE:
        costs = Costs(10, network + OWN, SPAN, head)
        alone = frames * max(network, head)
        gains = [alone / simulated(frames, n, 80, costs) for n in counts]
        print(f"{1000 * network:.0f} {1000 * head:.1f}:", *(f"{gain:.1f}" for gain in gains))


OWN, SPAN = 0.004, 0.5
TABLE: Sequence[tuple[float, float]] = [
    (network, head) for network in (0.074, 2.2, 0.010) for head in (0.0015, 0.012)
]


if __name__ == "__main__":
    what, *rest = sys.argv[1:] or ["simulate"]
    if what == "scaling":
        scaling(int(rest[0]), int(rest[1]))
    elif what == "simulate":
        simulate()
    else:
        {"cost": cost, "eight": eight}[what](Path(rest[0]))
