"""Two ways to make one video, each run in a process of its own, in turns.

Turns make the ratio bear a machine that is busy with other things: both ways meet the same load.
The clock runs inside the process, after its imports. Memory is the resident set of the process
and all its children together, sampled every 20 ms through /proc; null where there is none.
"""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import av
import numpy as np
from imageio_ffmpeg import get_ffmpeg_exe
from numpy.typing import NDArray

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "balloons.mp4"

Way = Callable[[Path, Path], None]
"""Reads the first file and writes the second."""


@dataclass(frozen=True)
class Run:
    """What one way took."""

    seconds: float
    cpu_seconds: float
    """Of the process and its children."""
    stolen_seconds: float
    """Of all cores together: what the host gave to other machines although there was work here."""
    peak_bytes: int | None


def work(way: Way, source: Path, target: Path) -> None:
    """In the process of one way: do it, and print what it took."""
    stolen, before, start = stolen_seconds(), os.times(), time.perf_counter()
    way(source, target)
    seconds, after = time.perf_counter() - start, os.times()
    cpu, stolen = sum(after[:4]) - sum(before[:4]), stolen_seconds() - stolen
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu, "stolen_seconds": stolen}))


def run(
    module: str,
    way: str,
    source: Path,
    target: Path,
    *options: str,
    environment: Mapping[str, str] | None = None,
) -> Run:
    """One way in a new process: ``python -m MODULE --way WAY SOURCE TARGET OPTIONS``.

    `environment` is added to that of this process, which goes before.
    """
    command = [sys.executable, "-m", module, "--way", way, str(source), str(target), *options]
    variables = {**(environment or {}), **os.environ}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=variables)
    peak: int | None = None
    while process.poll() is None:
        peak = max(peak or 0, tree_bytes(process.pid)) or None
        time.sleep(0.02)
    if process.returncode or process.stdout is None:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}.")
    with process.stdout as output:
        return Run(**json.loads(output.read().splitlines()[-1]), peak_bytes=peak)


def stolen_seconds() -> float:
    """Since the machine began; 0 where it cannot be known."""
    try:
        total = Path("/proc/stat").read_text().splitlines()[0].split()
        return int(total[8]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return 0


def tree_bytes(pid: int) -> int:
    """Resident memory of a process and of all that it started; 0 where it is gone."""
    folder = Path(f"/proc/{pid}")
    try:
        pages = int((folder / "statm").read_text().split()[1])
        lists = [path.read_text() for path in folder.glob("task/*/children")]
    except OSError:
        return 0
    children = (int(child) for text in lists for child in text.split())
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(map(tree_bytes, children))


def duel(ways: Mapping[str, Callable[[], Run]], rounds: int) -> dict[str, object]:
    """The plain way (first) against ours (second): medians of each, and of the rounds' ratios."""
    plain, ours = ways
    runs: dict[str, list[Run]] = {plain: [], ours: []}
    for turn in range(rounds):
        for name in (plain, ours) if turn % 2 == 0 else (ours, plain):
            runs[name].append(ways[name]())
    pairs = list(zip(runs[plain], runs[ours], strict=True))
    return {
        "ways": {name: summary(done) for name, done in runs.items()},
        "speed": round(median(a.seconds / b.seconds for a, b in pairs), 3),
        "speeds": [round(a.seconds / b.seconds, 3) for a, b in pairs],
        "cpu": round(median(b.cpu_seconds / a.cpu_seconds for a, b in pairs), 3),
    }


def summary(runs: Iterable[Run]) -> dict[str, float | None]:
    done = list(runs)
    peaks = [run.peak_bytes for run in done if run.peak_bytes]
    return {
        "seconds": round(median(run.seconds for run in done), 3),
        "cpu_seconds": round(median(run.cpu_seconds for run in done), 3),
        "peak_megabytes": round(max(peaks) / 1e6, 1) if peaks else None,
    }


def print_table(results: Iterable[Mapping[str, Any]]) -> None:
    """A line for each way at each height, to stderr."""
    line = "{:>6} {:>10} {:>8} {:>8} {:>8} {:>8}"
    print(line.format("height", "way", "fps", "CPU s", "peak MB", "speed"), file=sys.stderr)
    for result in results:
        for way, took in result["ways"].items():
            fps = f"{result['frames'] / took['seconds']:.1f}"
            speed = result["speed"] if way == "vidseg" else 1
            cells = result["height"], way, fps, took["cpu_seconds"], took["peak_megabytes"], speed
            print(line.format(*map(str, cells)), file=sys.stderr)


def machine() -> dict[str, object]:
    """What the figures hold for."""
    packages = ("av", "imageio-ffmpeg", "moviepy", "torch", "torchvision")
    return {
        "machine": platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "load": round(os.getloadavg()[0], 2),
        **{name: version(name) for name in packages},
    }


def make_clip(path: Path, height: int, frames: int) -> Path:
    """The example video in a loop, without sound, scaled to `height` rows."""
    command = [get_ffmpeg_exe(), "-nostdin", "-v", "error", "-stream_loop", "-1", "-i", EXAMPLE]
    command += ["-an", "-frames:v", f"{frames}", "-vf", f"scale=-2:{height}", "-c:v", "libx264"]
    subprocess.run([*command, "-preset", "veryfast", "-crf", "18", path], check=True)
    return path


def pictures(path: Path) -> NDArray[np.uint8]:
    """Every tenth frame in RGB, as the file's colour tags say, (N, H, W, 3)."""
    with av.open(path) as container:
        frames = enumerate(container.decode(video=0))
        kept = [frame.to_ndarray(format="rgb24") for i, frame in frames if i % 10 == 0]
        return np.array(kept, np.uint8)


def count_frames(path: Path) -> int:
    with av.open(path) as container:
        return sum(1 for packet in container.demux(video=0) if packet.size)


def psnr(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    error = np.mean((a.astype(np.float32) - b) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-6)))
