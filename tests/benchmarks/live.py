"""How far behind its source `vidseg live` shows a stream, and whether its memory grows.

    python -m tests.benchmarks.live lag examples/balloons.mp4 --class balloon
    python -m tests.benchmarks.live lag examples/balloons.mp4 --model everyday
    python -m tests.benchmarks.live hour [--frames 108000]

`lag` streams a video over HTTP at its own rate, with the number of each frame as a barcode on top,
to `vidseg live --port`, and reads the page as a browser does. The lag of a picture is the time from
sending its frame to having received the picture. `hour` plays an hour of tiny frames, 30 a second,
as fast as they are drawn, and reads the memory of the process ten times on the way; with fewer
frames the hour has larger steps.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from threading import Event

import av
import cv2
import numpy as np

from tests.support.doubles import OraclePredictor
from tests.support.live_servers import StreamServer
from tests.support.scenes import read_barcode, scene_image
from vidseg.effects import Overlay
from vidseg.pipeline.live import live
from vidseg.pipeline.search import Search
from vidseg.structures.frame import Frame, Image
from vidseg.video.decoding.reader import read_frames
from vidseg.video.live.output import Show
from vidseg.video.probe import probe

STRIP_SHARE = 6
"""The barcode takes the upper sixth of a picture."""


def coded_stream(path: Path, frames: int, rate: int) -> list[bytes]:
    """The video's pictures, over and over, as MPEG-TS with barcodes; the bytes of each apart."""
    pictures = [frame.image for frame in read_frames(probe(path))]
    parts, buffer = [], BytesIO()
    with av.open(buffer, "w", format="mpegts", container_options={"flush_packets": "1"}) as target:
        options = {"tune": "zerolatency", "preset": "ultrafast", "g": str(rate)}
        stream = target.add_stream("libx264", rate=rate, options=options)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for index in range(frames):
            picture = _coded(pictures[index % len(pictures)], index)
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = index, Fraction(1, rate)
            target.mux(stream.encode(frame))
            parts.append(buffer.getvalue())
            buffer.seek(0)
            buffer.truncate()
        target.mux(stream.encode())
    return parts


def _coded(picture: Image, index: int) -> Image:
    size = picture.shape[0], picture.shape[1]
    coded, strip = picture.copy(), size[0] // STRIP_SHARE
    coded[:strip] = scene_image(index, size)[:strip]
    return coded


def measure_lag(path: Path, options: list[str], *, seconds: int, rate: int) -> dict[str, object]:
    """Lags of the pictures that a viewer of the page receives, without those of the first second,
    in which the viewer connects."""
    parts = coded_stream(path, seconds * rate, rate)
    with StreamServer([parts], pause=1 / rate) as server:
        words = ["vidseg", "live", server.url, "--port", "0", "--retries", "0", *options]
        program = subprocess.Popen(
            [sys.executable, "-m", *words], stderr=subprocess.PIPE, text=True
        )
        assert program.stderr is not None
        line = ""
        while "The picture is at" not in line:
            line = program.stderr.readline()
            assert line, "vidseg live ended before its page was open"
        lags = dict(_lags(line.split()[-1], server.sent_at))
        said = program.stderr.read().strip().splitlines()
        program.wait()
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    late = [lag for index, lag in lags.items() if index >= min(lags) + rate]
    return {
        "pictures": len(late),
        "lag": {
            f"p{share}": round(float(np.percentile(late, share)), 3) for share in (50, 95, 100)
        },
        "said": said[-1],
        "processor_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "load": os.getloadavg()[0],
    }


def _lags(url: str, sent_at: list[float]) -> Iterator[tuple[int, float]]:
    with urllib.request.urlopen(f"{url}stream.mjpg") as stream:
        while line := stream.readline():
            if not line.lower().startswith(b"content-length:"):
                continue
            stream.readline()
            data = stream.read(int(line.split(b":")[1]))
            now = time.monotonic()
            picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
            assert picture is not None
            index = read_barcode(picture.astype(np.uint8))
            yield index, now - sent_at[index]


class TinyHour:
    """An hour of tiny frames, each once the one before was taken."""

    reconnects = 0

    def __init__(self, model: OraclePredictor, count: int) -> None:
        self._model, self._count = model, count
        self._pictures = [scene_image(index, (32, 48)) for index in range(600)]

    def frames(self, stop: Event) -> Iterator[Frame]:
        for index in range(self._count):
            at = Fraction(3600 * index, self._count)
            yield Frame(index, at, self._pictures[index % len(self._pictures)])
            while not self._model.seen and not stop.is_set():
                time.sleep(0.0001)
            self._model.seen.clear()
            self._model.batches.clear()


class Meter:
    """Notes the memory of the process ten times in the hour."""

    def __init__(self, count: int) -> None:
        self._step = count // 10
        self.megabytes: list[float] = []

    def check(self) -> None: ...

    @contextmanager
    def open(self, stop: Event) -> Iterator[Show]:
        pages = os.sysconf("SC_PAGE_SIZE") / 1e6

        def show(frame: Frame) -> None:
            if frame.index % self._step == self._step - 1:
                resident = int(Path("/proc/self/statm").read_text().split()[1])
                self.megabytes.append(round(resident * pages, 1))
                print(float(frame.time), self.megabytes[-1], file=sys.stderr)

        yield show


def measure_hour(count: int) -> dict[str, object]:
    """Resident memory over an hour of a source with so many frames."""
    model, meter = OraclePredictor(), Meter(count)
    search = Search(model=model)
    result = live(TinyHour(model, count), [meter], lambda: Overlay(search.names), search=search)
    return {"frames": result.frames, "dropped": result.dropped, "megabytes": meter.megabytes}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["lag", "hour"])
    parser.add_argument("video", type=Path, nargs="?")
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--rate", type=int, default=30)
    parser.add_argument("--frames", type=int, default=108_000)
    known, options = parser.parse_known_args()
    if known.what == "hour":
        print(json.dumps(measure_hour(known.frames)))
        return
    print(json.dumps(measure_lag(known.video, options, seconds=known.seconds, rate=known.rate)))


if __name__ == "__main__":
    main()
