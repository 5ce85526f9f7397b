"""Check a splash of balloons.mp4 against the truth: same frames, colour inside, grey outside.

python .ci/check_splash.py SOURCE SPLASH
"""

import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))

from make_balloons import truth

COLOURFUL = 48
"""Spread of the channels from which on a pixel's colour is judged; compression adds some 10."""
EXPECTED_IOU = 0.8


def frames(path: str) -> Iterator[tuple[Fraction, NDArray[np.int16]]]:
    with av.open(path) as container:
        for frame in container.decode(video=0):
            image = frame.to_ndarray(format="rgb24").astype(np.int16)
            yield Fraction(frame.pts or 0) * (frame.time_base or 1), image


def spread(image: NDArray[np.int16]) -> NDArray[np.int16]:
    """(H, W): 0 for grey, 255 for the purest colour."""
    return image.max(-1) - image.min(-1)


def main(source: str, splash: str) -> None:
    shared = total = colour = count = 0
    for (when, before), (shown, after) in zip(frames(source), frames(splash), strict=True):
        assert when == shown, f"frame {count} is shown at {shown} s instead of {when} s"
        judged = spread(before) >= COLOURFUL
        kept = (spread(after) > spread(before) / 2) & judged
        true = truth(count).any(0) & judged
        shared, total = shared + (kept & true).sum(), total + (kept | true).sum()
        colour += kept.sum()
        count += 1
    iou = shared / total
    print(
        f"{count} frames at their times; {colour} pixels kept colour, IoU with the truth {iou:.3f}"
    )
    assert iou >= EXPECTED_IOU, f"the IoU of {iou:.3f} is below {EXPECTED_IOU}"


if __name__ == "__main__":
    main(*sys.argv[1:])
