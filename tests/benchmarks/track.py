"""Tracking beside ByteTrack: the same faulty detections of the synthetic scenes to each.

    python -m tests.benchmarks.track [--seeds 3]

Each on the scenes that the tracker was tuned on, and on others of other kinds
(`tests.support.held_out_scenes`).
Prints HOTA, id switches and ids for every tracker that is installed (`pip install trackers`,
`pip install "supervision<0.28"`; neither is needed otherwise), then the time a frame for 100
objects at 1080p on one core: OMP_NUM_THREADS=1 taskset -c 0 python -m tests.benchmarks.track
"""

import argparse
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from tests.support.held_out_scenes import held_out
from tests.support.simulated_tracks import (
    ALL_FAULTS,
    RATE,
    SCENES,
    SOME_FAULTS,
    Faults,
    Scene,
    bounce,
    with_faults,
)
from tests.support.track_scores import Scores, scores
from tests.support.track_stages import displayed, tracked
from vidseg.structures.frame import Frame
from vidseg.structures.instances import MASK_SIDE, UNTRACKED, Instances
from vidseg.tracking.mask_tracker import MaskTracker
from vidseg.tracking.stages import drop_untracked, fill_gaps, smooth

HEAD = f"{'':36} {'HOTA':>6} {'DetA':>6} {'AssA':>6} {'IDF1':>6} {'switches':>8} {'ids':>5}"

Pairs = Iterable[tuple[Frame, Instances]]
Way = Callable[[Pairs], Iterator[tuple[Frame, Instances]]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    seeds = range(parser.parse_args().seeds)
    tuned = [make() for make in SCENES]
    for kind, scenes in (("tuned on", tuned), ("held out", held_out(71) + held_out(72))):
        for title, faults in (
            ("10 % missed, 2 pixels jitter", SOME_FAULTS),
            ("all faults", ALL_FAULTS),
        ):
            print(f"\n{kind}, {title}: {faults}")
            print(HEAD)
            rows = compared(ways(), scenes, faults, seeds)
            for name, found in rows.items():
                print(f"{name:36} {summary(found)}", flush=True)
    print()
    timed()


def ways() -> dict[str, Callable[[], Way]]:
    """Name to a maker of a fresh tracker for one video."""
    ours: dict[str, Callable[[], Way]] = {
        "vidseg, tracker alone": lambda: tracked,
        "vidseg, all stages": lambda: displayed,
    }
    return ours | _trackers() | _supervision()


def compared(
    makers: dict[str, Callable[[], Way]],
    scenes: Iterable[Scene],
    faults: Faults,
    seeds: Iterable[int],
) -> dict[str, list[Scores]]:
    """Scores of each way over all scenes and seeds; detections are drawn once for all."""
    found: dict[str, list[Scores]] = {name: [] for name in makers}
    for scene in scenes:
        truth = [scene.truth(index) for index in range(scene.frames)]
        frames = [scene.frame(index) for index in range(scene.frames)]
        for seed in seeds:
            random = np.random.default_rng(seed)
            pairs = [
                (f, with_faults(t, faults, random)) for f, t in zip(frames, truth, strict=True)
            ]
            for name, make in makers.items():
                found[name].append(scores(truth, [out for _, out in make()(pairs)]))
    return found


def summary(found: list[Scores]) -> str:
    mean = [float(np.mean(column)) for column in zip(*found, strict=True)][:4]
    switches, ids = sum(one.switches for one in found), sum(one.ids for one in found)
    return " ".join(f"{value:6.3f}" for value in mean) + f" {switches:8d} {ids:5d}"


def _trackers() -> dict[str, Callable[[], Way]]:
    try:
        from trackers import ByteTrackTracker  # pyright: ignore[reportMissingImports]
    except ImportError:
        return {}
    eager = {"track_activation_threshold": 0.5, "high_conf_det_threshold": 0.5}
    return {
        "trackers ByteTrack": lambda: _by(ByteTrackTracker()),
        "trackers ByteTrack, from score 0.5": lambda: _by(
            ByteTrackTracker(**eager, minimum_consecutive_frames=1)
        ),
    }


def _supervision() -> dict[str, Callable[[], Way]]:
    try:
        from supervision import ByteTrack  # pyright: ignore
    except ImportError:
        return {}
    return {
        "supervision ByteTrack": lambda: _by(ByteTrack(), "update_with_detections"),
        "supervision ByteTrack, from score 0.5": lambda: _by(
            ByteTrack(track_activation_threshold=0.5), "update_with_detections"
        ),
    }


def _by(tracker: Any, method: str = "update") -> Way:
    return partial(_stage, getattr(tracker, method))


def _stage(update: Callable[[Any], Any], pairs: Pairs) -> Iterator[tuple[Frame, Instances]]:
    """Their tracker on boxes; the masks go along by row number. Ids below 1 are no tracks."""
    from supervision import Detections  # pyright: ignore[reportMissingImports]

    for frame, instances in pairs:
        given = Detections(
            xyxy=instances.boxes.astype(np.float64),
            confidence=instances.scores.astype(np.float64),
            class_id=instances.labels.astype(int),
            data={"row": np.arange(len(instances))},
        )
        found = update(given)
        ids = np.array([] if found.tracker_id is None else found.tracker_id, np.int64)
        rows = np.array(found.data.get("row", []), np.intp)[: len(ids)]
        keep = ids >= (1 if _counts_from_one(update) else 0)
        yield frame, replace(instances[rows[keep]], ids=ids[keep])


def _counts_from_one(update: Callable[[Any], Any]) -> bool:
    return update.__name__ == "update_with_detections"


def timed(objects: int = 100, frames: int = 60, size: tuple[int, int] = (1080, 1920)) -> None:
    """Processor time of each stage on many objects, missed and weak now and then."""
    pairs = list(_many(objects, frames, size))
    tracker, spent = MaskTracker(), []
    named = []
    for frame, instances in pairs:
        start = time.process_time()
        named.append((frame, tracker.update(frame, instances)))
        spent.append(time.process_time() - start)
    named = list(drop_untracked(named))
    assert np.mean([len(out) for _, out in named]) > 0.85 * objects
    print(f"{objects} objects at {size[1]}x{size[0]}, median of a frame on this core")
    print(f"track  {np.median(spent) * 1e3:6.2f} ms")
    for name, stage in (
        ("fill", partial(fill_gaps, longest=5)),
        ("smooth", partial(smooth, radius=2)),
    ):
        start = time.process_time()
        count = sum(1 for _ in stage(named))
        print(f"{name:6} {(time.process_time() - start) / count * 1e3:6.2f} ms")


def _many(objects: int, frames: int, size: tuple[int, int]) -> Iterator[tuple[Frame, Instances]]:
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (*size, 3), np.uint8)
    paths = [
        bounce(x * size[1], y * size[0], *random.normal(0, 4, 2), side=side, size=size)
        for x, y, side in zip(
            *random.random((2, objects)), random.uniform(40, 160, objects), strict=True
        )
    ]
    cells = (np.arange(MASK_SIDE) + 0.5) * 2 / MASK_SIDE - 1
    disc = (np.hypot(cells[:, None], cells) <= 1).astype(np.uint8) * 255
    for index in range(frames):
        places = np.array([path(index) for path in paths])
        corners = np.concatenate(
            [places[:, :2] - places[:, 2:] / 2, places[:, :2] + places[:, 2:] / 2], 1
        )
        boxes = corners + random.normal(0, 1.5, corners.shape)
        scores = np.where(random.random(objects) < 0.1, 0.3, random.uniform(0.55, 1, objects))
        height, width = size
        instances = Instances(
            boxes=boxes.clip(0, (width, height, width, height)).astype(np.float32),
            masks=np.repeat(disc[None], objects, axis=0),
            scores=scores.astype(np.float32),
            labels=np.ones(objects, np.int64),
            ids=np.full(objects, UNTRACKED, np.int64),
            size=size,
        )
        yield Frame(index, index / RATE, image, 1 / RATE), instances[random.random(objects) > 0.1]


if __name__ == "__main__":
    main()
