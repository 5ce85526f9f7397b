"""Random instances, for properties that hold for all of them."""

import numpy as np
from hypothesis import strategies as st

from vidseg.structures.instances import UNTRACKED, Instances


def blobs(
    count: int,
    size: tuple[int, int],
    *,
    seed: int = 0,
    share: float = 0.02,
    side: int = 28,
    classes: int = 4,
) -> Instances:
    """Smooth round blobs in boxes of about `share` of the frame each, clipped at its edges."""
    rng = np.random.default_rng(seed)
    height, width = size
    half = np.sqrt(share * height * width) / 2 * rng.uniform(0.5, 1.5, (count, 2))
    centre = rng.uniform((0, 0), (width, height), (count, 2))
    boxes = np.hstack([centre - half, centre + half]).clip(0, [width, height, width, height])
    y, x = (np.mgrid[:side, :side] + 0.5) / side * 2 - 1
    radius = rng.uniform(0.7, 1.0, (count, 1, 1))
    masks = np.clip((radius - np.hypot(x, y)) * side / 4 + 0.5, 0, 1)
    return Instances(
        boxes=boxes.astype(np.float32),
        masks=np.round(masks * 255).astype(np.uint8),
        scores=rng.uniform(0.1, 1, count).astype(np.float32),
        labels=rng.integers(1, classes + 1, count),
        ids=np.full(count, UNTRACKED, np.int64),
        size=size,
    )


@st.composite
def any_instances(draw: st.DrawFn, size: tuple[int, int] | None = None) -> Instances:
    """Up to 5 objects with boxes of every kind, also empty, tiny and frame-filling ones."""
    if size is None:
        size = draw(st.tuples(st.integers(1, 30), st.integers(1, 30)))
    height, width = size
    count, side = draw(st.integers(0, 5)), draw(st.sampled_from([1, 2, 7]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    corners = rng.uniform(-0.3, 1.3, (count, 2, 2)) * (width, height)
    if draw(st.booleans()):
        corners = np.round(corners * 2) / 2
    corners = np.sort(corners.clip(0, (width, height)), axis=1)
    return Instances(
        boxes=corners.reshape(count, 4).astype(np.float32),
        masks=rng.integers(0, 256, (count, side, side), dtype=np.uint8),
        scores=rng.choice(np.array([0.2, 0.5, 0.5, 0.9], np.float32), count),
        labels=rng.integers(1, 4, count),
        ids=np.full(count, UNTRACKED, np.int64),
        size=size,
    )
