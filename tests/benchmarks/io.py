"""How fast vidseg reads and writes a video, beside a raw pipe from ffmpeg to ffmpeg.

    python -m tests.benchmarks.io [--height 720 1080] [--frames 360] [--rounds 5]

Both decode to RGB in Python and encode again: H.264, veryfast, crf 18, yuv420p, faststart. vidseg
runs its whole pipeline, with a predictor that finds nothing and an effect that draws nothing.
Before the clock runs, both outputs must hold every frame in the source's colours. On stdout comes
JSON, on stderr a table. `speed` is how many times as fast as the pipe vidseg is, by the wall's
clock, and `cpu` how many times the pipe's processor time it takes: medians over the rounds.
"""

import argparse
import json
import subprocess
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from imageio_ffmpeg import get_ffmpeg_exe

from tests.benchmarks.duel import (
    count_frames,
    duel,
    machine,
    make_clip,
    pictures,
    print_table,
    psnr,
    run,
    work,
)
from vidseg.pipeline.outputs import VideoOutput
from vidseg.pipeline.run import run as pass_over
from vidseg.pipeline.run_options import RunOptions
from vidseg.pipeline.search import Search
from vidseg.structures.frame import Image
from vidseg.structures.instances import Instances
from vidseg.video.probe import probe

MODULE = "tests.benchmarks.io"
LEAST_PSNR = 36
"""Decibels in RGB; a wrong matrix or range falls far below."""


BT709 = [
    *("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"),
    *("-color_range", "tv"),
]
"""Tags of the example video; an ffmpeg that reads raw RGB does not know them."""


class NothingFound:
    """A predictor for the cost of everything but prediction."""

    classes: Mapping[int, str] = {}
    batch_size = 1

    def predict(self, images: Sequence[Image]) -> list[Instances]:
        return [Instances.empty((image.shape[0], image.shape[1])) for image in images]


def vidseg_way(source: Path, target: Path) -> None:
    search = Search(model=NothingFound())
    pass_over(
        source,
        [VideoOutput(target, lambda image, found: image)],
        search=search,
        options=RunOptions(force=True),
    )


def pipe_way(source: Path, target: Path) -> None:
    """One ffmpeg's RGB, read into one buffer, written to another ffmpeg."""
    info = probe(source)
    height, width = info.size
    quiet = [get_ffmpeg_exe(), "-nostdin", "-v", "error", "-y"]
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24"]
    given = [*raw, "-video_size", f"{width}x{height}", "-framerate", f"{info.rate}", "-i", "pipe:0"]
    coded = ["-vf", "scale=out_color_matrix=bt709:out_range=tv", *BT709, "-pix_fmt", "yuv420p"]
    coded += ["-c:v", "libx264", "-preset", "veryfast", "-crf", "18", "-movflags", "+faststart"]
    read = [*quiet, "-i", source, "-fps_mode", "passthrough", *raw, "pipe:1"]
    frame = bytearray(height * width * 3)
    with (
        subprocess.Popen(read, stdout=subprocess.PIPE, bufsize=0) as decoder,
        subprocess.Popen([*quiet, *given, *coded, target], stdin=subprocess.PIPE) as encoder,
    ):
        assert decoder.stdout is not None
        assert encoder.stdin is not None
        while fill(decoder.stdout, frame):
            encoder.stdin.write(frame)
        encoder.stdin.close()
    if decoder.returncode or encoder.returncode:
        raise SystemExit(f"ffmpeg ended with {decoder.returncode} and {encoder.returncode}.")


def fill(stream: object, frame: bytearray) -> bool:
    """Read one whole frame; False at the end."""
    view = memoryview(frame)
    while view:
        count = stream.readinto(view)  # pyright: ignore[reportAttributeAccessIssue]
        if not count:
            return False
        view = view[count:]
    return True


WAYS = {"pipe": pipe_way, "vidseg": vidseg_way}


def verify(source: Path, target: Path) -> float:
    """The lowest PSNR of a frame; ends the benchmark if a frame is missing or looks otherwise."""
    given, written = count_frames(source), count_frames(target)
    if given != written:
        raise SystemExit(f"{target.name} has {written} frames, its source {given}.")
    pairs = zip(pictures(source), pictures(target), strict=True)
    lowest = min(psnr(before, after) for before, after in pairs)
    if lowest < LEAST_PSNR:
        raise SystemExit(f"{target.name} is {lowest:.1f} dB from its source.")
    return round(lowest, 2)


def measure(folder: Path, height: int, frames: int, rounds: int) -> dict[str, object]:
    source = make_clip(folder / f"{height}p.mp4", height, frames)
    targets = {way: folder / f"{height}p_{way}.mp4" for way in WAYS}
    runs = {way: partial(run, MODULE, way, source, target) for way, target in targets.items()}
    for once in runs.values():
        once()
    return {
        "height": height,
        "frames": frames,
        "lowest_psnr": {way: verify(source, target) for way, target in targets.items()},
        "megabytes": {way: target.stat().st_size / 1e6 for way, target in targets.items()},
        **duel(runs, rounds),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--height", type=int, nargs="+", default=[720, 1080])
    parser.add_argument("--frames", type=int, default=360)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("files", type=Path, nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        work(WAYS[options.way], *options.files)
        return
    with TemporaryDirectory() as folder:
        results = [
            measure(Path(folder), height, options.frames, options.rounds)
            for height in options.height
        ]
    print(json.dumps({**machine(), "results": results}, indent=2))
    print_table(results)


if __name__ == "__main__":
    main()
