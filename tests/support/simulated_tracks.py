"""Moving scenes with true track ids, and detections of them with known faults."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from vidseg.structures.frame import Frame, Image
from vidseg.structures.instances import MASK_SIDE, UNTRACKED, Instances
from vidseg.structures.masks import Crop, full_mask

SIZE = (360, 640)
RATE = Fraction(30)
MIN_VISIBLE_SHARE = 0.15
"""An actor is in view while this share of its shape is visible, and 12 pixels."""

Color = tuple[int, int, int]
Place = tuple[float, float, float, float]
Path = Callable[[int], Place | None]
"""Frame index to centre x, centre y, width, height in pixels; None while absent."""

RED, BLUE, GREEN, GOLD = (200, 50, 40), (50, 70, 210), (40, 160, 70), (230, 190, 40)
VIOLET, WHITE, TEAL, BROWN = (140, 60, 180), (225, 225, 220), (30, 150, 160), (120, 80, 50)
COLORS = (RED, BLUE, GREEN, GOLD, VIOLET, WHITE, TEAL, BROWN)


@dataclass(frozen=True)
class Actor:
    """A shape on a path. Actors listed later in a scene stand in front."""

    path: Path
    color: Color = RED
    shape: str = "disc"
    """"disc", "box" or "star"."""
    label: int = 1
    prop: bool = False
    """Whether it only hides others, and is no object itself."""


@dataclass(frozen=True)
class Scene:
    name: str
    actors: tuple[Actor, ...]
    frames: int = 90
    size: tuple[int, int] = SIZE
    shot: int = 1000
    """Frames from one cut to the next."""

    def truth(self, index: int) -> Instances:
        """The visible parts of the objects, with their true ids (place in `actors`, from 1)."""
        found = [
            (number, actor, seen)
            for number, (actor, seen) in enumerate(self._seen(index), 1)
            if seen is not None and not actor.prop
        ]
        return from_masks(
            [seen for _, _, seen in found],
            ids=[number for number, _, _ in found],
            labels=[actor.label for _, actor, _ in found],
            size=self.size,
        )

    def frame(self, index: int) -> Frame:
        image = _ground(self.size, index // self.shot).copy()
        for actor in self.actors:
            rows, cols, mask = _shape(actor, index, self.size)
            image[rows, cols][mask] = actor.color
        return Frame(index, index / RATE, image, 1 / RATE)

    def _seen(self, index: int) -> Iterator[tuple[Actor, Crop | None]]:
        """Each actor with its visible part; None if that is too small."""
        shapes = [_shape(actor, index, self.size) for actor in self.actors]
        top = np.zeros(self.size, np.int16)
        for number, (rows, cols, mask) in enumerate(shapes, 1):
            top[rows, cols][mask] = number
        for number, (actor, (rows, cols, _)) in enumerate(zip(self.actors, shapes, strict=True), 1):
            seen = top[rows, cols] == number
            enough = np.count_nonzero(seen) >= max(
                12, MIN_VISIBLE_SHARE * _whole_area(actor, index)
            )
            yield actor, Crop(rows, cols, seen) if enough else None


@dataclass(frozen=True)
class Faults:
    """Faults of a detector, as shares of the objects unless another unit is given."""

    miss: float = 0.0
    jitter: float = 0.0
    """Standard deviation of every edge, in pixels."""
    weak: float = 0.0
    """Share with scores in 0.15..0.45 instead of 0.6..0.99."""
    false_positives: float = 0.0
    """False positives per frame."""
    merge: float = 0.0
    """Share of pairs of touching objects detected as one."""
    mislabel: float = 0.0


NO_FAULTS = Faults()
SOME_FAULTS = Faults(miss=0.1, jitter=2.0)
ALL_FAULTS = Faults(miss=0.1, jitter=2.0, weak=0.15, false_positives=0.1, merge=0.1, mislabel=0.05)


def with_faults(truth: Instances, faults: Faults, random: np.random.Generator) -> Instances:
    """The truth as a faulty detector finds it: untracked, in random order."""
    found = _merged(truth, faults.merge, random)
    found = found[random.random(len(found)) >= faults.miss]
    found = _joined(found, _false_positives(random.poisson(faults.false_positives), truth, random))
    n = len(found)
    weak = random.random(n) < faults.weak
    scores = np.where(weak, random.uniform(0.15, 0.45, n), random.uniform(0.6, 0.99, n))
    labels = np.where(random.random(n) < faults.mislabel, 3, found.labels)
    boxes = found.boxes + random.normal(0, faults.jitter, (n, 4))
    height, width = truth.size
    boxes = boxes.clip(0, (width, height, width, height))
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2])
    return replace(
        found,
        boxes=boxes.astype(np.float32),
        scores=scores.astype(np.float32),
        labels=labels,
        ids=np.full(n, UNTRACKED, np.int64),
    )[random.permutation(n)]


def faulty_detections(
    scene: Scene, faults: Faults, seed: int = 0
) -> Iterator[tuple[Frame, Instances]]:
    """A scene, frame by frame, as a faulty detector finds it."""
    random = np.random.default_rng(seed)
    for index in range(scene.frames):
        yield scene.frame(index), with_faults(scene.truth(index), faults, random)


def from_masks(
    crops: list[Crop], *, ids: list[int], labels: list[int], size: tuple[int, int]
) -> Instances:
    """Non-empty crops as instances with tight boxes and score 1."""
    n = len(crops)
    boxes, soft = np.zeros((n, 4), np.float32), np.zeros((n, MASK_SIDE, MASK_SIDE), np.uint8)
    for row, (rows, cols, mask) in enumerate(crops):
        y, x = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        part = mask[y[0] : y[-1] + 1, x[0] : x[-1] + 1]
        corner = np.array([cols.start + x[0], rows.start + y[0]])
        boxes[row] = *corner, *(corner + part.shape[::-1])
        down, across = (_shares(MASK_SIDE, length) for length in part.shape)
        soft[row] = (down @ part @ across.T * 255).round()
    return Instances(
        boxes=boxes,
        masks=soft,
        scores=np.ones(n, np.float32),
        labels=np.array(labels, np.int64),
        ids=np.array(ids, np.int64),
        size=size,
    )


def line(x: float, y: float, dx: float, dy: float, width: float, height: float) -> Path:
    """A straight line from (x, y), without end."""
    return lambda index: (x + dx * index, y + dy * index, width, height)


def bounce(
    x: float, y: float, dx: float, dy: float, *, side: float, size: tuple[int, int] = SIZE
) -> Path:
    """A straight line, reflected at the edges of the frame."""

    def fold(value: float, length: float) -> float:
        value = (value - side / 2) % (2 * (length - side))
        return min(value, 2 * (length - side) - value) + side / 2

    return lambda index: (
        fold(x + dx * index, size[1]),
        fold(y + dy * index, size[0]),
        side,
        side,
    )


def during(start: int, end: int, path: Path) -> Path:
    """The path from frame `start` to before `end` only."""
    return lambda index: path(index) if start <= index < end else None


def turning(path: Path, at: int) -> Path:
    """The path, reversed from frame `at` on."""
    return lambda index: path(index if index < at else 2 * at - index)


def crossing() -> Scene:
    return Scene(
        "crossing",
        (
            Actor(line(40, 150, 6.5, 0.3, 80, 100), RED, "box"),
            Actor(line(600, 170, -6.0, -0.2, 90, 90), BLUE, "disc"),
            Actor(line(300, -20, 0.4, 4.2, 80, 80), GREEN, "star", label=2),
        ),
    )


def occlusion() -> Scene:
    return Scene(
        "occlusion",
        (
            Actor(line(30, 120, 6, 0, 70, 90), RED, "star"),
            Actor(line(620, 250, -5, 0, 80, 80), GOLD, "disc"),
            Actor(line(320, 180, 0, 0, 120, 360), BROWN, "box", prop=True),
        ),
        frames=100,
    )


def reentry() -> Scene:
    """One actor leaves to the left and returns; one leaves to the right for good."""
    return Scene(
        "re-entry",
        (
            Actor(turning(line(150, 120, -6, 0, 80, 90), 42), RED, "box"),
            Actor(line(400, 260, 5, 0, 90, 80), BLUE, "disc"),
            Actor(during(60, 100, line(660, 120, -5, 0, 90, 80)), GREEN, "disc"),
        ),
        frames=100,
    )


def fast() -> Scene:
    """Motion of half a box and more per frame."""
    return Scene(
        "fast",
        (
            Actor(bounce(100, 90, 38, 6, side=70), RED, "disc"),
            Actor(bounce(500, 220, -30, 17, side=64), BLUE, "box"),
            Actor(bounce(300, 300, 12, -31, side=60), GOLD, "star", label=2),
        ),
    )


def cuts() -> Scene:
    """A new background with new objects every 30 frames, often at the places of the last ones."""
    actors = [
        Actor(
            during(30 * shot, 30 * shot + 30, line(x - 30 * shot * dx, y, dx, 0, 90, 90)),
            COLORS[(3 * shot + number) % len(COLORS)],
            ("disc", "box")[shot % 2],
        )
        for shot in range(4)
        for number, (x, y, dx) in enumerate([(150, 100, 2), (420, 110, -2), (300, 260, 3)])
    ]
    return Scene("cuts", tuple(actors), 120, shot=30)


def lookalikes() -> Scene:
    """Equal discs in three lanes that meet and pass."""
    lanes = [(60, 80, 4.5), (560, 110, -4.0), (30, 220, 3.0), (330, 235, 1.0), (620, 215, -3.5),
             (100, 320, 5.0), (500, 315, -2.5)]  # fmt: skip
    return Scene("look-alikes", tuple(Actor(line(x, y, dx, 0, 64, 64), TEAL) for x, y, dx in lanes))


def crowd() -> Scene:
    random = np.random.default_rng(5)
    actors = tuple(
        Actor(
            bounce(*random.uniform(60, 300, 2), *random.normal(0, 4, 2), side=side),
            COLORS[number % len(COLORS)],
            ("disc", "box", "star")[number % 3],
            label=1 + number % 2,
        )
        for number, side in enumerate(random.uniform(36, 70, 14))
    )
    return Scene("crowd", actors)


def blank() -> Scene:
    """No object, then one, then none."""
    return Scene("blank", (Actor(during(20, 45, line(200, 150, 3, 1, 80, 80))),), frames=70)


SCENES = (crossing, occlusion, reentry, fast, cuts, lookalikes, crowd, blank)


def _shape(actor: Actor, index: int, size: tuple[int, int]) -> Crop:
    """The part of the frame that holds the actor, and which of its pixels it covers."""
    place = actor.path(index)
    if place is None:
        return Crop(slice(0, 0), slice(0, 0), np.zeros((0, 0), bool))
    x, y, width, height = place
    rows = _span(y - height / 2, y + height / 2, size[0])
    cols = _span(x - width / 2, x + width / 2, size[1])
    v = (np.arange(rows.start, rows.stop)[:, None] + 0.5 - y) * 2 / height
    u = (np.arange(cols.start, cols.stop)[None, :] + 0.5 - x) * 2 / width
    return Crop(rows, cols, _inside(actor.shape, u, v))


def _inside(shape: str, u: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.bool_]:
    if shape == "box":
        return np.ones(np.broadcast_shapes(u.shape, v.shape), bool)
    radius = np.hypot(u, v)
    if shape == "disc":
        return radius <= 1
    return radius <= 0.75 + 0.25 * np.cos(5 * np.arctan2(v, u))


def _whole_area(actor: Actor, index: int) -> float:
    place = actor.path(index)
    return 0.0 if place is None else 0.6 * place[2] * place[3]


def _span(low: float, high: float, length: int) -> slice:
    start = int(min(max(np.ceil(low - 0.5), 0), length))
    return slice(start, int(min(max(np.ceil(high - 0.5), start), length)))


@lru_cache(maxsize=8)
def _ground(size: tuple[int, int], place: int) -> Image:
    """Soft patches of grey, different in every shot."""
    coarse = np.random.default_rng(place).uniform(60, 170, (7, 11))
    rows = np.linspace(0, 5.99, size[0])[:, None]
    cols = np.linspace(0, 9.99, size[1])[None, :]
    r, c = rows.astype(int), cols.astype(int)
    top = coarse[r, c] * (1 - cols + c) + coarse[r, c + 1] * (cols - c)
    low = coarse[r + 1, c] * (1 - cols + c) + coarse[r + 1, c + 1] * (cols - c)
    grey = top * (1 - rows + r) + low * (rows - r)
    return np.repeat(grey[:, :, None], 3, axis=2).astype(np.uint8)


def _shares(cells: int, pixels: int) -> NDArray[np.float64]:
    """(cells, pixels) share of each pixel in the mean of each cell."""
    edges = np.arange(cells + 1) * pixels / cells
    low = np.maximum(edges[:-1, None], np.arange(pixels)[None, :])
    high = np.minimum(edges[1:, None], np.arange(pixels)[None, :] + 1)
    return (high - low).clip(min=0) * cells / pixels


def _joined(a: Instances, b: Instances) -> Instances:
    names = ("boxes", "masks", "scores", "labels", "ids", "filled")
    return replace(a, **{n: np.concatenate([getattr(a, n), getattr(b, n)]) for n in names})


def _false_positives(count: int, truth: Instances, random: np.random.Generator) -> Instances:
    """Discs at places without an object."""
    height, width = truth.size
    side = random.uniform(30, 90, count)
    x, y = random.uniform(0, width - side), random.uniform(0, height - side)
    cells = (np.arange(MASK_SIDE) + 0.5) * 2 / MASK_SIDE - 1
    disc = (np.hypot(cells[:, None], cells[None, :]) <= 1).astype(np.uint8) * 255
    return Instances(
        boxes=np.stack([x, y, x + side, y + side], axis=1).astype(np.float32),
        masks=np.repeat(disc[None], count, axis=0),
        scores=np.ones(count, np.float32),
        labels=np.ones(count, np.int64),
        ids=np.full(count, UNTRACKED, np.int64),
        size=truth.size,
    )


def _merged(truth: Instances, share: float, random: np.random.Generator) -> Instances:
    """The truth with some pairs of touching objects merged."""
    keep = np.ones(len(truth), bool)
    found = [truth]
    for a in range(len(truth)):
        for b in range(a + 1, len(truth)):
            if keep[a] and keep[b] and _touch(truth, a, b) and random.random() < share:
                keep[[a, b]] = False
                found.append(_union(truth, a, b))
    merged = truth[keep]
    for one in found[1:]:
        merged = _joined(merged, one)
    return merged


def _touch(truth: Instances, a: int, b: int) -> bool:
    one, other = truth.boxes[a], truth.boxes[b]
    return bool((one[:2] <= other[2:]).all() and (other[:2] <= one[2:]).all())


def _union(truth: Instances, a: int, b: int) -> Instances:
    whole = slice(0, truth.size[0]), slice(0, truth.size[1])
    both = Crop(*whole, full_mask(truth, a) | full_mask(truth, b))
    label = int(truth.labels[a])
    return from_masks([both], ids=[UNTRACKED], labels=[label], size=truth.size)
