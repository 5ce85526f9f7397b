"""A video of simulated tracks with a file of detections, as `vidseg detect` would have saved it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from tests.support.simulated_tracks import BLUE, GREEN, RATE, RED, Actor, Scene, during, line
from vidseg.models.catalog import ModelChoice
from vidseg.results.replay import header_for
from vidseg.results.vidseg_writer import DetectionWriter
from vidseg.structures.frame import Image, Instant, Moment
from vidseg.structures.instances import Instances
from vidseg.tracking.stages import DEFAULT_FILL_FRAMES, TRACKING_RULES_VERSION
from vidseg.video.probe import probe

NAMES = {1: "car", 2: "person", 3: "dog"}
MISSED = range(20, 24)
"""Frames in which track 1 of `with_doubts` is away."""
WEAK = range(30, 40)
"""Frames in which its track 2 has a score of 0.2."""


def save_lanes(folder: Path, *, frames: int = 60) -> tuple[Path, Path]:
    """Video and detections of three objects in lanes: true tracks `with_doubts`."""
    lanes = (
        Actor(line(60, 70, 3, 0, 80, 80), RED, "box"),
        Actor(line(560, 180, -4, 0, 70, 70), BLUE, label=2),
        Actor(during(10, 50, line(100, 300, 4, 0, 60, 60)), GREEN, "star"),
    )
    scene = Scene("lanes", lanes, frames)
    video = write_video(folder / "in.mp4", (scene.frame(n).image for n in range(frames)))
    return video, save_detections(folder / "in.vidseg", video, with_doubts(scene))


def with_doubts(scene: Scene) -> Iterator[tuple[Moment, Instances]]:
    """The true tracks, with scores around 0.9; track 1 flickers, track 2 is weak for a while."""
    random = np.random.default_rng(8)
    for index in range(scene.frames):
        truth = scene.truth(index)
        scores = random.uniform(0.85, 0.95, len(truth)).astype(np.float32)
        if index in WEAK:
            scores[truth.ids == 2] = 0.2
        found = replace(truth, scores=scores)
        kept = found.ids != 1 if index in MISSED else np.ones(len(found), np.bool_)
        yield Moment(index, index / RATE, 1 / RATE), found[kept]


def many_tracks(*, frames: int, tracks: int) -> Iterator[tuple[Moment, Instances]]:
    """Squares in ten rows of 360 x 640 pixels, each in view for a tenth of the video."""
    length = frames / 10
    first = np.linspace(0, frames - length, tracks)
    for index in range(frames):
        rows = np.flatnonzero((first <= index) & (index < first + length))
        since, ids = index - first[rows], rows + 1
        left, top = 10 + since * (500 / length), ids % 10 * 30
        found = Instances(
            np.stack([left, top, left + 28, top + 28], axis=1).astype(np.float32),
            np.full((len(rows), 28, 28), 255, np.uint8),
            (0.7 + 0.2 * np.sin(since / 9 + ids)).astype(np.float32),
            (1 + ids % 3).astype(np.int64),
            ids.astype(np.int64),
            (360, 640),
        )
        yield Moment(index, Fraction(index, 25), Fraction(1, 25)), found


def write_video(path: Path, images: Iterable[Image], *, rate: Fraction = RATE) -> Path:
    with av.open(str(path), "w") as container:
        stream: Any = None
        for image in images:
            if stream is None:
                stream = container.add_stream("libx264", rate=rate)
                stream.height, stream.width = image.shape[:2]
                stream.options = {"preset": "ultrafast", "crf": "24"}
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        container.mux(stream.encode())
    return path


def save_detections(
    path: Path,
    video: Path,
    pairs: Iterable[tuple[Instant, Instances]],
    names: Mapping[int, str] = NAMES,
) -> Path:
    """Tracked objects of a video, saved as those of a run with the usual options."""
    tracking = {"score": 0.5, "fill": DEFAULT_FILL_FRAMES, "rules": TRACKING_RULES_VERSION}
    choice = ModelChoice("simulated", None, dict(names))
    header = header_for(probe(video), choice, 0.05, {"every": 1, "tracking": tracking})
    with DetectionWriter(path, header) as writer:
        for moment, instances in pairs:
            writer.write(moment, instances)
    return path
