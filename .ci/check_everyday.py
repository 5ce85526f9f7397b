"""Check what was found in everyday.mp4 against the truth: classes, masks, and a whole overlay.

python .ci/check_everyday.py SOURCE OVERLAY DETECTIONS
"""

import sys
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))

from make_everyday import ACTORS, FRAMES, truth

from vidseg import Instances, read_detections

EVERY = 8
"""Every so many frames are judged."""
MIN_PIXELS = 1500
"""Of what can be seen of an object that has to be found; less is half hidden, or leaves."""
EXPECTED_FOUND = 0.75
"""Share of such objects that are found, in their class, with an IoU above `MIN_IOU`."""
MIN_IOU = 0.5
EXPECTED_IOU = 0.75
"""Mean over those that are found."""
MIN_SCORE = 0.35


def times(path: str) -> list[float]:
    with av.open(path) as container:
        return [frame.time for frame in container.decode(video=0)]


def best_iou(mask: NDArray[np.bool_], label: str, found: Instances) -> float:
    named = [found.names[int(number)] == label for number in found.labels]
    chosen = found[np.array(named, bool) & (found.scores >= MIN_SCORE)]
    masks = chosen.full_masks()
    ious = [(mask & other).sum() / (mask | other).sum() for other in masks]
    return float(max(ious, default=0.0))


def main(source: str, overlay: str, detections: str) -> None:
    assert times(source) == times(overlay), "the overlay has other frames than its source"
    ious = []
    for index, (_, found) in enumerate(read_detections(detections)):
        assert index < FRAMES
        if index % EVERY == 0:
            for actor, mask in zip(ACTORS, truth(index), strict=True):
                if mask.sum() >= MIN_PIXELS:
                    ious.append((actor.name, best_iou(mask, actor.label, found)))
    values = np.array([iou for _, iou in ious])
    hits = values > MIN_IOU
    share, mean = hits.mean(), values[hits].mean()
    by_actor = {
        actor.name: f"{np.mean([iou > MIN_IOU for name, iou in ious if name == actor.name]):.2f}"
        for actor in ACTORS
    }
    print(f"found {share:.2f} of {len(values)} objects {by_actor}; mean IoU {mean:.3f}")
    assert share >= EXPECTED_FOUND, f"{share:.2f} found, below {EXPECTED_FOUND}"
    assert mean >= EXPECTED_IOU, f"a mean IoU of {mean:.3f}, below {EXPECTED_IOU}"


if __name__ == "__main__":
    main(*sys.argv[1:])
